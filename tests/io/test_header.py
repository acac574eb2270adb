"""Every kind of header and file trouble: one sentence that names it, or a warning that does."""

from __future__ import annotations

import gzip
import os
import random
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nifti_files import SHAPE, MakeNifti, random_data, run_alone

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.io.nifti import read_volume

NAN, INF = float("nan"), float("inf")


def rgb(shape: tuple[int, int, int] = SHAPE) -> Any:
    return np.zeros(shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "sform rows zero": ({"srow_x": 0, "srow_y": 0, "srow_z": 0}, "affine is singular"),
    "sform zero, qform valid": (
        {"srow_x": 0, "srow_y": 0, "srow_z": 0, "qform_code": 1},
        "affine is singular.*qform is valid.*form='qform'",
    ),
    "NaN in sform": ({"srow_y": [0, NAN, 0, 1]}, "affine contains NaN"),
    "quaternion longer than one": (
        {"sform_code": 0, "qform_code": 1, "quatern_b": 0.9, "quatern_c": 0.9},
        "qform is invalid.*there is no sform",
    ),
    "NaN quaternion": (
        {"sform_code": 0, "qform_code": 1, "quatern_b": NAN},
        "qform is invalid.*there is no sform",
    ),
    "NaN intercept": ({"scl_slope": 2.0, "scl_inter": NAN}, "scl_inter is nan"),
    "metre that cannot be": ({"xyzt_units": 1}, "unit is metre.*100 to 400 mm"),
    "micron that cannot be": ({"xyzt_units": 3}, "unit is micron.*100 to 400 mm"),
    "complex": ({"data": np.zeros(SHAPE, np.complex64)}, "complex image.*choose magnitude"),
    "RGB": ({"data": rgb()}, "colour image.*not a scalar volume"),
    "unknown data type": ({"datatype": 77}, "data type code 77 is unknown"),
    "2-D": ({"data": random_data((19, 23))}, "needs a 3D volume; got 2D"),
    "1-D": ({"data": random_data((19,))}, "needs a 3D volume; got 1D"),
    "one thick": ({"data": random_data((19, 1, 17))}, "needs a 3D volume; got 2D"),
    "5-D": ({"data": random_data((9, 8, 7, 1, 3))}, "vector image.*displacement field"),
    "offset 0": ({"vox_offset": 0}, "vox_offset is 0.*352"),
    "offset NaN": ({"vox_offset": NAN}, "vox_offset is nan"),
    "offset behind the end": ({"vox_offset": 1e6}, "0 of 14,858 data bytes: truncated"),
    "negative dim": ({"dim": [3, 19, -23, 17, 1, 1, 1, 1]}, "impossible dimensions"),
    "zero dim": ({"dim": [3, 19, 0, 17, 1, 1, 1, 1]}, "impossible dimensions"),
    "no dims": ({"dim": [0, 19, 23, 17, 1, 1, 1, 1]}, "impossible dimensions"),
    "nine dims": ({"dim": [9, 19, 23, 17, 1, 1, 1, 1]}, "impossible dimensions"),
    "truncated": ({"cut": 1782}, "1,782 of 14,858 data bytes: truncated"),
    "dims larger than data": (
        {"dim": [3, 19, 23, 18, 1, 1, 1, 1]},
        "14,858 of 15,732 data bytes.*dimensions are wrong",
    ),
    "huge dims": ({"dim": [3, 32767, 32767, 32767, 1, 1, 1, 1]}, "needs .* GB, more than the lim"),
    "CIFTI intent": ({"intent_code": 3001}, "surface/greyordinate"),
    "all NaN": ({"data": np.full(SHAPE, NAN, "f4")}, "no voxel holds a finite number"),
}

WARNED: dict[str, tuple[dict[str, Any], str]] = {
    "no codes": ({"sform_code": 0}, "no orientation in the header; left and right are a guess"),
    "unknown code": ({"sform_code": 99}, "sform_code 99 is unknown and counts as 0"),
    "forms disagree": (
        {"qform_code": 1, "quatern_d": np.sin(np.pi / 12)},
        r"disagree by up to [\d.]+ mm \(.*\); the sform is used",
    ),
    "qfac 0": ({"sform_code": 0, "qform_code": 1, "pixdim": [0, 2, 2, 3, 1, 1, 1, 1]}, "qfac"),
    "voxel size 0": ({"pixdim": [1, 0, 2, 3, 1, 1, 1, 1]}, "voxel size was repaired.*0.0, 2.0"),
    "negative size": ({"pixdim": [1, 2, -2, 3, 1, 1, 1, 1]}, "voxel size was repaired.*-2.0"),
    "infinite slope": ({"scl_slope": INF}, "scl_slope is Inf"),
    "negative slope": ({"scl_slope": -2.0, "scl_inter": 1.0}, "intensities are inverted"),
    "squeezed": ({"data": random_data((*SHAPE, 1))}, "squeezed"),
    "dims smaller than data": ({"extra": bytes(100)}, "100 bytes more than the header describes"),
    "double beyond float": (
        {"data": np.where(np.arange(19 * 23 * 17).reshape(SHAPE) == 7, 1e300, 1.0)},
        "1 infinite",
    ),
}


def refused_quietly(path: Path, capfd: pytest.CaptureFixture[str], **options: Any) -> str:
    """Read a bad file; return the one sentence, in under a second and with nothing printed."""
    started = time.process_time()
    with pytest.raises(VolumeError) as caught:
        read_volume(path, **options)
    assert time.process_time() - started < 1
    assert capfd.readouterr() == ("", "")
    assert path.name in str(caught.value)
    assert str(path.parent) not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("case", REFUSED)
def test_refused(
    case: str, suffix: str, make_nifti: MakeNifti, capfd: pytest.CaptureFixture[str]
) -> None:
    fields, message = REFUSED[case]
    path = make_nifti(f"x{suffix}", **fields)
    found = refused_quietly(path, capfd)
    if case == "huge dims" or suffix == ".nii":
        assert re.search(message, found), found


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_either_byte_order(case: str, order: str, make_nifti: MakeNifti) -> None:
    fields, message = REFUSED[case]
    with pytest.raises(VolumeError, match=message):
        read_volume(make_nifti(order=order, **fields))


@pytest.mark.parametrize("case", WARNED)
def test_warned(case: str, make_nifti: MakeNifti, capfd: pytest.CaptureFixture[str]) -> None:
    fields, message = WARNED[case]
    for name in ("a.nii", "b.nii.gz"):
        volume = read_volume(make_nifti(name, **fields))
        assert volume.source is not None
        assert re.search(message, " | ".join(volume.source.warnings))
        assert np.isfinite(volume.data).all()
        assert volume.data.dtype == np.float32
    assert capfd.readouterr() == ("", "")


def test_a_sound_file_has_nothing_to_say(make_nifti: MakeNifti) -> None:
    assert read_volume(make_nifti()).source.warnings == ()  # type: ignore[union-attr]
    quiet = make_nifti("b.nii", scl_slope=0.0, scl_inter=NAN)
    assert read_volume(quiet).source.warnings == ()  # type: ignore[union-attr]


def test_the_sizes_in_the_disagreement_are_true(make_nifti: MakeNifti) -> None:
    straight = np.diag([2.0, 2, 2, 1])
    shifted = make_nifti("a.nii", affine=straight, qform_code=1, qoffset_y=3.0)
    assert "up to 3.0 mm (turned by 0.0 degrees)" in str(read_volume(shifted).source)
    # b = sin(15 degrees): a turn of 30 degrees about x.
    turned = make_nifti("b.nii", affine=straight, qform_code=1, quatern_b=np.sin(np.pi / 12))
    assert "turned by 30.0 degrees" in str(read_volume(turned).source)
    mirrored = make_nifti("c.nii", affine=straight, qform_code=1, pixdim=[-1, 2, 2, 2, 1, 1, 1, 1])
    assert "mirrored" in str(read_volume(mirrored).source)


def test_the_valid_qform_is_really_offered(make_nifti: MakeNifti) -> None:
    path = make_nifti(srow_x=0, srow_y=0, srow_z=0, qform_code=1, qoffset_x=5.0)
    volume = read_volume(path, form="qform")
    assert volume.source is not None
    assert volume.source.affine_source == "qform"
    np.testing.assert_allclose(volume.affine[:3, 3], [5, 0, 0])
    with pytest.raises(VolumeError, match="qform was asked for but its code is 0"):
        read_volume(make_nifti("b.nii"), form="qform")


def test_metre_and_micron_become_mm(make_nifti: MakeNifti) -> None:
    head = np.diag([8.0, 7, 9, 1])
    head[:3, 3] = [-70, -80, -60]
    for code, unit in ((1, 0.001), (3, 1000.0)):
        path = make_nifti(affine=np.diag([unit, unit, unit, 1]) @ head, xyzt_units=code)
        volume = read_volume(path)
        np.testing.assert_allclose(volume.affine, head, rtol=1e-6)
        assert "converted to mm" in str(volume.source)


def test_orientation_can_be_told_where_the_header_has_none(make_nifti: MakeNifti) -> None:
    data = random_data()
    path = make_nifti(data=data, sform_code=0, pixdim=[1, 2, 3, 4, 1, 1, 1, 1])
    guess = read_volume(path)
    told = read_volume(path, assume_orientation="psr")
    assert guess.source is not None
    assert told.source is not None
    assert (guess.source.orientation, told.source.orientation) == ("LAS", "PSR")
    assert guess.source.affine_source == told.source.affine_source == "assumed"
    np.testing.assert_array_equal(guess.data, data[::-1])
    np.testing.assert_array_equal(told.data, data.transpose(2, 0, 1)[:, ::-1])
    np.testing.assert_allclose(told.spacing_mm, [4, 2, 3])
    centre = told.affine @ [*(np.array(told.shape) - 1) / 2, 1]
    np.testing.assert_allclose(centre, [0, 0, 0, 1], atol=1e-9)
    with pytest.raises(VolumeError, match="three axis codes"):
        read_volume(path, assume_orientation="LRS")
    assert "not used" in str(read_volume(make_nifti(), assume_orientation="LAS").source)


def test_missing_numbers_are_counted_and_replaced(make_nifti: MakeNifti) -> None:
    data = random_data().astype("f4")
    data[3, 4, 5], data[9, 9, 9], data[10, 9, 9] = NAN, INF, -INF
    volume = read_volume(make_nifti(data=data))
    assert volume.source is not None
    assert volume.source.warnings[-1].startswith("1 NaN and 2 infinite")
    assert np.count_nonzero(volume.data == 0) == 3 + np.count_nonzero(data == 0)


def test_a_background_of_nan_is_no_damage_but_holes_are(make_nifti: MakeNifti) -> None:
    places = np.indices(SHAPE) - (np.array(SHAPE) - 1).reshape(3, 1, 1, 1) / 2
    ball = np.linalg.norm(places, axis=0) < 7
    around = np.where(ball, 5.0, NAN).astype("f4")
    assert read_volume(make_nifti(data=around)).data.sum() == 5 * ball.sum()
    holes = np.random.default_rng(0).random(SHAPE) < 0.5
    with pytest.raises(VolumeError, match=r"% of the voxels inside the object, more than 20%"):
        read_volume(make_nifti(data=np.where(ball & ~holes, 5.0, NAN).astype("f4")))


def gz_of(content: bytes) -> bytes:
    return gzip.compress(content, 1)


def with_wrong_trailer(content: bytes) -> bytes:
    packed = gz_of(content)
    return packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]


FILES: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "truncated gz": ("x.nii.gz", lambda c: gz_of(c)[:-2000], "truncated: its gzip stream ends"),
    "no trailer": ("x.nii.gz", lambda c: gz_of(c)[:-8], "truncated: its gzip stream ends"),
    "wrong trailer": ("x.nii.gz", with_wrong_trailer, "checksum mismatch"),
    "garbage behind gz": ("x.nii.gz", lambda c: gz_of(c) + b"garbage!", "gzip failed"),
    "tiny broken gz": (
        "x.nii.gz",
        lambda _: b"\x1f\x8b\x08\x00broken" * 2,
        "gzip failed|truncated",
    ),
    "web page": ("x.nii.gz", lambda _: b"\n<!DOCTYPE html><html>", "web page"),
    "web page as nii": ("x.nii", lambda _: b"<html><body>404</body>", "web page"),
    "plain as gz": ("x.nii.gz", lambda c: c, "uncompressed NIfTI with the wrong name"),
    "gz as plain": ("x.nii", gz_of, "gzip-compressed under the wrong name"),
    "LFS pointer": ("x.nii.gz", lambda _: b"version https://git-lfs.github.com/spec/v1\n", "LFS"),
    "annex pointer": ("x.nii", lambda _: b"/annex/objects/MD5E-s1", "datalad get"),
    "noise as gz": ("x.nii.gz", lambda _: b"noise" * 99, "no gzip file"),
    "noise as nii": ("x.nii", lambda _: b"noise" * 99, "not a NIfTI header"),
    "noise as mgh": ("x.mgh", lambda _: b"noise" * 99, "not an MGH header"),
    "empty": ("x.nii", lambda _: b"", "empty"),
    "empty gz": ("x.nii.gz", lambda _: gz_of(b""), "not a NIfTI header|truncated"),
    "half a header": ("x.nii", lambda c: c[:200], "200 of 348 header bytes"),
    "pair's header": ("x.nii", lambda c: c.replace(b"n+1\0", b"ni1\0"), "rename it to .hdr"),
    "broken magic": ("x.nii", lambda c: c.replace(b"n+1\0", b"n+7\0"), "magic is b'n\\+7"),
    "header alone": ("x.hdr", lambda c: c, "other half x.img is missing"),
    "image alone": ("x.img", lambda c: c, "other half x.hdr is missing"),
    "CIFTI name": ("x.dscalar.nii", lambda c: c, "surface/greyordinate"),
    "AFNI": ("x+orig.BRIK.gz", gz_of, "AFNI.*convert it first"),
    "MINC": ("x.mnc", lambda c: c, "MINC.*convert it first"),
    "DICOM": ("x.dcm", lambda c: c, "DICOM.*convert it first"),
    "no extension": ("x", lambda c: c, "convert it first"),
}


@pytest.mark.parametrize("case", FILES)
def test_files_that_are_something_else(
    case: str, make_nifti: MakeNifti, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    name, change, message = FILES[case]
    content = make_nifti("sound.nii").read_bytes()
    path = tmp_path / name
    path.write_bytes(change(content))
    found = refused_quietly(path, capfd)
    assert re.search(message, found), found


def test_missing_files_and_links(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "there is no file" in refused_quietly(tmp_path / "a.nii", capfd)
    (tmp_path / "b.nii").symlink_to("../.git/annex/objects/X/MD5E-s9.nii")
    assert "run `datalad get b.nii`" in refused_quietly(tmp_path / "b.nii", capfd)
    (tmp_path / "c.nii").symlink_to("nowhere.nii")
    assert "link to a file that does not exist" in refused_quietly(tmp_path / "c.nii", capfd)
    (tmp_path / "d.nii").mkdir()
    assert "folder" in refused_quietly(tmp_path / "d.nii", capfd)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(
    make_nifti: MakeNifti, capfd: pytest.CaptureFixture[str]
) -> None:
    path = make_nifti()
    path.chmod(0)
    assert "cannot be read: Permission denied" in refused_quietly(path, capfd)


@pytest.mark.parametrize("seed", range(120))
def test_no_flipped_bit_passes(seed: int, make_nifti: MakeNifti) -> None:
    path = make_nifti("x.nii.gz")
    content = bytearray(path.read_bytes())
    # Ten bytes of gzip header hold a date and a system name that no checksum covers.
    place = random.Random(seed).randrange(10, len(content))
    content[place] ^= 1 << (seed % 8)
    path.write_bytes(content)
    with pytest.raises(VolumeError):
        read_volume(path)


@pytest.mark.parametrize("bit", range(80))
def test_a_flipped_bit_in_the_gzip_header_does_no_harm(bit: int, make_nifti: MakeNifti) -> None:
    path = make_nifti("x.nii.gz")
    sound = read_volume(path)
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << (bit % 8)
    path.write_bytes(content)
    try:
        volume = read_volume(path)
    except VolumeError:
        return
    np.testing.assert_array_equal(volume.data, sound.data)


LIARS = """
import sys, time
from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.io.nifti import read_volume
from nifti_files import peak_mb
started = time.process_time()
try:
    read_volume(sys.argv[1])
except VolumeError as error:
    print(error)
    print(time.process_time() - started, peak_mb())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize("case", ["lying dims", "bomb"])
def test_liars_cost_neither_memory_nor_time(case: str, make_nifti: MakeNifti) -> None:
    path = make_nifti("x.nii.gz", dim=[3, 500, 500, 500, 1, 1, 1, 1])
    if case == "bomb":
        # 600 MB of zeros in 0.6 MB behind a header that describes 15 kB.
        path = make_nifti("y.nii.gz")
        with gzip.open(path, "ab", 9) as file:
            for _ in range(600):
                file.write(bytes(1_000_000))
    told = [run_alone(LIARS, path).splitlines() for _ in range(2)]
    for message, _ in told:
        assert re.search("cannot hold that many|far more than its header", message), message
    seconds, megabytes = zip(*(map(float, numbers.split()) for _, numbers in told), strict=True)
    assert min(seconds) < 1  # of the processor; a neighbour at the memory may slow one run
    assert max(megabytes) < 200


@pytest.mark.parametrize("version", [1, 2])
def test_random_header_damage_is_refused_or_read_never_a_traceback(
    version: int, make_nifti: MakeNifti
) -> None:
    path = make_nifti(version=version, qform_code=1)
    sound, chance = path.read_bytes(), random.Random(version)
    outcomes = set()
    for _ in range(400):
        content = bytearray(sound)
        for _ in range(chance.choice((1, 2, 6, 40))):
            content[chance.randrange(348 if version == 1 else 540)] = chance.choice(
                (0, 1, 127, 128, 255, chance.randrange(256))
            )
        path.write_bytes(content)
        try:
            outcomes.add(bool(np.isfinite(read_volume(path).data).all()))
        except VolumeError as error:
            outcomes.add(str(error).startswith(path.name))
    assert outcomes == {True}
