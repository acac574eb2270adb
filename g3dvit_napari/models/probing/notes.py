"""What is known of tensors, for as long as they live."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

T = TypeVar("T")


class Notes(Generic[T]):
    """Notes on tensors, found by the tensor itself and not by its values."""

    def __init__(self) -> None:
        self._known: Any = WeakTensorKeyDictionary()

    def __setitem__(self, tensor: Tensor, note: T) -> None:
        self._known[tensor] = note

    def __contains__(self, value: Any) -> bool:
        return isinstance(value, Tensor) and value in self._known

    def get(self, value: Any) -> T | None:
        """Return the note on a tensor; None when there is none, or it is no tensor."""
        found: T | None = self._known.get(value) if isinstance(value, Tensor) else None
        return found

    def drop(self, tensor: Tensor) -> None:
        """Forget what was known of a tensor."""
        self._known.pop(tensor, None)
