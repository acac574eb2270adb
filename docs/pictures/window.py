"""The whole window."""

from __future__ import annotations

from pictures.stage import Picture, open_window, photograph

NAMES = ("window_slices", "window_volume")


def make() -> dict[str, Picture]:
    """Return the pictures by name."""
    viewer, _ = open_window()
    pictures = {"window_slices": photograph(viewer)}
    viewer.dims.ndisplay = 3
    pictures["window_volume"] = photograph(viewer)
    viewer.close()
    return pictures
