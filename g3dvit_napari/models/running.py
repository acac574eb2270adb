"""Work on a forward pass: with progress, and on the CPU when the GPU has too little memory."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from g3dvit_napari.core.memory import lacks_memory
from g3dvit_napari.core.progress import Progress, Ticks
from g3dvit_napari.core.types import Prediction
from g3dvit_napari.models.as_found.precision import full_precision
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.objective import Objective
from g3dvit_napari.models.passes.forward import ForwardPass

T = TypeVar("T")
_log = logging.getLogger(__name__)


def with_pass(
    model: ModelHandle,
    tensor: NDArray[np.float32],
    progress: Progress | None,
    work: Callable[[ForwardPass], T],
    *,
    passes: int = 1,
    objective: Objective | None = None,
) -> T:
    """Run the network on one input (c f h w), or take the pass it remembers, and do some work.

    `passes` is how often all blocks are gone through, for the progress. The retry after a lack of
    GPU memory moves the network to the CPU for good: the next volume would not fit either.
    """
    image = torch.from_numpy(tensor)[None]
    tick = Ticks(progress, passes * model.blocks, "running the network")
    with full_precision():  # of what a method computes from the pass, too
        try:
            return work(model.forward(image, tick, objective))
        except RuntimeError as error:
            if model.device.type == "cpu" or not lacks_memory(error):
                raise
            _log.warning("not enough memory on %s: going on with the CPU", model.device)
            return work(model.to("cpu").forward(image, tick, objective))


def moved_from(device: torch.device, model: ModelHandle) -> tuple[str, ...]:
    """Say that a network has left the device it was asked to work on; nothing where it has not."""
    if model.device == device:
        return ()
    return (f"{device} has too little memory: computed on the {model.device}",)


def prediction_of(run: ForwardPass) -> Prediction:
    """Return one logit and one probability per class."""
    logits, objective = run.logits.cpu().double(), run.objective
    each, probabilities = objective.class_logits(logits), objective.probabilities(logits)
    names = run.model.class_names
    return Prediction(tuple(each.tolist()), tuple(probabilities.tolist()), names)
