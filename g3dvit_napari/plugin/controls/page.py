"""A page of the form: groups below each other, scrolled where the window is too low for them."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget


class Page(QScrollArea):
    """Groups from top to bottom; never wider than the dock."""

    def __init__(self, *groups: QWidget) -> None:
        super().__init__()
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(10, 10, 6, 10)
        self._column.setSpacing(16)
        self._column.addStretch()
        for group in groups:
            self.add(group)
        self.setWidget(inside)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def add(self, group: QWidget, stretch: int = 0) -> None:
        """Put a group below the others; with a stretch it takes the room that is left."""
        self._column.insertWidget(self._column.count() - 1, group, stretch)
