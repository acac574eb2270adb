"""Gradients of the explained number at the input."""
