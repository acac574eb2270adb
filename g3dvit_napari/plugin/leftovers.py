"""What a closed form or an ended comparison leaves in memory is cleared away at once."""

from __future__ import annotations

import gc

from qtpy.QtCore import QTimer

SOON_MS = 100  # Qt has deleted by then what it was to delete


def clear_away_soon() -> None:
    """Have Python collect once the event loop is idle; that takes some tenths of a second.

    napari's drawings of letters, captions and bars hold themselves in circles, and with them
    buffers and programs on the graphics card. Left alone, Python may find them while vispy merges
    its queues of commands (`GlirQueue.associate`): what is to be deleted then goes into a queue
    that nobody reads any more, and stays on the card until the window closes. After each layer
    that is removed napari collects by itself; what is drawn beside the layers goes without that.
    """
    QTimer.singleShot(SOON_MS, _collect)


def _collect() -> None:
    gc.collect()
