"""Side by side: methods, a randomised network, the difference of two maps."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt

from g3dvit_napari.core.types import Threshold
from pictures.stage import Picture, click, open_window, photograph, wait

NAMES = ("comparison", "compare_classes", "compare_randomised", "difference")
COMPARED = ("g3dvit", "grad_cam", "libra_grad", "generic_attention", "hires_cam", "saliency")


def make() -> dict[str, Picture]:
    """Return the pictures by name."""
    viewer, widget = open_window()
    widget.form.turn_to("Compare")
    pictures = {"comparison": compared(viewer, widget, "methods", COMPARED)}
    widget.controller.comparison.end()
    ask(widget, "libra_grad")
    widget.form.threshold.choose(Threshold("keep", 2.0, "voxels"))
    click(widget.form.threshold.stages.button("patches"))  # stays, whichever method comes
    pictures["compare_classes"] = compared(viewer, widget, "classes")
    widget.controller.comparison.end()
    ask(widget, "generic_attention")
    compared(viewer, widget, "randomised", ("all", 1, 2))
    click(widget.form.difference.scale.button("own"))  # where they differ, not how much
    pictures["compare_randomised"] = photograph(viewer)
    compared(viewer, widget, "methods", ("libra_grad", "generic_attention"))
    click(widget.form.difference.go)
    wait(lambda: widget.controller.comparison.difference)
    pictures["difference"] = photograph(viewer)
    click(widget.form.compare.back)
    viewer.close()
    return pictures


def ask(widget: Any, method: str) -> None:
    """Choose a method, and wait for its map."""
    widget.form.question.methods.choose(method)
    wait(lambda: widget.controller.explanation.request.method == method)
    wait(lambda: widget.controller.lanes.at_rest)


def compared(viewer: Any, widget: Any, kind: str, wanted: tuple[Any, ...] = ()) -> Picture:
    """Compare what is wanted of a kind, by default what is marked by itself."""
    box, comparison = widget.form.compare, widget.controller.comparison
    comparison.end()
    box.kinds.choose(kind)
    for row in range(box.list.count() if wanted else 0):
        item = box.list.item(row)
        variant = item.data(Qt.ItemDataRole.UserRole).variant
        if variant is not None:
            marked = variant.value in wanted
            if variant.value == "original":
                continue
            item.setCheckState(Qt.CheckState.Checked if marked else Qt.CheckState.Unchecked)
    click(box.go)
    wait(lambda: comparison.shown and widget.controller.lanes.at_rest)
    return photograph(viewer)
