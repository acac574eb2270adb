"""Layers leave the graphics card in the context that drew them."""

from __future__ import annotations

from typing import Any

from qtpy.compat import isalive
from qtpy.QtWidgets import QOpenGLWidget, QWidget


class CanvasContext:
    """Makes the canvas's OpenGL context the current one before a layer goes.

    napari deletes what a layer, and whatever went with it, left on the graphics card as soon as
    the layer is removed, in the context that happens to be current. After a repaint that is Qt's
    own, which puts the window together: the canvas keeps what it has bound but is gone, and some
    drivers (Mesa's llvmpipe) then end the process at the next picture.
    """

    def __init__(self, viewer: Any, inside: QWidget) -> None:
        self._viewer, self._inside = viewer, inside

    def attach(self) -> None:
        """Listen for layers that go."""
        self._viewer.layers.events.removing.connect(self._on_removing)

    def detach(self) -> None:
        """Listen no more."""
        self._viewer.layers.events.removing.disconnect(self._on_removing)

    def _on_removing(self, event: object = None) -> None:
        del event
        if not isalive(self._inside):  # the window goes first, then its layers
            return
        window = self._inside
        while (parent := window.parentWidget()) is not None:  # a floating dock is no end
            window = parent
        for canvas in window.findChildren(QOpenGLWidget):
            canvas.makeCurrent()
