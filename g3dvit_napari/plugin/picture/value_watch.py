"""Hearing when the values of a layer have changed: painted, replaced, undone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Layer

# `paint` comes before the values are there, `labels_update` after.
_TELLING = ("paint", "data", "labels_update")


class ValueWatch:
    """Calls `changed` with napari's event whenever a layer holds other values."""

    def __init__(self, layer: Layer, changed: Callable[[Any], object]) -> None:
        self._layer, self._changed = layer, changed
        self._steps = self._history()
        known = layer.events.emitters
        self._events = [known[name] for name in _TELLING if name in known]
        for event in self._events:
            event.connect(self._on_told)
        layer.events.set_data.connect(self._on_drawn)

    def close(self) -> None:
        """Hear no more."""
        for event in self._events:
            event.disconnect(self._on_told)
        self._layer.events.set_data.disconnect(self._on_drawn)

    def _on_told(self, event: Any) -> None:
        self._changed(event)

    def _on_drawn(self, event: Any) -> None:
        """Of a stroke that is undone napari says no more than of another slice."""
        steps, self._steps = self._steps, self._history()
        if steps != self._steps:
            self._changed(event)

    def _history(self) -> tuple[int, int]:
        done, undone = (getattr(self._layer, f"_{what}_history", ()) for what in ("undo", "redo"))
        return len(done), len(undone)
