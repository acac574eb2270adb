"""Ratings on disk: merged with what others wrote meanwhile, safe against notes, never half."""

from __future__ import annotations

import csv
import json

import pytest

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.io.ratings import (
    COLUMNS,
    describe_derivative,
    merge_ratings,
    now,
    read_ratings,
)

EARLY, LATE, LATEST = (f"2026-01-0{day}T10:00:00.000+00:00" for day in (1, 2, 3))


def row(path: str, date: str, rating: str = "pass", **more: str) -> dict[str, str]:
    return {"path": path, "rating": rating, "date": date, **more}


def test_what_is_written_is_found_again(tmp_path) -> None:
    file = tmp_path / "new" / "r.tsv"
    assert read_ratings(file) == {}
    merge_ratings(file, {"a.nii": row("a.nii", EARLY, note="a\tb\nc\r\n\x00d  é", p="0.9")})
    found = read_ratings(file)["a.nii"]
    assert found["note"] == "a b c d  é"
    assert found["session"] == ""
    with file.open(encoding="utf-8", newline="") as opened:
        lines = list(csv.reader(opened, delimiter="\t"))
    assert tuple(lines[0]) == COLUMNS
    assert len(lines) == 2
    assert lines[1][COLUMNS.index("session")] == "n/a"  # as BIDS has it
    assert [path.name for path in file.parent.iterdir()] == ["r.tsv"]  # nothing half-written


def test_the_newer_of_two_versions_stays(tmp_path) -> None:
    file = tmp_path / "r.tsv"
    others = {"a": row("a", LATE, "fail"), "b": row("b", EARLY, "fail"), "c": row("c", "", "fail")}
    merge_ratings(file, others)
    mine = {key: row(key, date) for key, date in [("a", EARLY), ("b", LATE), ("c", EARLY)]}
    found = merge_ratings(file, mine)
    assert {key: found[key]["rating"] for key in "abc"} == {"a": "fail", "b": "pass", "c": "pass"}
    assert read_ratings(file) == found


def test_times_are_compared_across_zones(tmp_path) -> None:
    file = tmp_path / "r.tsv"
    merge_ratings(file, {"a": row("a", "2026-01-02T23:30:00-05:00", "fail")})
    found = merge_ratings(file, {"a": row("a", LATEST.replace("T10", "T01"))})
    assert found["a"]["rating"] == "fail"  # 04:30 UTC


def test_columns_and_rows_of_others_stay(tmp_path) -> None:
    file = tmp_path / "r.tsv"
    file.write_text(
        'scanner\tpath\trating\tdate\nTrio\ta\tfail\t\n"x\tb\tpass\t' + LATE + "\n",
        encoding="utf-8",
    )
    merge_ratings(file, {"a": row("a", EARLY)})
    lines = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    assert lines[0][:4] == ["scanner", "path", "rating", "date"]
    assert set(COLUMNS) <= set(lines[0])
    assert lines[1][:3] == ["Trio", "a", "pass"]
    assert lines[2][:4] == ['"x', "b", "pass", LATE]


def test_of_two_rows_of_a_path_the_newest_counts(tmp_path) -> None:
    file = tmp_path / "r.tsv"
    file.write_text(f"path\trating\tdate\na\tfail\t{LATE}\na\tpass\t{EARLY}\n", encoding="utf-8")
    assert read_ratings(file)["a"]["rating"] == "fail"
    merge_ratings(file, {"a": row("a", LATEST, "unsure")})
    assert [line.split("\t")[1] for line in file.read_text().splitlines()[1:]] == [
        "unsure",
        "pass",
    ]


def test_a_file_that_is_no_rating_is_left_alone(tmp_path) -> None:
    file = tmp_path / "participants.tsv"
    file.write_text("participant_id\tage\nsub-1\t70\n", encoding="utf-8")
    with pytest.raises(VolumeError, match="no file of ratings: it has the columns participant_id"):
        merge_ratings(file, {"a": row("a", EARLY)})
    assert file.read_text(encoding="utf-8") == "participant_id\tage\nsub-1\t70\n"


def test_a_place_that_cannot_be_written_is_said(tmp_path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(VolumeError, match=r"save the ratings elsewhere|cannot be read"):
        merge_ratings(tmp_path / "file" / "r.tsv", {"a": row("a", EARLY)})


def test_ratings_of_a_dataset_are_a_described_derivative(tmp_path) -> None:
    describe_derivative(tmp_path)
    facts = json.loads((tmp_path / "dataset_description.json").read_text())
    assert facts["DatasetType"] == "derivative"
    assert facts["GeneratedBy"][0]["Name"] == "g3dvit-napari"
    (tmp_path / "dataset_description.json").write_text("{}")
    describe_derivative(tmp_path)
    assert (tmp_path / "dataset_description.json").read_text() == "{}"


def test_a_rating_is_later_than_the_one_it_changes() -> None:
    ahead = "2126-01-01T00:00:00+02:00"  # the clock of another machine
    assert now(after=ahead) == "2125-12-31T22:00:00.001+00:00"
    assert LATEST < now(after="no date") < ahead


def test_now_is_later_than_before() -> None:
    assert now() > LATEST
    assert now().endswith("+00:00")
