"""One click on a bar: another class is explained."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from pictures.stage import Picture, open_window, photograph, wait

NAMES = ("one_click",)


def make() -> dict[str, Picture]:
    """Return the pictures by name."""
    viewer, widget = open_window()
    prediction, history = widget.prediction, widget.history
    for row in (1, 0):
        known = widget.controller.explanation
        click_row(prediction.bars.list, row)
        wait(lambda known=known: widget.controller.explanation is not known)
        wait(lambda: widget.controller.lanes.at_rest)
    widget.form.question.methods.choose("libra_grad")
    wait(lambda: len(history.past.results) == 3 and widget.controller.lanes.at_rest)
    click_row(prediction.bars.list, 2)
    wait(lambda: len(history.past.results) == 4 and widget.controller.lanes.at_rest)
    pictures = {"one_click": photograph(viewer)}
    viewer.close()
    return pictures


def click_row(rows: Any, row: int) -> None:
    """Click a class as a user does."""
    place: QPoint = rows.visualItemRect(rows.item(row)).center()
    button, no_key = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QTest.mouseClick(rows.viewport(), button, no_key, place)
