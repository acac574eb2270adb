"""What stands above a cell: its title, of what it is, where it is cut, and where the slice lies."""

from __future__ import annotations

import textwrap

from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin.comparing.cells import Cell
from g3dvit_napari.plugin.threshold.wording import number

SIZES = {1: 11.0, 2: 10.0, 3: 9.0, 4: 8.0}  # points, per number of columns
SMALLEST = 7.0
PIXELS = (96 / 72) ** 2  # per point: napari's letters on the canvas are larger than those of Qt
_LETTER, _LINE = 0.56, 1.35  # mean width of a letter, height of a line, in heights of the letters
_MARGIN = 16  # pixels of a cell's width beside its caption
_FEWEST = 14  # letters per line, however narrow the cell is


def size_of(columns: int) -> float:
    """Return the size of captions in points; smaller where there are more columns."""
    return SIZES.get(columns, SMALLEST)


def caption(cell: Cell, threshold: Threshold, where: str, letters: int) -> str:
    """Return the lines above a cell, each no longer than so many letters.

    Parameters
    ----------
    where
        Where the slice lies; empty in a volume.
    """
    how = _packed([words_of_cut(cell, threshold), *([where] if where else [])], letters)
    lines = [cell.title, *cell.facts, *how, *cell.remarks]
    return "\n".join(part for line in lines for part in textwrap.wrap(line, letters))


def words_of_cut(cell: Cell, threshold: Threshold) -> str:
    """Say how a cell is cut, and at which of the values on its colour bar."""
    cut = cell.cut(threshold)
    if cut is None:
        return "uncut"
    value = f"{'from ±' if cell.signed else '≥ '}{number(cut * cell.limit)}" if cut else "not 0"
    rules = {
        "keep": f"top {threshold.amount:g} %",
        "mass": f"{threshold.amount:g} % of the relevance",
        "otsu": "Otsu's cut",
        "absolute": f"raw from {threshold.amount:.3g}",
    }
    return ", ".join(filter(None, [rules.get(threshold.kind), value]))


def _packed(parts: list[str], letters: int) -> list[str]:
    """Return parts in as few lines as they fit into."""
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]} · {part}" if lines else part
        if lines and len(longer) <= letters:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def letters_per_line(width_px: float, size: float) -> int:
    """Return how many letters of a size fit into a cell."""
    return max(int((width_px - _MARGIN) / (_LETTER * size * PIXELS)), _FEWEST)


def height_px(captions: list[str], size: float) -> float:
    """Return how much of a cell the longest of its captions takes."""
    lines = max((text.count("\n") + 1 for text in captions), default=0)
    return lines * _LINE * size * PIXELS
