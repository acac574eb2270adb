"""Warnings while workers run, logged under the name of the work that gave them, or their place.

A worker (superqt's) listens for the warnings of the whole process, so that napari's own would be
told as if they came from the work that happens to run.
"""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

_names: dict[int, str] = {}  # thread: the work that runs there
_log = logging.getLogger(__name__)


@contextmanager
def named(work: str) -> Iterator[None]:
    """Log the warnings of this thread as those of a piece of work; other threads' by their place.

    The worker around it puts back what was there before.
    """
    thread = threading.get_ident()
    _names[thread] = work
    warnings.showwarning = cast(Any, _tell)
    try:
        yield
    finally:
        del _names[thread]


def _tell(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any
) -> None:
    where = _names.get(threading.get_ident()) or f"{filename}, line {lineno}"
    _log.warning("%s: %s: %s", where, category.__name__, message)
