"""Errors that say that memory is short, by whatever name a library gives them."""

from __future__ import annotations

# Apple's device, cuBLAS, cuDNN and torch on the CPU raise plain RuntimeErrors.
_SIGNS = ("out of memory", "not enough memory", "allocate memory", "_STATUS_ALLOC_FAILED")


def lacks_memory(error: BaseException) -> bool:
    """Return whether an error means that the computer or the graphics card is full."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def short_of_memory(error: BaseException) -> str:
    """Return what a user can do about it."""
    return (
        f"Out of memory: {error}. Choose the device 'cpu' if it was another, close other programs, "
        "or take a smaller volume."
    )
