"""All tables of a file of records, one by one and in one page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from g3dvit_napari.benchmark.records.record import Record
from g3dvit_napari.benchmark.records.store import Store
from g3dvit_napari.benchmark.tables.agreement import agreement_table
from g3dvit_napari.benchmark.tables.board import Board
from g3dvit_napari.benchmark.tables.networks import network_sentence, network_table, silent_table
from g3dvit_napari.benchmark.tables.overview import overview_tables
from g3dvit_napari.benchmark.tables.ranks import Ranked, friedman_table, rank_table, ranked
from g3dvit_napari.benchmark.tables.scores import Summed, long_table, main_tables, summed
from g3dvit_napari.benchmark.tables.significance import (
    differences_of,
    significance_table,
    verdict_table,
)
from g3dvit_napari.benchmark.tables.table import Table, write, write_text
from g3dvit_napari.core.errors import VolumeError

Pictures = list[tuple[str, str]]  # paths relative to the report, and titles
FILES_ONLY = ("scores", "scores_others_all", "significance")  # too long for a page


def boards(store: Store) -> tuple[Board, Board]:
    """Return what enters the main tables, and the volumes that do not.

    Raises
    ------
    VolumeError
        When there are no records of this version.
    """
    found = store.read()
    main, others = Board(found), Board(found, counted=False)
    if not main.records:
        raise VolumeError(
            f"{store.path} holds no records of this version of the benchmark; "
            "run `g3dvit benchmark run` first"
        )
    return main, others


def rankings(board: Board) -> list[Ranked]:
    """Return the rankings by all metrics that rank."""
    found = (ranked(board, column) for column in board.ranked())
    return [one for one in found if one is not None]


def tables(main: Board, others: Board, every: Sequence[Ranked], sums: Summed) -> list[Table]:
    """Return all tables, the most important ones first."""
    rest = summed(others)
    pairs = {one.column: differences_of(main, one) for one in every}
    found = [
        network_table(main),
        *overview_tables(sums, main),
        *main_tables(sums, main),
        rank_table(every),
        friedman_table(every),
        verdict_table(pairs, every, main.controls),
        significance_table(pairs),
        agreement_table(main),
        silent_table(main),
        *_of_the_others(others, rest),
        long_table(sums),
        long_table(rest, "scores_others_all", "All scores of the other volumes"),
    ]
    sentence = network_sentence(main)
    said = {one.name for one in found if any(n.startswith("Networks. ") for n in one.notes)}
    return [
        one if one.name in said | {"networks"} else replace(one, notes=(*one.notes, sentence))
        for one in found
        if one.rows
    ]


def _of_the_others(others: Board, rest: Summed) -> list[Table]:
    note = (
        "Volumes that the network names wrongly, or whose truth it does not use: a map may be "
        "right about the network and miss the mask. They enter no ranking."
    )
    return [
        replace(one, title=f"{one.title}, other volumes", notes=(note, *one.notes[1:]))
        for one in main_tables(rest, others, "others")
    ]


def write_report(
    store: Store,
    folder: Path,
    draw: Callable[[Board, Summed, Sequence[Ranked], Path], Pictures] | None = None,
) -> list[Path]:
    """Rebuild all tables from records and write them.

    Parameters
    ----------
    folder
        For `report.md` and the tables, each as Markdown and as CSV.
    draw
        Makes the figures, such as `figures.gallery.draw_all`; none are made without.

    Returns
    -------
    list of Path
        All files, the page that shows everything first.

    Raises
    ------
    VolumeError
        When there are no records, or a file cannot be written.
    """
    main, others = boards(store)
    every, sums = rankings(main), summed(main)
    pictures = draw(main, sums, every, folder) if draw else []
    made = tables(main, others, every, sums)
    files = write(made, folder / "tables")
    page = folder / "report.md"
    write_text(page, _page(main, made, pictures))
    return [page, *files, *(folder / name for name, _ in pictures)]


def _page(board: Board, made: Sequence[Table], pictures: Pictures) -> str:
    parts = [f"# Benchmark\n\n{_computed_by(board.records)}"]
    if board.broken or board.ignored:
        parts.append(
            f"Left aside: {board.broken} lines that could not be read, {board.ignored} records of "
            "another version of the benchmark."
        )
    parts += [made[0].markdown()]
    parts += [f"![{title}]({path})\n\n*{title}*\n" for path, title in pictures]
    parts += [one.markdown() for one in made[1:] if one.name not in FILES_ONLY]
    parts.append("All numbers: `tables/scores.csv`; all pairs: `tables/significance.csv`.\n")
    return "\n".join(parts)


def _computed_by(records: Sequence[Record]) -> str:
    every = {tuple(sorted(one.versions.items())) for one in records}
    words = ["; ".join(f"{name} {number}" for name, number in one) for one in sorted(every)]
    return f"{len(records)} scores, computed by {' and by '.join(words)}.\n"
