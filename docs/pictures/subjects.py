"""The page "QA": a list of made-up subjects, gone through and rated."""

from __future__ import annotations

import tempfile
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget

from g3dvit_napari.io.sample_study import COUNT
from pictures.stage import Picture, click, open_window, photograph, wait

NAMES = ("qa_list",)
WIDTH = 770
RATED = ("pass", "pass", "unsure", "pass")
REMARK = "lesion larger than the map; look again"


def make() -> dict[str, Picture]:
    """Return the pictures by name."""
    viewer, widget = open_window()
    viewer.layers.clear()
    widget.form.turn_to("QA")
    make_room(widget)
    with tempfile.TemporaryDirectory() as folder:
        widget.subjects.make_study(folder)
        wait(lambda: widget.subjects.ledger.subjects)
        go_through(widget)
        widget.controller.jump_to_peak()
        picture = photograph(viewer)
        viewer.close()
    return {"qa_list": picture}


def make_room(widget: Any) -> None:
    """Give the form the width of its table, and the canvas what napari's own lists take."""
    dock = widget
    while not isinstance(dock, QDockWidget):
        dock = dock.parentWidget()
    window = dock.parentWidget()
    for other in window.findChildren(QDockWidget):
        if other is not dock:
            other.hide()
    wait(lambda: False, 0.2)
    window.resizeDocks([dock], [WIDTH], Qt.Orientation.Horizontal)


def go_through(widget: Any) -> None:
    """Run the list, rate the first subjects, and go back to the one in doubt."""
    page = widget.subjects.page
    click(page.run_all)
    wait(lambda: len(widget.subjects.ledger.outcomes) == COUNT)
    settle(widget)
    page.rating.go_on.setChecked(True)
    click(page.next)
    for rating in RATED:
        settle(widget)
        if rating == "unsure":
            page.rating.note.setText(REMARK)
        click(page.rating.buttons[rating])
    doubtful = RATED.index("unsure")
    for _ in range(len(RATED) - doubtful):
        settle(widget)
        click(page.previous)
    settle(widget)


def settle(widget: Any) -> None:
    """Wait until the subject that was gone to is on show."""
    wait(lambda: False, 0.3)
    wait(lambda: widget.controller.lanes.at_rest)
