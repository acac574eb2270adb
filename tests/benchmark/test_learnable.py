"""Can the tasks be learned at all, and permuted labels not? Asked with a linear probe."""

import numpy as np
import pytest

from g3dvit_napari.benchmark.sample import generator
from g3dvit_napari.benchmark.tasks import task_named

TRAIN, TEST = 240, 60


def patch_means(volume, edge=3):
    x, y, z = (n // edge for n in volume.shape)
    whole = volume[: x * edge, : y * edge, : z * edge]
    return whole.reshape(x, edge, y, edge, z, edge).mean(axis=(1, 3, 5)).ravel()


def features(task, split, count):
    samples = [task.draw(split, i) for i in range(count)]
    return np.stack([patch_means(s.data) for s in samples]), np.array([s.label for s in samples])


def probe(train, test, strength):
    """Ridge regression of the classes: the share of test samples that it gets right."""
    (x, labels), (new, truth) = train, test
    mean, scale = x.mean(axis=0), x.std(axis=0) + 0.02
    x, new = (x - mean) / scale, (new - mean) / scale
    wanted = np.eye(labels.max() + 1)[labels]
    alpha = np.linalg.solve(x @ x.T + strength * np.eye(len(x)), wanted - wanted.mean(axis=0))
    return float((((new @ x.T) @ alpha + wanted.mean(axis=0)).argmax(axis=1) == truth).mean())


@pytest.fixture(scope="module")
def site():
    task = task_named("brain-site")
    return features(task, "train", TRAIN), features(task, "test", TEST)


def test_a_line_tells_the_site(site):
    assert probe(*site, strength=300.0) >= 0.8


def test_a_line_tells_nothing_from_permuted_labels(site):
    (x, labels), test = site
    permuted = [int(generator(0, "train", i, 9).integers(3)) for i in range(len(labels))]
    assert probe((x, np.array(permuted)), test, strength=300.0) < 0.55


@pytest.mark.slow
def test_a_line_tells_enlarged_ventricles():
    task = task_named("brain-ventricles")
    assert probe(features(task, "train", 80), features(task, "test", 32), 300.0) >= 0.75
