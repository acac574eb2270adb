"""Which volumes a folder, a BIDS dataset and a table list, and what is said where none are."""

from __future__ import annotations

from pathlib import Path

import pytest

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.io.subjects import find_subjects


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def keys(place: Path, kind=None) -> list[str]:
    return [subject.key for subject in find_subjects(place, kind).subjects]


def test_a_folder_lists_its_volumes_as_people_count(tmp_path) -> None:
    touch(tmp_path, "s10.nii", "s2.nii.gz", "S1.MGZ", "x.txt", "._s3.nii", "deep/s4.nii")
    touch(tmp_path, "s2_desc-g3dvitAD_statmap.nii.gz", "s2_desc-fov_mask.nii.gz")
    found = find_subjects(tmp_path)
    assert [s.key for s in found.subjects] == ["S1.MGZ", "s2.nii.gz", "s10.nii"]
    assert [s.name for s in found.subjects] == ["S1", "s2", "s10"]
    assert found.ratings == tmp_path / "g3dvit_ratings.tsv"


def test_bids_takes_images_and_leaves_derivatives(tmp_path) -> None:
    touch(
        tmp_path,
        "dataset_description.json",
        "sub-02/anat/sub-02_T1w.nii.gz",
        "sub-02/anat/sub-02_desc-brain_mask.nii.gz",
        "sub-10/ses-b/anat/sub-10_ses-b_T1w.nii",
        "sub-10/ses-b/func/sub-10_ses-b_task-rest_bold.nii.gz",
        "sub-10/ses-b/func/sub-10_ses-b_task-rest_events.tsv",
        "sub-10/ses-b/dwi/sub-10_ses-b_dwi.nii.gz",
        "derivatives/other/sub-02/anat/sub-02_T1w.nii.gz",
        "sourcedata/sub-02/anat/sub-02_T1w.nii.gz",
    )
    found = find_subjects(tmp_path)
    assert found.kind == "bids"
    assert [(s.key.rsplit("/")[-1], s.participant, s.session, s.name) for s in found.subjects] == [
        ("sub-02_T1w.nii.gz", "sub-02", "", "sub-02"),
        ("sub-10_ses-b_T1w.nii", "sub-10", "ses-b", "sub-10 ses-b T1w"),
        ("sub-10_ses-b_task-rest_bold.nii.gz", "sub-10", "ses-b", "sub-10 ses-b task-rest_bold"),
    ]
    assert found.ratings == tmp_path / "derivatives" / "g3dvit-qa" / "ratings.tsv"


def test_a_dataset_opened_as_a_folder_is_one(tmp_path) -> None:
    touch(tmp_path, "dataset_description.json", "a.nii", "sub-1/anat/sub-1_T1w.nii")
    assert keys(tmp_path, "folder") == ["a.nii"]
    assert keys(tmp_path) == ["sub-1/anat/sub-1_T1w.nii"]


def test_a_table_counts_paths_from_its_own_folder(tmp_path) -> None:
    touch(tmp_path, "data/a.nii", "b.nii.gz")
    table = tmp_path / "lists" / "study.tsv"
    table.parent.mkdir()
    table.write_text(
        "\ufeffParticipant_id\tFile\tlabel\tage\n"
        "p1\t../data/a.nii\tAD\t70\n"
        f"n/a\t{tmp_path / 'b.nii.gz'}\tn/a\n"
        "p1\t../data/a.nii\tCN\t71\n"
        "\n"
        "p9\tn/a\tAD\t1\n"
        "p3\tgone.nii\tCN\t72\n",
        encoding="utf-8",
    )
    found = find_subjects(table)
    told = [(s.participant, s.key, s.label) for s in found.subjects]
    assert told == [
        ("p1", "../data/a.nii", "AD"),
        ("b", "../b.nii.gz", ""),
        ("p3", "gone.nii", "CN"),
    ]
    assert found.remark == "1 of the files named are not there: gone.nii"
    assert found.ratings == table.with_name("study_ratings.tsv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name\tlabel\na\tb\n", "no column 'path' or 'file', but name, label"),
        ("path,label\na.nii,b\n", "separate columns by tabs"),
        ("path\n", "names no file"),
        ("", "no column 'path' or 'file', but none"),
        ("path\na.nii\nb.nii\nc.nii\nd.nii\n", "a.nii, b.nii, c.nii and 1 more"),
    ],
)
def test_a_table_that_lists_nothing_says_why(tmp_path, text, words) -> None:
    table = tmp_path / "t.tsv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(VolumeError, match=words):
        find_subjects(table)


def test_other_places_without_volumes_say_what_to_open(tmp_path) -> None:
    with pytest.raises(VolumeError, match="folders in it are not searched"):
        find_subjects(tmp_path)
    with pytest.raises(VolumeError, match=r"no dataset_description\.json"):
        find_subjects(tmp_path, "bids")
    touch(tmp_path, "dataset_description.json", "derivatives/x/sub-1/anat/sub-1_T1w.nii")
    with pytest.raises(VolumeError, match="derivatives are datasets of their own"):
        find_subjects(tmp_path)
    with pytest.raises(VolumeError, match="there is no 'none'"):
        find_subjects(tmp_path / "none")
    (tmp_path / "latin.tsv").write_bytes(b"path\n\xe4.nii\n")
    with pytest.raises(VolumeError, match="UTF-8"):
        find_subjects(tmp_path / "latin.tsv")
