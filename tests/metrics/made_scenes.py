"""A scene with a network that is known in closed form: an answer is a sum over what is there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.controls import judged
from g3dvit_napari.core.evaluation import Evaluation, Floats, Mask, Scene
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.removal import Removal, Sweep, counts_of
from g3dvit_napari.core.spec import ModelSpec
from g3dvit_napari.core.types import Volume


@dataclass(eq=False)
class Additive:
    """Logits (3) = offset + weights of the units that are there; every mask is noted."""

    weights: Floats  # units, 3
    offset: Floats = field(default_factory=lambda: np.zeros(3))
    image: NDArray[np.float32] = field(default_factory=lambda: np.zeros((1, 1, 1, 1), np.float32))
    met: list[Mask] = field(default_factory=list)

    def hidden(self, removal: Removal, masks: Iterable[Mask]) -> tuple[Floats, Floats]:  # noqa: ARG002
        masks = [mask.ravel() for mask in masks]
        self.met += masks
        logits = self.offset + (~np.stack(masks)).astype(float) @ self.weights
        return logits, softmax(logits)

    def sweep(self, removal: Removal, ranks: Any, *, insert: bool = False) -> Sweep:
        counts = counts_of(removal.steps, int((ranks >= 0).sum()))
        masks = [ranks >= n if insert else (ranks >= 0) & (ranks < n) for n in counts]
        return Sweep(counts / counts[-1], *self.hidden(removal, masks))

    def answers(self, images: Iterable[NDArray[np.float32]]) -> tuple[Floats, Floats]:
        logits = np.stack([self.offset + image.sum() * np.array([1, 0, -1]) for image in images])
        return logits, softmax(logits)


def softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)


def scene_of(volume: Volume, spec: ModelSpec, **given: Any) -> tuple[Scene, Additive]:
    """Return a scene of 36 patches whose network says class 0 because of a few of them."""
    random = np.random.default_rng(3)
    weights = np.stack([random.gamma(0.3, 1.0, 36), np.zeros(36), np.zeros(36)], axis=1)
    network = Additive(weights, np.array([-2.0, 0.0, -1.0]))
    return Scene(Placement(volume, spec), 0, network=network, **given), network


def map_of(values: Any, scene: Scene) -> Evaluation:
    """Return the map with these values (36) on the patches of a scene."""
    return judged(np.reshape(values, scene.patches.shape), scene)
