"""A small scene, and a network whose answers are known: any function of the input."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.evaluation import Evaluation, Scene
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.removal import Removal
from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec
from g3dvit_napari.core.types import Volume

Floats = NDArray[np.float64]
SIZE, PATCH = (6, 8, 10), (2, 2, 2)
VOXELS = Cells.voxels(SIZE)
Function = Callable[[Floats], Floats]  # an input (c f h w) to logits (classes)


class Known:
    """A stand-in for a network: logits by a function, patches removed by setting them to zero."""

    def __init__(self, image: NDArray[np.float32], function: Function) -> None:
        self.image, self._function = image, function
        self.asked: list[NDArray[np.float32]] = []

    def hidden(self, removal: Removal, masks: Iterable[NDArray[np.bool_]]) -> tuple[Floats, Floats]:
        assert (removal.substrate, removal.unit) == ("zero", "patch")
        grid = [n // p for n, p in zip(SIZE, PATCH, strict=True)]
        images = []
        for mask in masks:
            gone = np.kron(mask.reshape(grid), np.ones(PATCH)).astype(bool)
            images.append(np.where(gone, np.float32(0), self.image))
        return self.answers(images)

    def answers(self, images: Iterable[NDArray[np.float32]]) -> tuple[Floats, Floats]:
        asked = list(images)
        self.asked += asked
        logits = np.stack([self._function(image.astype(np.float64)) for image in asked])
        exp = np.exp(logits - logits.max(axis=1, keepdims=True))
        return logits, exp / exp.sum(axis=1, keepdims=True)

    def sweep(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


def picture(seed: int = 1) -> NDArray[np.float32]:
    """Return an input (f h w)."""
    return np.random.default_rng(seed).normal(1.0, 2.0, SIZE).astype(np.float32)


def scene_of(
    image: NDArray[np.float32] | None = None, function: Function | None = None, **known: Any
) -> Scene:
    """Return the scene of class 0 of one input, which lies voxel on voxel in its volume."""
    image = picture() if image is None else image
    network = NetworkSpec(
        family="module", image_size=SIZE, patch=PATCH, channels=1, **{"classes": 2, **known}
    )
    rules = InputSpec(orientation="RAS", intensity="none", tensor_axes="xyz", fit="crop-pad")
    placement = Placement(Volume(image, np.eye(4)), ModelSpec(network=network, input=rules))
    asked = None if function is None else Known(image[None], function)
    return Scene(placement, 0, network=asked)


def judged(scene: Scene, tokens: NDArray[Any], **known: Any) -> Evaluation:
    """Return a map to be judged, signed unless said otherwise; of voxels if it is as fine."""
    cells = VOXELS if tokens.shape == SIZE else None
    return Evaluation(tokens.astype(np.float64), scene, cells=cells, **{"signed": True, **known})


def linear(weights: Floats) -> Function:
    """Return the network whose first logit is <w, x> (w: f h w); the second one is zero."""
    return lambda x: np.array([float((weights * x).sum()), 0.0])
