"""Samples as files: what is written is what was drawn, in the same place."""

import csv
import json

import nibabel as nib
import numpy as np
import pytest

from g3dvit_napari import api, benchmark
from g3dvit_napari.benchmark.brains.blocks import CLASSES, FRAMES, convolved, series
from g3dvit_napari.benchmark.cubes.cell import Cell
from g3dvit_napari.core.errors import MethodError


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.mark.parametrize("task", [Cell(24, 6, 4, distractor=True), "brain-site"], ids=str)
def test_files_hold_what_was_drawn(tmp_path, task):
    heard = []
    table = benchmark.make(task, "test", 2, tmp_path, lambda f, _: heard.append(f))
    drawn = benchmark.task_named(task)
    rows = rows_of(table)
    assert heard == [0.0, 0.5]
    assert len(rows) == 2
    for index, row in enumerate(rows):
        sample = drawn.draw("test", index)
        for column in ("volume", "twin", "truth", "distractor", "valid"):
            if row[column] == "":
                assert sample.valid is None
                continue
            read = api.load_volume(tmp_path / row[column])
            attribute = {"truth": "signal", "volume": "data"}.get(column, column)
            assert np.array_equal(read.data, getattr(sample, attribute))
            assert np.allclose(read.affine, sample.affine)
        assert drawn.class_names.index(row["class"]) == int(row["label"]) == sample.label
        assert json.loads(row["drawn"]) == dict(sample.drawn)


def test_unknown_splits_are_refused(tmp_path):
    with pytest.raises(MethodError, match="no split named 'tests'; did you mean 'test'"):
        benchmark.make("brain-site", "tests", 1, tmp_path)


def test_a_series_and_its_truth_are_four_dimensional(tmp_path):
    data, twin, truth, table = benchmark.make_series("test", 0, tmp_path)
    found, image = series("test", 0), nib.load(data)
    assert image.shape == (30, 36, 30, FRAMES)
    assert image.header.get_zooms()[3] == pytest.approx(2.0)
    assert np.array_equal(np.asarray(image.dataobj), found.data)
    masks, still = np.asarray(nib.load(truth).dataobj), np.asarray(nib.load(twin).dataobj)
    labels = np.array([int(row["label"]) for row in rows_of(table)])
    assert set(labels) == set(range(len(CLASSES)))
    assert np.array_equal(masks.any(axis=(0, 1, 2)), labels > 0)
    frames = list(api.load_frames(data))
    assert len(frames) == FRAMES
    for frame in np.flatnonzero(labels):
        inside = masks[..., frame] > 0
        side = np.sign(nib.affines.apply_affine(image.affine, np.argwhere(inside))[:, 0])
        assert (side == (-1, 1)[labels[frame] - 1]).all()
        assert found.data[..., frame][inside].mean() > 1.1 * still[..., frame][inside].mean()


def test_responses_follow_the_blocks_late():
    """The answer of the blood comes seconds after the block begins, and outlasts it."""
    design = np.zeros((2, FRAMES))
    design[0, 8:16] = 1
    response = convolved(design)[0]
    assert response[:8] == pytest.approx(0)
    assert 12 <= response.argmax() <= 16
    assert response[16] > 0.5
    assert response.max() == 1
