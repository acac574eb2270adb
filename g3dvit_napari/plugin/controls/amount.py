"""A slider with a number field, moved by mouse, wheel or keys."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractSlider, QWidget
from superqt import QLabeledDoubleSlider

STEPS = {  # what a key moves, in steps
    Qt.Key.Key_Left: -1,
    Qt.Key.Key_Down: -1,
    Qt.Key.Key_Right: 1,
    Qt.Key.Key_Up: 1,
    Qt.Key.Key_PageDown: -10,
    Qt.Key.Key_PageUp: 10,
}


class AmountSlider(QLabeledDoubleSlider):
    """superqt's labelled slider, with the keys that it lacks."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        for inner in self.findChildren(QAbstractSlider):
            inner.setFocusProxy(self)

    def keyPressEvent(self, event: Any) -> None:
        """Arrows: one step. Page keys: ten. Home and End: the limits."""
        ends = {Qt.Key.Key_Home: self.minimum(), Qt.Key.Key_End: self.maximum()}
        key = event.key()
        if key in STEPS:
            self.setValue(self.value() + STEPS[key] * self.singleStep())
        elif key in ends:
            self.setValue(ends[key])
        else:
            super().keyPressEvent(event)
