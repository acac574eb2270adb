"""Attention, followed from the answer back to the patches."""
