"""Fill the tables of docs/believe.md from three finished runs of the benchmark.

`python docs/make_believe.py METHODS CLAIMS SANITY`: the folders of `g3dvit benchmark run` that the
page names, after `g3dvit benchmark table`. Copies the tables and figures that the page
shows or links into docs/believe/.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from g3dvit_napari.benchmark.records.store import Store
from g3dvit_napari.benchmark.running.plan import records_path
from g3dvit_napari.benchmark.tables.board import Board, title_of
from g3dvit_napari.benchmark.tables.overview import overview
from g3dvit_napari.benchmark.tables.report import boards
from g3dvit_napari.benchmark.tables.scores import Summed, summed, told
from g3dvit_napari.benchmark.tables.summary import Summary, by_row
from g3dvit_napari.benchmark.tables.table import Table, figure

FOLDER = Path(__file__).parent
PAGE, KEPT = FOLDER / "believe.md", FOLDER / "believe"
COPIED = (
    "tables/overview_*.csv", "tables/networks.csv", "tables/ranks.csv", "tables/friedman.csv",
    "tables/verdicts.csv", "tables/agreement.csv", "figures/overview_iou.png",
    "figures/critical_difference_iou.png",
)  # fmt: skip
POOLINGS = ("g3dvit", "g3dvit pooling=max", "g3dvit pooling=abs_mean", "g3dvit pooling=relu_mean")
RIVALS = ("g3dvit", "grad_cam", "gradient_rollout", "attention_rollout", "libra_grad")
CUT = ("libra_grad", "attention_rollout", "grad_cam_element_wise", "g3dvit", "grad_cam")
BOUNDS = ("oracle", "random")
Told = Callable[[Summary], str]


def main(methods: Path, claims: Path, sanity: Path) -> None:
    """Fill the page, and keep what it links."""
    KEPT.mkdir(exist_ok=True)
    for pattern in COPIED:
        for path in methods.glob(pattern):
            shutil.copy(path, KEPT / path.name)
    folders = (methods, claims, sanity)
    board, of_claims, of_sanity = (boards(Store(records_path(one)))[0] for one in folders)
    text = PAGE.read_text("utf-8")
    for name, table in {**made(board, of_claims), "sanity": checks(of_sanity)}.items():
        text = filled(text, name, table)
    PAGE.write_text(text, "utf-8")


def made(board: Board, claims: Board) -> dict[str, str]:
    """Return all tables of the page by their names."""
    sums, few = summed(board), summed(claims)
    tasks = board.cells()
    sizes = ("cubes-noise0", "cubes-patch6", "cubes-patch8")
    noises = ("cubes-noise0", "cubes-noise0.25", "cubes-b")
    pair = ("deletion substrate=twin", "insertion substrate=twin")
    return {
        "networks": networks(board),
        "pooling": by_task(sums, tasks, "iou", POOLINGS, share),
        "wins": wins(board),
        "patches": by_task(few, sizes, "iou", (*CUT, *BOUNDS), told),
        "noise": by_task(few, noises, "iou", (*CUT, *BOUNDS), told),
        "noise networks": networks(claims),
        **{
            column.split()[0]: by_task(sums, tasks, column, (*RIVALS, *BOUNDS), score)
            for column in pair
        },
        "cuts": cuts(sums, "cubes-content"),
    }


def share(one: Summary) -> str:
    """Return the share of the ceiling with its interval."""
    ratio = one.ceiling_ratio
    return f"{100 * ratio.mean:.0f} % ({100 * ratio.low:.0f} to {100 * ratio.high:.0f})"


def score(one: Summary) -> str:
    """Return the score with its interval."""
    return f"{figure(one.value.mean)} ({figure(one.value.low)} to {figure(one.value.high)})"


def by_task(
    sums: Summed, cells: Sequence[str], column: str, rows: Sequence[str], tell: Told
) -> str:
    """Return rows by tasks."""
    found = by_row({cell: sums[cell, "vit", column][1] for cell in cells})
    body = [[row, *(tell(found[row][cell]) for cell in cells)] for row in rows]
    return plain(Table("", "", [title_of(column), *cells], body))


def networks(board: Board) -> str:
    """Return a line per task: how many networks, how good, how many volumes count."""
    lines = []
    for cell in board.cells():
        facts = [one for one in board.facts if (one.cell, one.family) == (cell, "vit")]
        right = [one.accuracy for one in facts]
        used = [one.gate_share for one in facts]
        group = board.group(cell, "iou")
        assert group is not None
        place = group.rows.index("oracle")  # which volumes without a target have no value of
        volumes = sum(int(np.isfinite(values[:, place]).sum()) for values in group.values)
        lines.append([cell, len(facts), span(right), span(used), volumes])
    head = ("task", "networks", "accuracy", "truth used", "volumes with a target that count")
    return plain(Table("", "", head, lines))


def span(values: Sequence[float]) -> str:
    """Return the smallest and the largest value."""
    low, high = min(values), max(values)
    return f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"


def wins(board: Board) -> str:
    """Return in how many networks each pooling has the highest mean IoU."""
    lines = []
    for cell in board.cells():
        group = board.group(cell, "iou")
        assert group is not None
        places = [group.rows.index(row) for row in POOLINGS]
        best = [int(np.nanmean(v[:, places], axis=0).argmax()) for v in group.values]
        lines.append([cell, *(best.count(place) for place in range(len(places)))])
    return plain(Table("", "", ("networks in which it is best", *POOLINGS), lines))


def cuts(sums: Summed, cell: str) -> str:
    """Return what cuts at Otsu's threshold say of maps of every quality."""
    columns = ("iou", "f1", "pixel_accuracy", "auroc", "average_precision")
    found = by_row({column: sums[cell, "vit", column][1] for column in columns})
    rows = (*CUT, "constant", *BOUNDS)
    body = [[row, *(figure(found[row][c].value.mean) for c in columns)] for row in rows]
    return plain(Table("", "", [cell, *map(title_of, columns)], body))


def checks(board: Board) -> str:
    """Return what randomising the network and asking for another class do to maps of all tasks."""
    columns = ("class_sensitivity", "model_randomisation")
    sums = summed(board)
    found = [overview(sums, board, column) for column in columns]
    asked, drawn = (one for one in found if one is not None)
    body = []
    for row in sorted(set(asked.rows) & set(drawn.rows), key=lambda row: (asked.means[row], row)):
        level = np.mean([drawn.rows[row][cell].chance for cell in drawn.cells])
        body.append([row, *map(figure, (asked.means[row], drawn.means[row], float(level)))])
    head = ("method", "another class", "random weights", "unrelated maps stay below")
    return plain(Table("", "", head, body))


def plain(table: Table) -> str:
    """Return a table without title and notes."""
    return table.markdown().split("\n\n", 1)[1].strip()


def filled(text: str, name: str, table: str) -> str:
    """Return the page with one of its tables in place."""
    start, end = f"<!-- {name} -->", "<!-- end -->"
    pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    if not pattern.search(text):
        raise SystemExit(f"the page has no place for the table {name!r}: {start} … {end}")
    return pattern.sub(lambda _: f"{start}\n{table}\n{end}", text)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    main(*map(Path, sys.argv[1:]))
