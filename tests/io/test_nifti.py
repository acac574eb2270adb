"""What is read is what nibabel reads; what is written is what was read, bit for bit."""

from __future__ import annotations

import hashlib
import itertools
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from nibabel.orientations import aff2axcodes, axcodes2ornt, inv_ornt_aff, io_orientation
from nifti_files import OBLIQUE, SHAPE, MakeNifti, random_data

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.types import Volume
from g3dvit_napari.io.nifti import read_volume, write_volume

NIBABEL_DATA = Path(nib.__file__).parent / "tests" / "data"
ORIENTATIONS = [
    "".join(codes)
    for axes in itertools.permutations(("LR", "PA", "IS"))
    for codes in itertools.product(*axes)
]
RAS_OBLIQUE = OBLIQUE @ inv_ornt_aff(io_orientation(OBLIQUE), SHAPE)


def affine_along(codes: str, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Return an oblique, anisotropic, sheared affine whose axes run along the given codes."""
    start = io_orientation(RAS_OBLIQUE)
    turn = nib.orientations.ornt_transform(start, axcodes2ornt(codes))
    return RAS_OBLIQUE @ inv_ornt_aff(turn, shape)


def stored(path: Path) -> tuple[np.ndarray, Any]:
    image = nib.load(path)
    return np.asarray(image.dataobj), image


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_every_orientation_comes_back_bit_for_bit(
    codes: str, make_nifti: MakeNifti, tmp_path: Path
) -> None:
    data = np.random.default_rng(1).normal(size=SHAPE).astype("f4")
    path = make_nifti(data=data, affine=affine_along(codes), sform_code=4)
    volume = read_volume(path)
    assert volume.source is not None
    assert volume.source.orientation == codes
    assert "".join(aff2axcodes(volume.affine)) == "RAS"
    again, image = stored(write_volume(volume, tmp_path / "again.nii.gz"))
    np.testing.assert_array_equal(again, data)
    np.testing.assert_array_equal(image.affine, nib.load(path).affine)
    assert (image.header["sform_code"], image.header["qform_code"]) == (4, 0)


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_every_voxel_keeps_its_place_in_the_head(codes: str, make_nifti: MakeNifti) -> None:
    data = random_data()
    affine = affine_along(codes)
    volume = read_volume(make_nifti(data=data, affine=affine))
    for index in ((0, 0, 0), (18, 3, 11), (5, 22, 16)):
        world = affine @ [*index, 1]
        found = np.rint(np.linalg.inv(volume.affine) @ world)[:3].astype(int)
        assert volume.data[tuple(found)] == data[index]


def test_reading_agrees_with_nibabel(make_nifti: MakeNifti) -> None:
    kinds = ("u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")
    for kind, order, version in itertools.product(kinds, "<>", (1, 2)):
        path = make_nifti(
            data=random_data().astype(kind), order=order, version=version,
            scl_slope=0.37, scl_inter=-12.5,
        )  # fmt: skip
        volume, image = read_volume(path), nib.as_closest_canonical(nib.load(path))
        np.testing.assert_array_equal(volume.data, image.get_fdata().astype("f4"))
        np.testing.assert_allclose(volume.affine, image.affine, atol=1e-9)
        assert volume.data.dtype == np.dtype("f4")
        assert volume.data.dtype.isnative


@pytest.mark.parametrize(
    "name",
    ["anatomical.nii", "functional.nii", "example4d.nii.gz", "example_nifti2.nii.gz",
     "standard.nii.gz", "reoriented_anat_moved.nii", "test.mgz"],
)  # fmt: skip
def test_files_that_come_with_nibabel(name: str) -> None:
    if not (NIBABEL_DATA / name).is_file():
        pytest.skip("this nibabel was installed without its test files")
    volume = read_volume(NIBABEL_DATA / name)
    image = nib.as_closest_canonical(nib.load(NIBABEL_DATA / name))
    expected = image.get_fdata()
    if expected.ndim == 4:
        expected = expected.mean(axis=3)
    np.testing.assert_allclose(volume.data, expected, rtol=1e-6)
    np.testing.assert_allclose(volume.affine, image.affine, atol=1e-9)


@pytest.mark.parametrize("name", ["a.mgh", "a.mgz"])
def test_mgh_is_read_and_written_as_nifti(name: str, tmp_path: Path) -> None:
    data = random_data()
    image = nib.MGHImage(data, np.diag([-2.0, 2, 3, 1]) @ np.eye(4)[[0, 2, 1, 3]])
    image.to_filename(tmp_path / name)
    volume = read_volume(tmp_path / name)
    assert volume.source is not None
    assert (volume.source.affine_source, volume.source.warnings) == ("file", ())
    again, written = stored(write_volume(volume, tmp_path / "b.nii", np.int16))
    np.testing.assert_array_equal(again, data)
    np.testing.assert_allclose(written.affine, image.affine, atol=1e-5)
    short = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(short[: len(short) // 2])
    with pytest.raises(VolumeError, match="truncated"):
        read_volume(tmp_path / name)


def test_pairs_and_analyze(tmp_path: Path) -> None:
    data = random_data()
    nib.Nifti1Pair(data, OBLIQUE).to_filename(tmp_path / "pair.img")
    for name in ("pair.img", "pair.hdr"):
        volume = read_volume(tmp_path / name)
        assert volume.source is not None
        np.testing.assert_array_equal(volume.data, data[::-1])
        np.testing.assert_allclose(volume.source.affine, OBLIQUE, atol=1e-5)
    nib.AnalyzeImage(data, np.diag([-2.0, 2, 3, 1])).to_filename(tmp_path / "old.img")
    volume = read_volume(tmp_path / "old.img")
    assert volume.source is not None
    assert volume.source.affine_source == "assumed"
    assert "no orientation" in str(volume.source.warnings)
    np.testing.assert_array_equal(volume.data, data[::-1])
    np.testing.assert_allclose(volume.spacing_mm, [2, 2, 3])
    told = read_volume(tmp_path / "old.img", assume_orientation="RAS")
    np.testing.assert_array_equal(told.data, data)


def test_codes_units_and_sizes_are_kept(make_nifti: MakeNifti, tmp_path: Path) -> None:
    turn = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.3, -0.2, 0.1), [-40, 20, 7])
    affine = turn @ np.diag([-2.0, 3, 4, 1])
    path = make_nifti(affine=affine)
    for sform, qform in itertools.product((0, 1, 4), (0, 1, 3)):
        image = nib.load(path)
        image.set_sform(affine, sform)
        image.set_qform(affine, qform)
        image.to_filename(tmp_path / "coded.nii")
        volume = read_volume(tmp_path / "coded.nii")
        _, written = stored(write_volume(volume, tmp_path / "out.nii.gz"))
        header = written.header
        assert (header["sform_code"], header["qform_code"]) == (sform, qform)
        np.testing.assert_allclose(header["pixdim"][1:4], [2, 3, 4], rtol=1e-6)
        assert header.get_xyzt_units()[0] == "mm"
        np.testing.assert_allclose(written.affine, nib.load(tmp_path / "coded.nii").affine)


def test_a_qform_that_cannot_hold_the_affine_is_not_claimed(
    make_nifti: MakeNifti, tmp_path: Path
) -> None:
    volume = read_volume(make_nifti(qform_code=1))  # OBLIQUE is sheared
    _, written = stored(write_volume(volume, tmp_path / "out.nii"))
    assert (written.header["sform_code"], written.header["qform_code"]) == (1, 0)


def test_another_grid_keeps_the_axes_of_the_source(make_nifti: MakeNifti, tmp_path: Path) -> None:
    volume = read_volume(make_nifti(affine=affine_along("PSR"), sform_code=4))
    cells = np.random.default_rng(2).normal(size=(3, 4, 5))
    step = np.diag([5.0, 5, 3, 1])
    step[:3, 3] = 2, 2, 1
    coarse = Volume(cells, volume.affine @ step, "map", volume.source)
    data, written = stored(write_volume(coarse, tmp_path / "map.nii.gz"))
    assert "".join(aff2axcodes(written.affine)) == "PSR"
    assert written.header["sform_code"] == 4
    assert data.dtype == np.float32
    back = read_volume(tmp_path / "map.nii.gz")
    np.testing.assert_array_equal(back.data, cells.astype("f4"))
    np.testing.assert_allclose(back.affine, coarse.affine, atol=1e-4)


def test_a_guessed_orientation_is_kept_where_readers_guess_alike(
    make_nifti: MakeNifti, tmp_path: Path
) -> None:
    path = make_nifti(sform_code=0, pixdim=[1, 2, 3, 4, 1, 1, 1, 1])
    volume = read_volume(path)
    _, same = stored(write_volume(volume, tmp_path / "same.nii"))
    assert (same.header["sform_code"], same.header["qform_code"]) == (0, 0)
    np.testing.assert_array_equal(same.affine, nib.load(path).affine)
    told = read_volume(path, assume_orientation="RPI")
    _, stated = stored(write_volume(told, tmp_path / "stated.nii"))
    assert (stated.header["sform_code"], stated.header["qform_code"]) == (2, 0)
    np.testing.assert_allclose(stated.affine, told.source.affine)  # type: ignore[union-attr]


def test_arrays_without_a_source_are_stored_ras(tmp_path: Path) -> None:
    data = np.random.default_rng(3).normal(size=SHAPE)
    data[0, 0, 0] = np.nan
    path = write_volume(Volume(data, RAS_OBLIQUE), tmp_path / "made.nii.gz")
    found, written = stored(path)
    np.testing.assert_array_equal(found, data.astype("f4"))
    np.testing.assert_allclose(written.affine, RAS_OBLIQUE, atol=1e-5)
    assert (written.header["sform_code"], written.header["qform_code"]) == (2, 0)
    np.testing.assert_allclose(written.header["cal_max"], np.nanmax(data), rtol=1e-6)
    assert path.read_bytes() == write_volume(Volume(data, RAS_OBLIQUE), path).read_bytes()


def test_types_that_fit_and_types_that_do_not(make_nifti: MakeNifti, tmp_path: Path) -> None:
    volume = read_volume(make_nifti(scl_slope=0.001))
    data, written = stored(write_volume(volume, tmp_path / "a.nii"))
    assert data.dtype == np.float32  # never the int16 and slope of the source
    np.testing.assert_array_equal(data, volume.data[::-1])
    mask = volume.like((volume.data > 0).astype("f4"))
    data, written = stored(write_volume(mask, tmp_path / "m.nii", np.uint8))
    assert written.header.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(data[::-1], mask.data)
    for kind, message in (("u1", "whole numbers"), ("i8", "cannot write"), ("?", "cannot write")):
        with pytest.raises(VolumeError, match=message):
            write_volume(volume, tmp_path / "b.nii", kind)
    with pytest.raises(VolumeError, match=r"ends in \.nii"):
        write_volume(volume, tmp_path / "b.mgz")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.nii", "m.nii", "sub-01_bold.nii"]


def test_writing_replaces_whole_or_not_at_all(
    make_nifti: MakeNifti, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = read_volume(make_nifti())
    target = tmp_path / "out" / "map.nii.gz"
    with pytest.raises(VolumeError, match=r"could not write map\.nii\.gz"):
        write_volume(volume, target)
    target.parent.mkdir()
    target.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(VolumeError, match="No space left"):
        write_volume(volume, target)
    monkeypatch.undo()
    assert [(p.name, p.read_bytes()) for p in target.parent.iterdir()] == [("map.nii.gz", b"old")]
    write_volume(volume, target)
    assert [p.name for p in target.parent.iterdir()] == ["map.nii.gz"]
    np.testing.assert_array_equal(read_volume(target).data, volume.data)


def test_a_link_is_replaced_and_not_written_through(make_nifti: MakeNifti, tmp_path: Path) -> None:
    volume = read_volume(make_nifti())
    (tmp_path / "object").write_bytes(b"annexed")
    (tmp_path / "link.nii").symlink_to("object")
    write_volume(volume, tmp_path / "link.nii")
    assert (tmp_path / "object").read_bytes() == b"annexed"
    assert not (tmp_path / "link.nii").is_symlink()


def test_the_source_tells_file_and_fingerprint(make_nifti: MakeNifti) -> None:
    path = make_nifti("sub-01_bold.nii.gz")
    volume = read_volume(path)
    source = volume.source
    assert source is not None
    assert (volume.name, source.name, source.shape) == ("sub-01_bold", path.name, SHAPE)
    assert (source.affine_source, source.sform_code, source.qform_code) == ("sform", 1, 0)
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert str(path.parent) not in str(replace(source))


def test_memory_is_refused_by_number(make_nifti: MakeNifti) -> None:
    path = make_nifti()
    with pytest.raises(VolumeError, match=r"needs .* GB, more than the limit of 0\.0 GB"):
        read_volume(path, max_memory=7429 * 10 - 1)
    read_volume(path, max_memory=7429 * 10)
    series = make_nifti("s.nii", data=random_data((*SHAPE, 3)))
    read_volume(series, 1, max_memory=7429 * 10)
    with pytest.raises(VolumeError, match="more than the limit"):
        read_volume(series, "mean", max_memory=7429 * 10)
