"""What kind of map is it? These describe; they do not judge."""
