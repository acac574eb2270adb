"""The networks of this package, key for key as the originals."""
