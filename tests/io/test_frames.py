"""Frame policies, and what reading a compressed series costs."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
from nifti_files import MakeNifti, random_data, run_alone

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.io import stream
from g3dvit_napari.io.frames import plan_frames
from g3dvit_napari.io.nifti import frame_count, read_frames, read_volume

COUNT = 7


@pytest.fixture(params=["series.nii", "series.nii.gz"])
def series(request: pytest.FixtureRequest, make_nifti: MakeNifti) -> Path:
    return make_nifti(request.param, data=random_data((6, 7, 5, COUNT)), scl_slope=0.5)


@pytest.fixture
def frames(series: Path) -> list[np.ndarray]:  # noqa: ARG001
    """The frames as the file means them, turned to RAS+ (the file runs LAS)."""
    data = random_data((6, 7, 5, COUNT)).astype("f8") * 0.5
    return [data[::-1, :, :, index] for index in range(COUNT)]


def test_all_and_every(series: Path, frames: list[np.ndarray]) -> None:
    found = list(read_frames(series))
    assert len(found) == COUNT
    for volume, frame in zip(found, frames, strict=True):
        np.testing.assert_array_equal(volume.data, frame)
    for policy in ("every 3", "EVERY:3", "every3"):
        third = list(read_frames(series, policy))
        assert [v.source.frame for v in third] == [f"frame {i} of 7" for i in (0, 3, 6)]
        np.testing.assert_array_equal(third[2].data, frames[6])


def test_mean_and_index(series: Path, frames: list[np.ndarray]) -> None:
    mean = np.mean(frames, axis=0)
    for policy in (None, "mean"):
        volume = read_volume(series, policy)
        assert volume.source is not None
        assert volume.source.frame == "mean of 7 frames"
        np.testing.assert_allclose(volume.data, mean, rtol=1e-6)
    for policy in (4, "4"):
        volume = read_volume(series, policy)
        assert volume.source is not None
        assert volume.source.frame == "frame 4 of 7"
        assert volume.source.shape == (6, 7, 5, COUNT)
        assert volume.source.repetition_time == 2.5
        np.testing.assert_array_equal(volume.data, frames[4])
    assert [v.source.frame for v in read_frames(series, "mean")] == ["mean of 7 frames"]


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (7, "frame 7 does not exist; the file has frames 0 to 6"),
        (-1, "frame -1 does not exist"),
        ("median", "did you mean 'mean'"),
        ("every 0", "takes no frame"),
        ("every", "no frame policy named 'every'"),
        ("all", "several volumes; use load_frames"),
        ("every 10", "several volumes; use load_frames"),
    ],
)
def test_policies_that_cannot_be(series: Path, policy: int | str, message: str) -> None:
    with pytest.raises(VolumeError, match=message):
        read_volume(series, policy)


def test_a_bad_policy_is_refused_before_the_first_frame_is_asked_for(series: Path) -> None:
    with pytest.raises(VolumeError):
        read_frames(series, 99)


def test_three_dimensions_have_one_frame(make_nifti: MakeNifti) -> None:
    path = make_nifti()
    for policy in (None, "mean", 0):
        volume = read_volume(path, policy)
        assert volume.source is not None
        assert volume.source.frame == ""
    assert len(list(read_frames(path))) == len(list(read_frames(path, "every 10"))) == 1
    with pytest.raises(VolumeError, match="only frame 0"):
        read_volume(path, 1)


def test_frame_count_reads_no_voxel(series: Path, make_nifti: MakeNifti) -> None:
    assert frame_count(series) == COUNT
    assert frame_count(make_nifti()) == 1
    assert frame_count(make_nifti("cut.nii", data=random_data((6, 7, 5, 9)), cut=10)) == 9


def test_plans_are_ascending_and_complete() -> None:
    assert [g.indices[0] for g in plan_frames("every 4", 10)] == [0, 4, 8]
    assert [tuple(g.indices) for g in plan_frames(None, 3)] == [(0, 1, 2)]


def test_repetition_times_that_cannot_be_seconds(make_nifti: MakeNifti) -> None:
    data = random_data((6, 7, 5, 2))
    lie = make_nifti("a.nii", data=data, pixdim=[1, 2, 2, 2, 2000, 1, 1, 1])
    volume = read_volume(lie)
    assert volume.source is not None
    assert volume.source.repetition_time == 2
    assert "2000 s cannot be" in str(volume.source.warnings)
    told = make_nifti("b.nii", data=data, pixdim=[1, 2, 2, 2, 2000, 1, 1, 1], xyzt_units=2 + 16)
    assert read_volume(told).source.repetition_time == 2  # type: ignore[union-attr]


def test_the_checksum_is_verified_once_per_file_state(
    series: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    verify = stream.verified_size
    monkeypatch.setattr(
        stream, "verified_size", lambda path, limit: seen.append(path.name) or verify(path, limit)
    )
    once = [series.name] if series.suffix == ".gz" else []
    for frame in (0, 3, "mean"):
        read_volume(series, frame)
    list(read_frames(series))
    assert seen == once
    series.write_bytes(series.read_bytes())
    series.touch()
    read_volume(series)
    assert seen == once * 2


MEASURE = """
import sys, time
from g3dvit_napari.io.nifti import read_frames
from nifti_files import peak_mb
base = peak_mb()
started = time.perf_counter()
count = sum(volume.data.shape == (91, 109, 91) for volume in read_frames(sys.argv[1], "every 1"))
print(count, time.perf_counter() - started, peak_mb() - base)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_140_compressed_frames_are_quick_and_small(make_nifti: MakeNifti, tmp_path: Path) -> None:
    """Five seconds and 150 MB on a free machine; the limits here leave room for a busy one."""
    rng = np.random.default_rng(0)
    frame = np.zeros((91, 109, 91), np.int16)
    frame[10:80, 12:95, 8:80] = rng.integers(800, 900, (70, 83, 72))
    head = make_nifti("head.nii", data=frame, dim=[4, 91, 109, 91, 140, 1, 1, 1]).read_bytes()
    path = tmp_path / "series.nii.gz"
    with gzip.open(path, "wb", 1) as file:
        file.write(head[:352])
        for index in range(140):
            file.write((frame + index).tobytes(order="F"))
    count, seconds, megabytes = map(float, run_alone(MEASURE, path).split())
    sys.stdout.write(f"{count:g} frames: {seconds:.2f} s, {megabytes:.0f} MB\n")
    assert count == 140
    assert megabytes < 150
    assert seconds < 15
