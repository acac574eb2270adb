"""All figures of a file of records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from g3dvit_napari.benchmark.figures.ceilings import ceiling_figure, columns_with_ceilings
from g3dvit_napari.benchmark.figures.curves import columns_with_curves, curve_figure
from g3dvit_napari.benchmark.figures.overview import overview_figure
from g3dvit_napari.benchmark.figures.rank_diagram import rank_diagram
from g3dvit_napari.benchmark.figures.runtimes import points_of, runtime_figure
from g3dvit_napari.benchmark.figures.style import save
from g3dvit_napari.benchmark.tables.board import Board, title_of
from g3dvit_napari.benchmark.tables.overview import overview
from g3dvit_napari.benchmark.tables.ranks import Ranked
from g3dvit_napari.benchmark.tables.report import Pictures
from g3dvit_napari.benchmark.tables.scores import Summed

DIAGRAMS = ("iou", "average_precision", "relevance_mass", "deletion", "insertion", "pointing_game")

OVERVIEW = "iou"


def draw_all(board: Board, sums: Summed, every: Sequence[Ranked], folder: Path) -> Pictures:
    """Draw all figures into FOLDER/figures and say where they are.

    Raises
    ------
    ExportError
        When matplotlib is not installed.
    VolumeError
        When a file cannot be written.
    """
    found: Pictures = []
    shown = overview(sums, board, OVERVIEW)
    if shown is not None and shown.rows:
        name = f"figures/overview_{_slug(OVERVIEW)}.png"
        with overview_figure(shown, board) as figure:
            save(figure, folder / name)
        found.append((name, f"All tasks: {title_of(OVERVIEW)}, share of the ceiling in per cent"))
    for one in _diagrams(every):
        name = f"figures/critical_difference_{_slug(one.column)}.png"
        with rank_diagram(one, board.controls) as figure:
            save(figure, folder / name)
        found.append((name, f"Critical-difference diagram: {title_of(one.column)}"))
    for cell in board.cells():
        found += _of_cell(board, sums, cell, folder)
    return found


def _diagrams(every: Sequence[Ranked]) -> list[Ranked]:
    usable = [one for one in every if one.difference == one.difference]
    first = {one.column.split()[0]: one for one in reversed(usable)}
    chosen = [first[name] for name in DIAGRAMS if name in first]
    return (chosen or list(usable))[: len(DIAGRAMS)]


def _of_cell(board: Board, sums: Summed, cell: str, folder: Path) -> Pictures:
    found: Pictures = []
    if scored := columns_with_ceilings(sums, cell):
        name = f"figures/ceilings_{_slug(cell)}.png"
        with ceiling_figure(board, sums, cell, scored) as figure:
            save(figure, folder / name)
        found.append((name, f"{cell}: score / ceiling, 95 % intervals; dotted: chance"))
        if points_of(board, sums, cell, scored[0]):
            name = f"figures/runtime_{_slug(cell)}.png"
            with runtime_figure(board, sums, cell, scored[0]) as figure:
                save(figure, folder / name)
            found.append((name, f"{cell}: runtime against {title_of(scored[0])}"))
    removed = columns_with_curves(board, cell)
    for columns in _in_pairs(removed):
        name = f"figures/curves_{_slug(cell)}_{_slug(columns[0])}.png"
        with curve_figure(board, cell, columns) as figure:
            save(figure, folder / name)
        found.append((name, f"{cell}: {' and '.join(map(title_of, columns))}"))
    return found


def _in_pairs(columns: Sequence[str]) -> list[list[str]]:
    """Return deletion beside insertion with the same settings; nothing else is drawn twice."""
    pairs = []
    for column in columns:
        metric, _, settings = column.partition(" ")
        if metric == "deletion":
            other = f"insertion {settings}".strip()
            pairs.append([column, *([other] if other in columns else [])])
    return pairs


def _slug(word: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in word)
