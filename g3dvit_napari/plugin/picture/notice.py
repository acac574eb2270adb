"""A sentence on the canvas, where a picture was expected and there is none."""

from __future__ import annotations

import textwrap
from typing import Any

from napari.components.overlays import TextOverlay
from napari.utils.notifications import show_warning

NOTICE = "g3dvit_notice"
WIDTH = 48  # letters per line; a narrow canvas holds them


class Notice:
    """Says why the canvas is empty, until somebody takes it back."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer

    @property
    def is_said(self) -> bool:
        """Whether a text is on the canvas."""
        return NOTICE in self._viewer.canvas.overlays

    def say(self, text: str) -> None:
        """Write a text at the top of the canvas, in place of what was said before."""
        self.take_back()
        lines = "\n".join(textwrap.wrap(text, WIDTH))
        self._viewer.canvas.overlays[NOTICE] = TextOverlay(
            position="top_center", font_size=11, text=lines, visible=True
        )
        if not self._viewer.layers:  # napari's welcome covers the canvas
            show_warning(text)

    def take_back(self) -> None:
        """Leave nothing on the canvas."""
        self._viewer.canvas.overlays.pop(NOTICE, None)
