"""Values as JSON has them, wherever a document is written or printed."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any


def jsonable(value: Any, digits: int | None = None) -> Any:
    """Return a value that every JSON parser accepts; NaN and infinity become null.

    Parameters
    ----------
    digits
        How many significant digits floating-point numbers keep; all when not given.
    """
    if isinstance(value, Mapping):
        return {str(key): jsonable(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item, digits) for item in value]
    if isinstance(value, float):
        kept = float(value) if digits is None else float(f"{value:.{digits}g}")
        return kept if isfinite(kept) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)
