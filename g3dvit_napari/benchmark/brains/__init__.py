"""Brains from the MNI template with one effect whose place is known."""
