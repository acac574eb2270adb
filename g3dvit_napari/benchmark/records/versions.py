"""What computed a record."""

from __future__ import annotations

import platform
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

BENCHMARK = 1  # a change of data, rows or meaning must change it: older records are left alone
_PACKAGES = ("g3dvit-napari", "torch", "numpy", "scipy")


@lru_cache
def versions() -> dict[str, str | int]:
    """Return the versions of the benchmark, Python and the packages that compute."""
    found: dict[str, str | int] = {"benchmark": BENCHMARK, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # run from a folder that was never installed
            found[name] = "unknown"
    return found
