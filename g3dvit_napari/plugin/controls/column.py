"""A column of a table: text to read, a value to sort and to save by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Column:
    """One column: `key` names it in files, `value` takes it from a row, `text` writes it.

    Rows are sorted by `order` of the value, or by the value itself; `hint` says more of a cell.
    """

    title: str
    key: str
    tip: str
    value: Callable[[Any], Any]
    text: Callable[[Any], str] = str
    right: bool = True
    order: Callable[[Any], Any] | None = None
    hint: Callable[[Any], str] | None = None

    def rank(self, row: Any) -> Any:
        """Return what a row is sorted by; None: it stays last."""
        value = self.value(row)
        return value if self.order is None or value is None else self.order(value)

    def shown(self, row: Any) -> str:
        """Return what stands in the cell of a row; a dash where there is no value."""
        value = self.value(row)
        return "–" if value is None else self.text(value)
