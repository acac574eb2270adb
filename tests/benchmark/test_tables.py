"""Tables say of made-up records what is known of them, and leave out what must not count."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from math import isnan, nan
from pathlib import Path

import numpy as np
import pytest
from made_records import CEILING, CELLS, CHANCE, CONTROLS, QUALITY, made_facts, made_records

from g3dvit_napari.benchmark.records.record import Record
from g3dvit_napari.benchmark.records.store import Found, Store
from g3dvit_napari.benchmark.tables.board import Board, title_of
from g3dvit_napari.benchmark.tables.networks import network_table, silent_table
from g3dvit_napari.benchmark.tables.overview import overview_tables
from g3dvit_napari.benchmark.tables.ranks import friedman_table, rank_table, ranked
from g3dvit_napari.benchmark.tables.report import rankings, tables, write_report
from g3dvit_napari.benchmark.tables.scores import Summed, main_tables, summed
from g3dvit_napari.benchmark.tables.significance import differences_of, verdict_table
from g3dvit_napari.benchmark.tables.summary import summaries
from g3dvit_napari.benchmark.tables.table import Table, figure, p_value
from g3dvit_napari.core.errors import VolumeError

RECORDS = made_records()
FOUND = Found(tuple(RECORDS), tuple(made_facts()))


def board_of(records: list[Record], counted: bool = True) -> Board:
    return Board(Found(tuple(records), tuple(made_facts())), counted)


@pytest.fixture(scope="module")
def board() -> Board:
    return Board(FOUND)


def test_means_are_those_of_a_plain_loop(board: Board) -> None:
    group = board.group("boxes", "relevance_mass")
    assert group is not None
    for one in summaries(group, draws=200):
        by_seed = [
            np.mean(
                [
                    r.value
                    for r in RECORDS
                    if (r.cell, r.seed, r.method, r.metric)
                    == ("boxes", seed, one.row, "relevance_mass")
                    and r.sample not in ("test 2", "test 3")
                ]
            )
            for seed in (0, 1)
        ]
        assert one.value.mean == pytest.approx(np.mean(by_seed))
        assert one.value.low <= one.value.mean <= one.value.high
        assert one.ceiling_ratio.mean == pytest.approx(one.value.mean / CEILING)
        assert (one.chance, one.ceiling) == (pytest.approx(CHANCE), pytest.approx(CEILING))
        assert (one.volumes, one.networks) == (20, 2)


def test_wrong_and_invalid_volumes_are_in_the_other_table_alone() -> None:
    main, others = board_of(RECORDS), board_of(RECORDS, counted=False)
    samples = {name for s in main.group("boxes", "deletion").samples for name in s}
    left = {name for s in others.group("boxes", "deletion").samples for name in s}
    assert left == {"test 2", "test 3"}
    assert not samples & left
    row = network_table(main).rows[0]
    assert row[3:9] == [0.97, "0.90", 12, 1, 1, 10]


def test_samples_stand_in_the_order_of_their_numbers(board: Board) -> None:
    names = board.group("boxes", "deletion").samples[0]
    assert names[:3] == ("test 0", "test 1", "test 4")
    assert names[-1] == "test 11"


def test_the_array_order_of_records_changes_nothing() -> None:
    turned = board_of(RECORDS[::-1])
    one, other = (summaries(b.group("balls", "deletion"), 100) for b in (board_of(RECORDS), turned))
    assert repr(one) == repr(other)


def test_a_map_without_a_score_counts_at_chance() -> None:
    """It must not gain by being left out; a volume that nobody can be judged on is left out."""

    def spoiled(one: Record) -> Record:
        if one.metric != "relevance_mass":
            return one
        if one.sample == "test 5":
            return replace(one, value=nan, chance=nan, reason="the mask is empty")
        if one.method == "legrad":
            return replace(one, value=nan, reason="no relevance is positive")
        if one.method == "saliency":
            return replace(one, value=CHANCE, flags=("degenerate",))
        return one

    group = board_of([spoiled(one) for one in RECORDS]).group("boxes", "relevance_mass")
    found = {one.row: one for one in summaries(group, draws=100)}
    assert found["legrad"].value.mean == pytest.approx(CHANCE)
    assert found["legrad"].undefined == 18
    assert found["legrad"].volumes == 18
    assert found["saliency"].degenerate == 18
    assert found["hires_cam"].degenerate == found["hires_cam"].undefined == 0
    table = next(
        t
        for t in main_tables(summed(board_of([spoiled(r) for r in RECORDS])), board_of(RECORDS))
        if "boxes: localisation" in t.title
    )
    line = next(row for row in table.rows if row[0] == "legrad")
    assert "°" in str(line[1])
    assert any("count at chance" in note for note in table.notes)


def test_what_cannot_tell_maps_apart_is_left_out_and_said() -> None:
    def kept_its_answer(one: Record) -> Record:
        there = one.metric == "deletion" and one.sample == "test 5"
        return replace(one, value=0.9, flags=("uninformative",)) if there else one

    board = board_of([kept_its_answer(one) for one in RECORDS])
    group = board.group("boxes", "deletion")
    assert group is not None
    assert "test 5" not in group.samples[0]
    tables = main_tables(summed(board), board)
    table = next(one for one in tables if one.title == "boxes: faithfulness")
    assert any("everything removed: Deletion (10 %)" in note for note in table.notes)


def test_one_metric_over_all_tasks(board: Board) -> None:
    sums = summed(board)
    mass, fall = (
        next(one for one in overview_tables(replaced(sums), board) if title in one.title)
        for title in ("Relevance mass", "Deletion")
    )
    for table, higher in ((mass, True), (fall, False)):
        assert table.columns[2:] == tuple(sorted(CELLS))
        means = [float(str(row[1]).strip(" %")) for row in table.rows]
        assert means == sorted(means, reverse=higher)
    of_tasks = [
        one.ceiling_ratio.mean
        for cell in CELLS
        for one in sums[cell, "vit", "relevance_mass"][1]
        if one.row == "legrad"
    ]
    (row,) = (row for row in mass.rows if row[0] == "legrad")
    assert row[1] == f"{100 * np.mean(of_tasks):.0f} %"
    assert not overview_tables(sums, board_of([r for r in RECORDS if r.cell == "boxes"]))


def replaced(sums: Summed) -> Summed:
    """Return sums whose deletion is that towards twins, which the table is made of."""
    names = {"deletion": "deletion substrate=twin"}
    return {(c, f, names.get(column, column)): one for (c, f, column), one in sums.items()}


def test_a_metric_without_any_value_has_no_column() -> None:
    def lost(one: Record) -> Record:
        gone = one.metric == "deletion" and one.cell == "boxes"
        return replace(one, value=nan, chance=nan, reason="no baseline") if gone else one

    board = board_of([lost(one) for one in RECORDS])
    heads = {one.title: one.columns for one in main_tables(summed(board), board)}
    full = {one.title: one.columns for one in main_tables(summed(board_of(RECORDS)), board)}
    assert set(full["boxes: faithfulness"]) - set(heads["boxes: faithfulness"]) == {
        "Deletion \u2193"
    }
    assert all(heads[title] == full[title] for title in full if title != "boxes: faithfulness")


def test_ranks_tell_what_was_made_up(board: Board) -> None:
    one = ranked(board, "deletion")
    assert one.mean_ranks["oracle"] == 1
    assert one.mean_ranks["random"] == 6
    assert one.mean_ranks["saliency"] < one.mean_ranks["g3dvit"]
    assert one.test.p_chi_squared < 1e-6
    assert one.unit == "volumes"  # two tasks of two networks are too few
    table = rank_table(rankings(board))
    order = [row[0] for row in table.rows]
    assert (order[0], order[-2:]) == ("oracle", ["g3dvit", "random"])
    assert any("not of other trainings" in note for note in friedman_table([one]).notes)


def test_enough_networks_are_the_blocks() -> None:
    one = ranked(board_of(made_records(seeds=3, volumes=5)), "insertion")
    assert (one.unit, one.blocks.shape) == ("networks", (6, 6))
    pair = differences_of(board_of(made_records(seeds=3, volumes=5)), one)[0]
    assert (pair.unit, pair.test.pairs) == ("networks", 6)


def test_what_only_describes_or_agrees_is_never_ranked(board: Board) -> None:
    assert set(board.ranked()) == {"relevance_mass", "deletion", "insertion"}
    assert not any(name.startswith("agreement") for name in board.columns())
    assert board.columns(agreement=True) == [
        "agreement resnet layer_cam dice",
        "agreement resnet layer_cam spearman",
    ]


def test_rows_on_few_volumes_are_not_ranked_with_the_others() -> None:
    few = {"test 0", "test 1"}
    records = [r for r in RECORDS if r.method != "legrad" or r.sample in few]
    one = ranked(board_of(records), "insertion")
    assert one.left_out == ("legrad",)
    assert "legrad" not in one.rows
    table = main_tables(summed(board_of(records)), board_of(records))[0]
    assert any("legrad (4)" in note for note in table.notes)


def test_pairs_that_differ_are_told_and_equals_are_not(board: Board) -> None:
    one = ranked(board, "relevance_mass")
    pairs = {frozenset((p.first, p.second)): p for p in differences_of(board, one)}
    assert len(pairs) == 15
    equal, clear = pairs[frozenset(("hires_cam", "legrad"))], pairs[frozenset(("g3dvit", "legrad"))]
    assert equal.adjusted > 0.05
    assert equal.mean.low < 0 < equal.mean.high
    assert clear.adjusted < 0.001
    assert abs(clear.test.rank_biserial) == 1
    assert clear.mean.high < 0 or clear.mean.low > 0
    assert all(p.adjusted >= p.test.p for p in pairs.values())
    verdict = verdict_table({one.column: list(pairs.values())}, [one], board.controls).rows[0]
    assert {verdict[1], verdict[2]} == {"hires_cam", "legrad"}
    assert verdict[3] == "–"  # all are better than random


def test_a_method_that_is_noise_is_said_to_be() -> None:
    noise = {r.key: r.value for r in RECORDS if r.method == "random"}
    records = [
        replace(r, value=noise[replace(r, method="random").key])
        if (r.method, r.metric) == ("g3dvit", "relevance_mass")
        else r
        for r in RECORDS
    ]
    board = board_of(records)
    one = ranked(board, "relevance_mass")
    pairs = differences_of(board, one)
    assert verdict_table({one.column: pairs}, [one], board.controls).rows[0][3] == "g3dvit"


def test_too_few_volumes_are_said() -> None:
    board = board_of(made_records(seeds=1, volumes=4))
    one = ranked(board, "relevance_mass")
    table = verdict_table({one.column: differences_of(board, one)}, [one], board.controls)
    assert len(one.blocks) == 4
    assert any("no difference, however clear" in note for note in table.notes)
    enough = ranked(board_of(RECORDS), "relevance_mass")
    found = {enough.column: differences_of(board_of(RECORDS), enough)}
    notes = verdict_table(found, [enough], board.controls).notes
    assert not any("however clear" in note for note in notes)


def test_hits_are_compared_by_mcnemar() -> None:
    records = [
        replace(r, metric="token_hit", value=float(QUALITY.get(r.method, 1.0) > 0.25))
        for r in RECORDS
        if r.metric == "relevance_mass" and r.method not in CONTROLS
    ]
    board = board_of(records)
    one = ranked(board, "token_hit")
    pairs = {(p.first, p.second): p for p in differences_of(board, one)}
    found = next(p for key, p in pairs.items() if set(key) == {"g3dvit", "legrad"})
    assert found.mcnemar == pytest.approx(2 * 0.5**20)
    assert isnan(next(p for k, p in pairs.items() if set(k) == {"hires_cam", "legrad"}).adjusted)


def test_silent_and_failed_methods_are_counted() -> None:
    failed = replace(RECORDS[0], method="cam", value=nan, chance=nan, reason="no map: too large")
    dull = replace(RECORDS[0], method="legrad", flags=("degenerate",))
    rows = silent_table(board_of([*RECORDS, failed, dull])).rows
    assert ["cam", 1, 0, 1, "no map: too large"] in rows
    assert [row[0] for row in rows if row[2] == 1] == ["legrad"]


def test_other_versions_are_left_aside() -> None:
    older = [replace(RECORDS[0], versions={"benchmark": 0})]
    board = board_of([*RECORDS, *older])
    assert board.ignored == 1
    assert len(board.records) == len(RECORDS)


def test_titles_come_from_the_metrics() -> None:
    assert title_of("relevance_mass") == "Relevance mass"
    assert title_of("relevance_mass level=patch") == "Relevance mass, level=patch"
    assert title_of("no_such_metric") == "no such metric"


def test_numbers_as_they_are_printed() -> None:
    assert [figure(v) for v in (0.5, 0.0999999, 0.012, 4e-5, 0.0, nan, None)] == [
        "0.50", "0.10", "0.012", "0.00", "0.00", "–", "–",
    ]  # fmt: skip
    assert [p_value(p) for p in (0.2, 1e-9, nan)] == ["0.200", "< 0.001", "–"]


def test_a_table_is_markdown_and_csv() -> None:
    table = Table("t", "Title", ("name", "value"), [["a|b", 0.5], ["c", nan]], ["Why."], shown=1)
    text = table.markdown()
    assert "| a/b | 0.500 |" in text
    assert "| :-- | --: |" in text
    assert "1 of 2 rows" in text
    assert text.endswith("Why.\n")
    assert list(csv.reader(io.StringIO(table.csv()))) == [
        ["name", "value"],
        ["a|b", "0.5"],
        ["c", ""],
    ]


def test_the_report_is_rebuilt_from_records_alone(tmp_path: Path) -> None:
    store = Store(tmp_path / "records.jsonl")
    with pytest.raises(VolumeError, match="benchmark run"):
        write_report(store, tmp_path)
    store.append([*made_facts(), *made_records(volumes=6)])

    def draw(*_: object) -> list[tuple[str, str]]:
        (tmp_path / "a.png").write_bytes(b"picture")
        return [("a.png", "A figure")]

    files = write_report(store, tmp_path, draw)
    again = {file: file.read_bytes() for file in files}
    assert write_report(store, tmp_path, draw) == files
    assert {file: file.read_bytes() for file in files} == again
    page = (tmp_path / "report.md").read_text("utf-8")
    for words in ("accuracy 0.97, truth used 0.90", "![A figure](a.png)", "other volumes"):
        assert words in page
    with (tmp_path / "tables" / "scores.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {line["task"] for line in lines} == set(CELLS)
    assert {line["method"] for line in lines} == {*QUALITY, *CONTROLS}


def test_networks_stand_with_every_table(board: Board) -> None:
    made = tables(board, Board(FOUND, counted=False), rankings(board)[:1], summed(board))
    for table in made:
        assert table.name == "networks" or any("accuracy 0.97" in note for note in table.notes)
    boxes = next(t for t in made if t.title == "boxes: localisation")
    assert not any("balls" in note for note in boxes.notes)
