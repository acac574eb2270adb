"""The whole window, and the comparison."""

from __future__ import annotations

from pictures.stage import Picture, open_window, photograph, wait

NAMES = ("window_slices", "window_volume", "comparison")
COMPARED = ["g3dvit", "grad_cam", "libra_grad", "generic_attention", "occlusion", "saliency"]


def make() -> dict[str, Picture]:
    """Return the pictures by name."""
    viewer, widget = open_window()
    controller = widget.controller
    pictures = {"window_slices": photograph(viewer)}
    viewer.dims.ndisplay = 3
    pictures["window_volume"] = photograph(viewer)
    viewer.dims.ndisplay = 2
    controller.compare(viewer.layers[0], "mean", widget.form.request(), COMPARED)
    wait(lambda: controller.comparison.shown)
    pictures["comparison"] = photograph(viewer)
    controller.end_comparison()
    viewer.close()
    return pictures
