"""Cubes as they are drawn: repeatable, with twins, masks and places that belong to one split."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from g3dvit_napari.benchmark.cubes.cell import Cell
from g3dvit_napari.benchmark.cubes.drawing import draw, noise_of, stripes
from g3dvit_napari.benchmark.cubes.places import corners, nearest_place
from g3dvit_napari.benchmark.tasks import task_named

FREE = Cell(24, 6, 4, places="free", question="triple", noise=0.5)
VARIANTS = [
    Cell(24, 6, 4),
    FREE,
    replace(FREE, question="position", distractor=True, smooth=True),
    replace(FREE, question="texture", distractor=True),
    replace(FREE, question="xor", distractor=True),
    replace(FREE, question="content", background=2.0, distractor=True),
]
# A change of these numbers is a change of the benchmark: raise VERSION in cubes/drawing.py with it.
DIGESTS = {
    "cubes-24-6-4-0.2-aligned-position-layernorm": "3e11ec8edf3c364e",
    FREE.name: "46451e6cef3de353",
    replace(FREE, question="xor", distractor=True, smooth=True).name: "e7ec8cb8dfb9d0db",
    "cubes-40-8-5-0.2-free-texture-plain-noise0.25-distractor": "3bceb4a7b0d96c68",
}


def digest_of(samples):
    found = hashlib.sha256()
    for s in samples:
        parts = (s.data, s.twin, s.signal, s.distractor)
        found.update(b"".join(np.ascontiguousarray(part).tobytes() for part in parts))
        found.update(bytes([s.label]))
    return found.hexdigest()[:16]


@pytest.mark.parametrize("name", DIGESTS)
def test_the_first_sixteen_volumes_never_change(name):
    task = task_named(name)
    assert digest_of(task.draw("test", i) for i in range(16)) == DIGESTS[name]


@pytest.mark.parametrize("cell", VARIANTS, ids=lambda cell: cell.name)
def test_a_sample_depends_on_its_number_alone(cell):
    later = [draw(cell, "train", i) for i in (7, 3)]
    for index, sample in zip((7, 3), later, strict=True):
        again = draw(cell, "train", index)
        assert np.array_equal(again.data, sample.data)
        assert again.label == sample.label
        assert dict(again.drawn) == dict(sample.drawn)


@pytest.mark.parametrize("cell", VARIANTS, ids=lambda cell: cell.name)
def test_twins_differ_in_the_signal_alone(cell):
    for index in range(12):
        sample = draw(cell, "train", index)
        differs = sample.data != sample.twin
        assert not (differs & ~sample.signal).any()
        assert not (sample.signal & sample.distractor).any()
        if cell.question != "texture":  # a stripe of a cube with odd edges could equal the rest
            assert np.array_equal(differs, sample.signal)
        assert sample.data.dtype == sample.twin.dtype == np.float32
        assert sample.valid is None
        assert sample.signal.sum() in (0, cell.cube**3, 2 * cell.cube**3)
        assert sample.distractor.sum() == (cell.cube**3 if cell.distractor else 0)


def test_a_sample_without_cube_is_its_own_twin():
    found = [draw(FREE, "train", i) for i in range(30)]
    assert {s.label for s in found} == {0, 1, 2}
    for sample in found:
        assert sample.signal.any() == (sample.label > 0)
        assert np.array_equal(sample.data, sample.twin) == (sample.label == 0)


def test_tasks_that_differ_in_noise_share_everything_else():
    quiet, loud = (draw(replace(FREE, noise=n), "train", 5) for n in (0.25, 1.0))
    assert np.array_equal(quiet.signal, loud.signal)
    assert quiet.label == loud.label
    grain = [s.twin.astype(float) - 0.2 for s in (quiet, loud)]
    assert np.corrcoef(grain[0].ravel(), grain[1].ravel())[0, 1] > 0.99


@pytest.mark.parametrize("smooth", [False, True])
def test_noise_has_the_deviation_that_is_asked_for(smooth):
    cell = replace(FREE, grid=48, noise=0.5, smooth=smooth)
    grains = [noise_of(cell, np.random.default_rng(i)) for i in range(6)]
    assert np.std(grains) == pytest.approx(0.5, rel=0.05)
    neighbours = np.mean([np.corrcoef(g[1:].ravel(), g[:-1].ravel())[0, 1] for g in grains])
    # Gaussians of 2 voxels that are one voxel apart overlap by exp(-1 / 16).
    assert neighbours == pytest.approx(np.exp(-1 / 16) if smooth else 0, abs=0.02)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("cube", [5, 6])
def test_stripes_have_the_mean_of_the_background(cube, axis):
    found = stripes(cube, axis)
    assert found.mean() == pytest.approx(0, abs=1e-12)
    assert np.ptp(found, axis=axis).min() == 2
    others = [a for a in range(3) if a != axis]
    assert all(np.ptp(found, axis=a).max() == 0 for a in others)


def test_equal_cubes_are_equal_and_others_are_not():
    for index in range(12):
        sample = draw(replace(FREE, question="xor"), "train", index)
        first, second = sample.drawn["first_values"]
        assert (first == second) == (sample.label == 0)


@pytest.mark.parametrize("places", ["aligned", "free"])
@pytest.mark.parametrize("question", ["position", "content"])
def test_the_splits_share_no_place_where_they_can(places, question):
    cell = Cell(24, 6, 4, places=places, question=question)
    found = [{tuple(c) for c in corners(cell, s)} for s in ("train", "valid", "test")]
    possible = 4**3 if places == "aligned" else 19**3
    if (places, question) == ("aligned", "position"):
        assert all(len(split) == possible for split in found)
        return
    assert sum(map(len, found)) == len(set.union(*found)) == possible
    assert all(found)


def test_free_cubes_reach_the_last_voxel_and_belong_to_the_nearest_place():
    cell = Cell(24, 6, 4, places="free")
    assert corners(cell, "train").max() == 18
    for corner in ([0, 0, 0], [2, 8, 3], [18, 15, 14], [9, 9, 9]):
        centres = np.stack(np.meshgrid(*[np.arange(4) * 6] * 3, indexing="ij"), -1).reshape(-1, 3)
        distance = np.abs(centres - np.array(corner)).sum(axis=1)
        assert distance[nearest_place(np.array(corner), cell)] == distance.min()


def test_the_label_is_where_the_cube_is():
    cell = Cell(24, 6, 4)
    for index in range(10):
        sample = draw(cell, "test", index)
        corner = np.argwhere(sample.signal).min(axis=0)
        assert sample.label == np.ravel_multi_index(tuple(corner // 6), (4, 4, 4))
        assert cell.class_names[sample.label] == "cube at " + " ".join(map(str, corner // 6))


def test_the_distractor_says_nothing_about_the_class():
    """Its look is the same in every class: the other side of the background, or both signs."""
    place = replace(FREE, question="position", noise=0.0, distractor=True)
    content = replace(place, question="content")
    texture = replace(place, question="texture")
    for index in range(6):
        first, second, third = (draw(c, "train", index) for c in (place, content, texture))
        assert first.data[first.distractor] == pytest.approx(2 * 0.2 - 1)
        assert second.data[second.distractor].mean() == pytest.approx(0.2, abs=1e-6)
        assert np.ptp(third.data[third.distractor]) == 0
