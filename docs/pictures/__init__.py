"""The pictures of the documentation, one file per page of the form; see make_pictures.py."""
