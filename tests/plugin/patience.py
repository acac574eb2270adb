"""Waiting until a form has nothing left to do."""

from __future__ import annotations

from typing import Any

PATIENCE_MS = 120_000


def rest(qtbot: Any, widget: Any) -> None:
    """Wait until all lanes of a widget are at rest."""
    qtbot.waitUntil(lambda: widget.controller.lanes.at_rest, timeout=PATIENCE_MS)
