"""The napari front end: form, controller, layers, contributions."""
