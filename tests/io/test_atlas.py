"""Label images and the names beside them, in the formats that people have."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.io.atlas import read_atlas
from g3dvit_napari.io.tables import save_table

AFFINE = np.array([[-2.0, 0.1, 0, 19], [0.1, 1.5, -0.2, -20], [0, 0.2, 3.0, -11], [0, 0, 0, 1]])


def write_labels(path, dtype=np.int16, shape=(5, 7, 4)) -> np.ndarray:
    labels = (np.arange(np.prod(shape)) % 4).reshape(shape).astype(dtype)
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.Nifti1Image(labels, AFFINE).to_filename(path)
    return labels


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_labels_keep_their_place(tmp_path, dtype) -> None:
    stored = write_labels(tmp_path / "a.nii.gz", dtype)
    atlas = read_atlas(tmp_path / "a.nii.gz")
    assert np.array_equal(atlas.labels.data, stored[::-1])  # the file runs to the left
    corner = atlas.labels.affine @ (4, 0, 0, 1)
    assert np.allclose(corner, AFFINE[:, 3], atol=1e-4)
    assert atlas.name_of(2) == "label-2"
    assert atlas.remarks == ()


TEXTS = {
    "bids": ("a.tsv", "index\tname\tcolor\n1\tLeft <b>x</b>\t#ff0000\n3\tRight\t#00ff00\n"),
    "turned": ("a.csv", "Name,ID\nLeft <b>x</b>,1\n,2\nRight,3.0\nhalf,2.5\n"),
    "bare": ("a.csv", "1,Left <b>x</b>\n3,Right\n"),
    "freesurfer": ("a.txt", "#No. Label\n1  Left <b>x</b>  205 62 78 0\n\n3\tRight 1 2 3 0\n"),
    "itksnap": (
        "a.label",
        '# ITK-SNAP\n 0 0 0 0 0 0 0 "Clear"\n'
        ' 1 9 9 9 1 1 1 "Left <b>x</b>"\n 3 0 0 9 1 1 1 "Right"\n',
    ),
    "fsl": (
        "a.xml",
        "<?xml version='1.0'?><atlas><header><type>Label</type></header><data>"
        "<label index='1' x='9'>Left &lt;b>x&lt;/b></label><label index='3'>Right</label>"
        "</data></atlas>",
    ),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_names_from_the_file_beside(tmp_path, kind) -> None:
    name, text = TEXTS[kind]
    write_labels(tmp_path / "a.nii.gz")
    (tmp_path / name).write_text(text, encoding="utf-8")
    atlas = read_atlas(tmp_path / "a.nii.gz")
    assert [atlas.name_of(n) for n in (1, 2, 3)] == ["Left <b>x</b>", "label-2", "Right"]
    assert atlas.remarks == ()


def test_bids_table_of_fewer_entities_belongs_to_the_image(tmp_path) -> None:
    write_labels(tmp_path / "tpl-A_res-01_atlas-B_desc-9_dseg.nii.gz")
    for stem, name in (
        ("tpl-A_atlas-B_desc-9_dseg", "right"),
        ("tpl-A_atlas-B_dseg", "too general"),
        ("tpl-A_atlas-C_desc-9_dseg", "wrong"),
    ):
        (tmp_path / f"{stem}.tsv").write_text(f"index\tname\n1\t{name}\n", encoding="utf-8")
    atlas = read_atlas(tmp_path / "tpl-A_res-01_atlas-B_desc-9_dseg.nii.gz")
    assert atlas.name_of(1) == "right"


def test_fsl_description_one_folder_above_counts_from_one(tmp_path) -> None:
    write_labels(tmp_path / "HO" / "HO-maxprob-2mm.nii.gz")
    (tmp_path / "other.xml").write_text("<atlas><data><label index='0'>no</label></data></atlas>")
    (tmp_path / "HO.xml").write_text(
        "<atlas><header><type>Probabilistic</type><images><imagefile>/HO/HO-prob-2mm</imagefile>"
        "<summaryimagefile>/HO/HO-maxprob-2mm</summaryimagefile></images></header>"
        "<data><label index='0'>Frontal Pole</label><label index='1'>Insula</label></data></atlas>"
    )
    atlas = read_atlas(tmp_path / "HO" / "HO-maxprob-2mm.nii.gz")
    assert [atlas.name_of(n) for n in (1, 2, 3)] == ["Frontal Pole", "Insula", "label-3"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tsv", b"\x00\xff\xfe nothing"),
        ("a.tsv", b"index\tcolor\n1\t#fff\n"),
        ("a.csv", b""),
        ("a.csv", b'"' + b"x" * 200_000),
        ("a.txt", b"no numbers here\n"),
        ("a.tsv", b"index\tname\n" + b"1\tx\n" * 1_000_001),
    ],
)
def test_a_useless_table_is_told_and_regions_are_numbered(tmp_path, name, content) -> None:
    write_labels(tmp_path / "a.nii.gz")
    (tmp_path / name).write_bytes(content)
    atlas = read_atlas(tmp_path / "a.nii.gz")
    assert atlas.name_of(1) == "label-1"
    assert name in atlas.remarks[0]


def test_a_description_that_unfolds_is_not_read(tmp_path) -> None:
    write_labels(tmp_path / "a.nii.gz")
    (tmp_path / "a.xml").write_text(
        '<!DOCTYPE a [<!ENTITY x "boom">]><atlas><header><type>Label</type></header>'
        "<data><label index='1'>&x;</label></data></atlas>"
    )
    assert read_atlas(tmp_path / "a.nii.gz").name_of(1) == "label-1"


def test_names_are_one_printable_line(tmp_path) -> None:
    write_labels(tmp_path / "a.nii.gz")
    (tmp_path / "a.tsv").write_text('index\tname\n1\t"a\x07b\u202e\x1b[31m"\n2\t' + "y" * 999)
    atlas = read_atlas(tmp_path / "a.nii.gz")
    assert atlas.name_of(1) == "a b [31m"
    assert len(atlas.name_of(2)) == 120


def test_a_series_is_no_label_image(tmp_path) -> None:
    write_labels(tmp_path / "prob.nii", shape=(5, 7, 4, 6))
    with pytest.raises(VolumeError, match="6 images"):
        read_atlas(tmp_path / "prob.nii")


def test_a_table_is_written_whole(tmp_path) -> None:
    path = save_table(tmp_path / "t.tsv", ["id", "mm"], [["1a", 2.5], ["x\ty", None]])
    assert path.read_text("utf-8") == "id\tmm\n1a\t2.5\nx y\tn/a\n"
    assert [p.name for p in tmp_path.iterdir()] == ["t.tsv"]
    with pytest.raises(VolumeError, match="could not write"):
        save_table(tmp_path / "none" / "t.tsv", ["id"], [])
