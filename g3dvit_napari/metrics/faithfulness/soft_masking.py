"""The volume multiplied by its map, and what the network says of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.evaluation import Evaluation
from g3dvit_napari.metrics.asking import asked

DRAWS = 3
Probabilities = NDArray[np.float64]


def answer_to_masked(evaluation: Evaluation) -> tuple[float, float] | None:
    """Return the class's probability for the input, and for the input times its map.

    The map's positive part lies on the input's voxels, each as its nearest cell, and is scaled so
    that it runs from 0 to 1. None where it does not vary.
    """
    network, target = asked(evaluation.scene), evaluation.scene.target
    positive = np.maximum(evaluation.input_voxels, 0.0)
    spread = np.ptp(positive)
    if spread == 0:
        return None
    mask = ((positive - positive.min()) / spread).astype(np.float32)
    _, found = network.answers([network.image, network.image * mask])
    return float(found[0, target]), float(found[1, target])


def answers_by_chance(evaluation: Evaluation) -> list[tuple[float, float]]:
    """Return the same for maps drawn at random on patches, made once for all maps of a scene."""
    scene = evaluation.scene

    def made() -> list[tuple[float, float]]:
        shape = scene.patches.shape
        drawn = (np.random.default_rng((scene.seed, k)).random(shape) for k in range(DRAWS))
        answers = (answer_to_masked(evaluation.of_map(one, scene.patches)) for one in drawn)
        return [answer for answer in answers if answer is not None]

    return scene.once(("soft masks by chance", scene.target), made)
