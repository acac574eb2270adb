"""The threshold tuned on its histogram, and the three ways a map can end there."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin.threshold.histogram import SIDE
from g3dvit_napari.plugin.widget import ExplainWidget
from pictures.stage import Picture, beside, click, open_window, photograph, wait

NAMES = ("threshold", "edges")
METHOD, CUT = "grad_cam", 0.3
EDGES = ("hard", "faded", "contour")


def make() -> dict[str, Picture]:
    """Return the pictures by name."""
    viewer, widget = open_window(method=METHOD)
    box = widget.form.threshold
    box.place(Threshold("keep", 5.0, "voxels"))
    rest(widget)
    widget.form.pages.currentWidget().ensureWidgetVisible(box.tuning.apply)
    click_at(box.tuning.histogram, CUT)
    click(box.edges.button("contour"))
    rest(widget)
    pictures = {"threshold": photograph(viewer)}
    cells = []
    for edge in EDGES:
        click(box.edges.button(edge))
        rest(widget)
        cells.append(photograph(viewer, canvas_only=True))
    pictures["edges"] = beside(cells)
    viewer.close()
    return pictures


def click_at(histogram: Any, place: float) -> None:
    """Bring the line to a place of the axis, as a user does."""
    x = SIDE + round(place * (histogram.width() - 2 * SIDE))
    QTest.mouseClick(histogram, Qt.MouseButton.LeftButton, pos=QPoint(x, histogram.height() // 2))


def rest(widget: ExplainWidget) -> None:
    """Wait until the threshold has settled and its figures are counted."""
    wait(lambda: False, 0.5)  # longer than a slider may pause
    wait(lambda: widget.controller.lanes.at_rest)
