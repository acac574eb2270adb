"""The main tables: rows by metrics, each number with its interval, chance and ceiling."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite

import numpy as np

from g3dvit_napari.benchmark.statistics.ranking import ranks_within
from g3dvit_napari.benchmark.tables.board import Board, family_of, title_of
from g3dvit_napari.benchmark.tables.networks import network_sentence
from g3dvit_napari.benchmark.tables.summary import Summary, by_row, summaries
from g3dvit_napari.benchmark.tables.table import Cell, Table, figure
from g3dvit_napari.core.score import Direction

ARROWS: Mapping[Direction, str] = {
    "higher": " \N{UPWARDS ARROW}",
    "lower": " \N{DOWNWARDS ARROW}",
    "none": "",
}
LONG = (
    "task", "networks are", "metric", "better", "method", "mean", "low", "high", "chance",
    "ceiling", "mean / ceiling", "ratio low", "ratio high", "volumes", "networks", "degenerate",
    "undefined",
)  # fmt: skip

THEMES = ("localisation", "faithfulness", "robustness", "sanity", "character")
Summed = Mapping[tuple[str, str, str], tuple[Direction, list[Summary]]]  # cell, family, column


def summed(board: Board) -> Summed:
    """Return the summaries of all metrics in all tasks."""
    found = {}
    for family in board.families:
        for cell in board.cells(family):
            for column in board.columns(family):
                group = board.group(cell, column, family)
                if group is not None:
                    found[cell, family, column] = (group.direction, summaries(group))
    return found


def long_table(sums: Summed, name: str = "scores", title: str = "All scores") -> Table:
    """Return one line per task, metric and row, with all that is known."""
    rows: list[list[Cell]] = []
    for (cell, family, column), (direction, found) in sums.items():
        for one in found:
            value, ratio = one.value, one.ceiling_ratio
            start: list[Cell] = [cell, family, column, direction, one.row]
            numbers = [value.mean, value.low, value.high, one.chance, one.ceiling]
            shares = [ratio.mean, ratio.low, ratio.high]
            counts = [one.volumes, one.networks, one.degenerate, one.undefined]
            rows.append([*start, *numbers, *shares, *counts])
    return Table(name, title, LONG, rows)


def main_tables(sums: Summed, board: Board, prefix: str = "scores") -> list[Table]:
    """Return one table per kind of network, task and family of metrics; rows by metrics."""
    found = []
    for family in board.families:
        for cell in board.cells(family):
            columns = [c for c in board.columns(family) if _says_something(sums, (cell, family, c))]
            themes = sorted(set(map(family_of, columns)), key=lambda t: (_order(t), t))
            for theme in themes:
                of_theme = [c for c in columns if family_of(c) == theme]
                found.append(_main_table(sums, board, (cell, family, theme), of_theme, prefix))
    return found


def _says_something(sums: Summed, place: tuple[str, str, str]) -> bool:
    """Return whether any map has a value; a task without distractors has no share in them."""
    return place in sums and any(one.volumes for one in sums[place][1])


def _order(theme: str) -> int:
    return THEMES.index(theme) if theme in THEMES else len(THEMES)


def _main_table(
    sums: Summed,
    board: Board,
    place: tuple[str, str, str],
    columns: Sequence[str],
    prefix: str,
) -> Table:
    cell, family, theme = place
    here = {column: sums[cell, family, column] for column in columns}
    head = ["method", *(f"{title_of(c)}{ARROWS[direction]}" for c, (direction, _) in here.items())]
    found = by_row({column: listed for column, (_, listed) in here.items()})
    standing = _standing(sums, place, columns)
    order = sorted(found, key=lambda row: (standing(row), row))
    rows = [_bounds(found, columns, "chance"), _bounds(found, columns, "ceiling")]
    rows += [
        [
            named(row, row in board.controls),
            *(told(found[row].get(column)) for column in columns),
        ]
        for row in order
    ]
    kind = "" if family == "vit" else f", {family} (compared with, not ranked)"
    name = "_".join((prefix, *map(_slug, (cell, family, theme))))
    notes = [*_notes(found), *_left_out(board, place), network_sentence(board, cell, family)]
    return Table(name, f"{cell}: {theme}{kind}", head, rows, notes)


def _standing(
    sums: Summed, place: tuple[str, str, str], columns: Sequence[str]
) -> Callable[[str], float]:
    """Return the mean rank of a row's means, over the metrics that rank; for the order of rows."""
    ranks: dict[str, list[float]] = {}
    for column in columns:
        direction, found = sums[place[0], place[1], column]
        known = [one for one in found if isfinite(one.value.mean)]
        if direction == "none" or not known:
            continue
        means = np.array([[one.value.mean for one in known]])
        for one, rank in zip(known, ranks_within(means, direction == "higher")[0], strict=True):
            ranks.setdefault(one.row, []).append(float(rank) / len(known))
    return lambda row: sum(ranks[row]) / len(ranks[row]) if row in ranks else 2.0


def _bounds(found: dict[str, dict[str, Summary]], columns: Sequence[str], name: str) -> list[Cell]:
    """Return the line of chance values, or of ceilings: the mean over the rows."""
    cells: list[Cell] = [f"*{name}*"]
    for column in columns:
        known = [getattr(one[column], name) for one in found.values() if column in one]
        known = [value for value in known if isfinite(value)]
        cells.append(figure(sum(known) / len(known)) if known else figure(None))
    return cells


def named(row: str, control: bool) -> str:
    """Return the name of a row; that of a control is slanted."""
    return f"*{row}*" if control else row


def told(one: Summary | None) -> str:
    """Return mean, interval, and the share of the ceiling."""
    if one is None or not isfinite(one.value.mean):
        return figure(None)
    value, ratio = one.value, one.ceiling_ratio.mean
    share = f" · {100 * ratio:.0f} %" if isfinite(ratio) else ""
    lost = "\N{DEGREE SIGN}" * bool(one.degenerate or one.undefined)
    return f"{figure(value.mean)}{lost} ({figure(value.low)} to {figure(value.high)}){share}"


def _notes(found: dict[str, dict[str, Summary]]) -> list[str]:
    every = [one for columns in found.values() for one in columns.values()]
    most, networks = (max(getattr(one, n) for one in every) for n in ("volumes", "networks"))
    fewest = {row: min(one.volumes for one in c.values()) for row, c in found.items()}
    words = [f"{row} ({count})" for row, count in fewest.items() if count < most]
    trained = f"{networks} network{'s' * (networks != 1)}"
    notes = [
        f"Mean over {trained} and up to {most} volumes (95 % interval of the hierarchical "
        "bootstrap) · mean score as a share of the mean ceiling. Only volumes that the network "
        "names correctly and whose truth it is not known to leave unused.",
    ]
    if networks == 1:
        notes.append("One network: the intervals know nothing of other trainings.")
    if words:
        notes.append(f"Some metrics on fewer volumes: {', '.join(words)}.")
    if any(one.degenerate or one.undefined for one in every):
        notes.append(
            "\N{DEGREE SIGN}: some maps say nothing or have no score; they count at chance."
        )
    return notes


def _left_out(board: Board, place: tuple[str, str, str]) -> list[str]:
    """Return a note on scores that cannot tell maps apart."""
    cell, family, theme = place
    shares = {c: board.uninformative(cell, c, family) for c in board.columns(family)}
    words = [
        f"{title_of(c)} ({100 * share:.0f} %)"
        for c, share in shares.items()
        if share and family_of(c) == theme
    ]
    start = "Left out, as the network keeps its answer with everything removed: "
    return [f"{start}{', '.join(words)}."] if words else []


def _slug(word: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-." else "-" for letter in word)
