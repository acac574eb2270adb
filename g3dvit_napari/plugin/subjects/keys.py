"""Keys for the whole window, canvas included, while the page is in sight."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut, QWidget


class WindowKeys:
    """Binds keys to the window that a widget stands in, and lets them go."""

    def __init__(self, widget: QWidget, actions: Mapping[str, Callable[[], object]]) -> None:
        self._widget, self._actions = widget, actions
        self._bound: list[QShortcut] = []

    @property
    def bound(self) -> bool:
        """Whether the keys are taken."""
        return bool(self._bound)

    def bind(self) -> None:
        """Take the keys; where they are taken already, nothing changes."""
        if self._bound:
            return
        window = _outermost(self._widget)
        for key, action in self._actions.items():
            shortcut = QShortcut(QKeySequence(key), window)
            shortcut.activated.connect(action)
            self._bound.append(shortcut)

    def release(self) -> None:
        """Let the keys go."""
        bound, self._bound = self._bound, []
        for shortcut in bound:
            try:
                shortcut.setEnabled(False)
                shortcut.deleteLater()
            except RuntimeError:  # the window has gone, and its keys with it
                return


def _outermost(widget: QWidget) -> QWidget:
    """Return the main window, of a floating dock, too."""
    while widget.parentWidget() is not None:
        widget = widget.parentWidget()
    return widget
