"""Records survive the way to a file and back, and whatever stops a run."""

from __future__ import annotations

import json
from dataclasses import replace
from math import isnan, nan
from pathlib import Path

import pytest

from g3dvit_napari.benchmark.records.record import Facts, Record, line_of, of_score, record_of
from g3dvit_napari.benchmark.records.store import Store
from g3dvit_napari.benchmark.records.versions import BENCHMARK, versions
from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.score import Curve, Score

RECORD = Record(
    "cubes", "vit", 3, "test 7", "g3dvit pooling=max", "iou", 0.25, 0.01, 0.5,
    flags=("uninformative",), correct=False, gate=True, seconds=0.5, forwards=2,
    method_settings={"pooling": "max"}, settings={"level": "voxel"},
    curves={"deletion": Curve((0.0, 0.5, 1.0), (1.0, 0.25, nan))}, versions=versions(),
)  # fmt: skip
FACTS = Facts("cubes", "vit", 3, 0.98, 0.9, 32, {"cam": "the head is not linear"}, versions())


def test_a_line_holds_all_of_a_record() -> None:
    line = line_of(replace(RECORD, ceiling=nan))
    assert "\n" not in line
    assert "NaN" not in line
    found = record_of(line)
    assert isinstance(found, Record)
    assert isnan(found.ceiling)
    assert isnan(found.curves["deletion"].values[2])
    assert found.curves["deletion"].values[:2] == (1.0, 0.25)
    same = replace(found, ceiling=0.5, curves=RECORD.curves)
    assert same == RECORD
    assert record_of(line_of(FACTS)) == FACTS


def test_fields_of_later_versions_are_left_alone_and_strangers_refused() -> None:
    document = {**json.loads(line_of(FACTS)), "later": 1}
    assert record_of(json.dumps(document)) == FACTS
    for line in ('{"what":"score"}', "[]", "{", '{"what":"song"}'):
        with pytest.raises(ValueError, match=r"."):
            record_of(line)


def test_a_score_without_ceiling_becomes_nan() -> None:
    fields = of_score(Score(0.5, 0.1, direction="lower", settings={"a": 1}))
    assert isnan(fields["ceiling"])
    assert (fields["value"], fields["direction"], fields["settings"]) == (0.5, "lower", {"a": 1})


def test_what_enters_the_main_table() -> None:
    assert replace(RECORD, correct=True).counts
    assert replace(RECORD, correct=True, gate=None).counts
    assert not replace(RECORD, correct=True, gate=False).counts
    assert not RECORD.counts


def test_versions_name_the_benchmark() -> None:
    assert versions()["benchmark"] == BENCHMARK
    assert {"torch", "numpy", "python", "g3dvit-napari"} <= set(versions())


def test_a_killed_run_loses_its_last_line_only(tmp_path: Path) -> None:
    store = Store(tmp_path / "new" / "records.jsonl")
    assert store.read().records == ()
    other = replace(RECORD, sample="test 8")
    store.append([FACTS, RECORD, other])
    whole = store.path.read_bytes()
    last = line_of(other).encode()
    for cut in (1, len(last) // 2, len(last)):  # the end of the line alone is missing, half, all
        store.path.write_bytes(whole[:-cut])
        found = store.read()
        assert found.records[0] == RECORD
        assert len(found.records) == (2 if cut == 1 else 1)
        assert found.broken == (1 if cut > 1 else 0)
        store.append([other])
        assert store.read().records == (RECORD, other)
        assert store.read().facts == (FACTS,)


def test_a_second_record_of_a_key_replaces_the_first(tmp_path: Path) -> None:
    store = Store(tmp_path / "records.jsonl")
    store.append([RECORD, replace(RECORD, value=0.75)])
    store.append([])
    assert [record.value for record in store.read().records] == [0.75]
    older = replace(RECORD, versions={"benchmark": 0})
    store.append([older])
    assert len(store.read().records) == 2


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(VolumeError, match="could not write"):
        Store(tmp_path / "file" / "records.jsonl").append([RECORD])
