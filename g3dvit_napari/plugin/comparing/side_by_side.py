"""The comparison that is shown, if any: it comes, it follows threshold and edge, it goes."""

from __future__ import annotations

from typing import Any, cast

from napari.layers import Layer
from qtpy.QtCore import QObject, Signal

from g3dvit_napari.core.types import Explanation, Threshold
from g3dvit_napari.plugin.comparing.comparison import Comparison
from g3dvit_napari.plugin.picture.colormaps import Edge
from g3dvit_napari.plugin.picture.overlay import Overlay


class SideBySide(QObject):
    """At most one comparison; the overlay of the single map gives way to it."""

    changed = Signal(bool)  # a comparison is shown, or has ended

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._comparison: Comparison | None = None
        self._overlay: Overlay | None = None
        self._edge: Edge = "hard"

    @property
    def shown(self) -> bool:
        """Whether a comparison is shown."""
        return self._comparison is not None

    def show(
        self,
        layer: Layer,
        titled: list[tuple[str, Explanation]],
        threshold: Threshold,
        overlay: Overlay,
    ) -> None:
        """Show titled explanations of a layer's volume in place of what is shown now."""
        self.end()
        self._overlay = overlay
        overlay.give_way(True)
        self._comparison = Comparison(self._viewer, layer, titled, threshold, self._edge)
        self.changed.emit(True)

    def end(self) -> None:
        """Show one map again."""
        if self._comparison is None:
            return
        comparison, self._comparison = self._comparison, None  # removing layers asks again
        comparison.close()
        if self._overlay is not None:
            self._overlay.give_way(False)
        self._overlay = None
        self.changed.emit(False)

    def forget(self) -> None:
        """Let go without touching the viewer, which may be gone."""
        self._comparison = self._overlay = None

    def set_threshold(self, threshold: Threshold) -> None:
        """Cut all maps."""
        if self._comparison is not None:
            self._comparison.set_threshold(threshold)

    def set_edge(self, edge: str) -> None:
        """End all maps sharply or softly, now and later."""
        self._edge = cast(Edge, edge)
        if self._comparison is not None:
            self._comparison.set_edge(self._edge)

    def lost(self, layer: Layer) -> None:
        """End when a layer that it needs was removed."""
        if self._comparison is not None and self._comparison.needs(layer):
            self.end()
