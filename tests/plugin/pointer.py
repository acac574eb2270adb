"""A mouse whose moves and clicks arrive; those of a virtual display's pointer may not."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication


def move_to(widget: Any, place: QPoint) -> None:
    """Send a widget the event of a mouse that moves over it; one that tracks no mouse gets none."""
    where = QPointF(place), QPointF(widget.mapToGlobal(place))
    button, modifier = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    event = QMouseEvent(QEvent.Type.MouseMove, *where, button, button, modifier)
    QApplication.sendEvent(widget, event)


def click(qtbot: Any, widget: Any, place: QPoint | None = None) -> None:
    """Click a widget with the left button, in its middle or at a place."""
    where = {} if place is None else {"pos": place}
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, **where)
