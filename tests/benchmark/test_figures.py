"""Figures are drawn from records, and show what the records say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from made_records import CELLS, CHANCE, CONTROLS, FRACTIONS, QUALITY, made_facts, made_records
from matplotlib.figure import Figure
from matplotlib.image import imread

from g3dvit_napari.benchmark.figures import style
from g3dvit_napari.benchmark.figures.ceilings import ceiling_figure, columns_with_ceilings
from g3dvit_napari.benchmark.figures.curves import GRID, curve_figure, mean_curves
from g3dvit_napari.benchmark.figures.gallery import draw_all
from g3dvit_napari.benchmark.figures.overview import overview_figure
from g3dvit_napari.benchmark.figures.rank_diagram import rank_diagram
from g3dvit_napari.benchmark.figures.runtimes import named, points_of, runtime_figure
from g3dvit_napari.benchmark.records.store import Found
from g3dvit_napari.benchmark.tables.board import Board
from g3dvit_napari.benchmark.tables.overview import overview
from g3dvit_napari.benchmark.tables.ranks import ranked
from g3dvit_napari.benchmark.tables.report import rankings
from g3dvit_napari.benchmark.tables.scores import Summed, summed
from g3dvit_napari.core.errors import ExportError


@pytest.fixture(scope="module")
def board() -> Board:
    return Board(Found(tuple(made_records()), tuple(made_facts())))


@pytest.fixture(scope="module")
def sums(board: Board) -> Summed:
    return summed(board)


def texts(figure: Figure) -> Iterator[str]:
    for one in figure.findobj(match=lambda a: hasattr(a, "get_text")):
        yield one.get_text()


def test_the_diagram_names_all_in_the_order_of_their_ranks(board: Board) -> None:
    one = ranked(board, "deletion")
    with rank_diagram(one, board.controls) as figure:
        written = list(texts(figure))
        places = {text: i for i, text in enumerate(written)}
        order = [row for row, _ in sorted(one.mean_ranks.items(), key=lambda item: item[1])]
        names = [next(t for t in written if style.words(row) in t) for row in order]
        assert [places[name] for name in names] == sorted(places[name] for name in names)
        assert any("critical difference 1.19" in text for text in written)
        figure.draw_without_rendering()
        wide = figure.bbox.width
        for text in figure.axes[0].texts:
            box = text.get_window_extent()
            assert box.x0 >= 0
            assert box.x1 <= wide


def test_the_overview_shows_every_share_in_the_order_of_their_means(
    board: Board, sums: Summed
) -> None:
    one = overview(sums, board, "relevance_mass")
    assert one is not None
    with overview_figure(one, board) as figure:
        (axes,) = figure.axes
        names = [label.get_text() for label in axes.get_yticklabels()]
        rows = [row for row in one.rows if row != "oracle"]
        assert names == [style.words(row) for row in rows]
        assert list(one.means.values()) == sorted(one.means.values(), reverse=True)
        numbers = [text.get_text() for text in axes.texts]
        per_row = [
            [one.means[row], *(one.rows[row][cell].ceiling_ratio.mean for cell in one.cells)]
            for row in rows
        ]
        assert numbers == [f"{100 * share:.0f}" for shares in per_row for share in shares]
    assert overview(sums, board, "no such metric") is None


def test_mean_curves_are_means_of_networks(board: Board) -> None:
    records = board.of("boxes", "deletion")
    found = mean_curves(records)
    assert set(found) == {*QUALITY, *CONTROLS}
    plain = [
        np.mean(
            [
                np.interp(GRID, FRACTIONS, r.curves["deletion"].values)
                for r in records
                if r.method == "legrad" and r.seed == seed
            ],
            axis=0,
        )
        for seed in (0, 1)
    ]
    assert found["legrad"] == pytest.approx(np.mean(plain, axis=0))
    assert found["oracle"][50] < found["legrad"][50] < found["random"][50]


def test_curves_are_shown_beside_random_and_oracle(board: Board) -> None:
    with curve_figure(board, "balls", ["deletion", "insertion"]) as figure:
        written = set(texts(figure))
        assert {"oracle", "random", "g3dvit", "legrad", "hires cam"} <= written
        assert len(figure.axes) == 2


def test_dots_stand_at_the_share_of_the_ceiling(board: Board, sums: Summed) -> None:
    columns = columns_with_ceilings(sums, "boxes")
    assert columns == ["relevance_mass"]
    with ceiling_figure(board, sums, "boxes", columns) as figure:
        axes = figure.axes[0]
        labels = [label.get_text() for label in axes.get_yticklabels()]
        assert labels[0] == "random"
        assert labels[-1] in ("legrad", "hires cam")
        dots = [line for line in axes.lines if line.get_marker() == "o"]
        shown = {labels[round(line.get_ydata()[0])]: line.get_xdata()[0] for line in dots}
        found = {one.row: one for one in sums["boxes", "vit", "relevance_mass"][1]}
        assert shown["g3dvit"] == pytest.approx(found["g3dvit"].ceiling_ratio.mean)
        lines = [line.get_xdata()[0] for line in axes.lines if len(set(line.get_xdata())) == 1]
        assert any(x == pytest.approx(CHANCE / 0.8) for x in lines)


def test_runtime_points_and_who_is_named(board: Board, sums: Summed) -> None:
    points = points_of(board, sums, "boxes", "relevance_mass")
    assert {row for row, _, _ in points} == set(QUALITY)
    assert {row: seconds for row, seconds, _ in points}["legrad"] == pytest.approx(0.07)
    many = [(f"m{i}", 1.0 + i, i / 30) for i in range(30)] + [("g3dvit", 50.0, -1.0)]
    names = {row for row, _, _ in named(many)}
    assert {"g3dvit", "m29", "m22", "m0", "m1"} <= names  # each of m0 … is the quickest so far
    with runtime_figure(board, sums, "boxes", "relevance_mass") as figure:
        assert {"ceiling", "chance", "g3dvit"} <= set(texts(figure))


def test_all_figures_are_files(board: Board, sums: Summed, tmp_path: Path) -> None:
    found = draw_all(board, sums, rankings(board), tmp_path)
    names = [name for name, _ in found]
    assert sum("critical_difference" in name for name in names) == 3
    for cell in CELLS:
        for kind in ("ceilings", "runtime", "curves"):
            assert sum(name.startswith(f"figures/{kind}_{cell}") for name in names) == 1
    for name in names:
        picture = imread(tmp_path / name)
        assert picture.std() > 0.02
        assert min(picture.shape[:2]) > 200


def test_without_matplotlib_the_reader_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(ExportError, match=r"g3dvit-napari\[benchmark\]"), style.drawing(1, 1):
        pass
