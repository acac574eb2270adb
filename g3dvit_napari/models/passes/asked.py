"""What every pass has in common: the network, the image, and what is asked of it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.regions import Regions
from g3dvit_napari.models.as_found.capture import Tick
from g3dvit_napari.models.objective import Objective

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle
    from g3dvit_napari.models.passes.forward import ForwardPass
    from g3dvit_napari.models.probing.anatomy import Site


class Files(Protocol):
    """Reads files that lie on the grid of the explained volume."""

    def image(self, path: str) -> NDArray[np.float32]:
        """Return a volume as the network's input (c f h w), prepared as the explained one."""
        ...

    def regions(self, path: str, cells: Cells) -> Regions:
        """Return the label of each cell (f h w) of the input from an image of labels."""
        ...


class Asked:
    """One image's pass as one request sees it; what the pass keeps is shared by all requests.

    model, image
        The network's handle, and its input (1 c f h w).
    logits
        (c), before any activation behind them.
    tick
        Called between steps of work; counts them, and may raise to stop.
    objective
        The number that is explained of each class.
    files
        What reads the files that a request names; None where no volume is known, only an image.
    kept
        Whether the network ran for an earlier request, not for this one.
    """

    logits: Tensor
    files: Files | None = None
    kept = False

    def __init__(self, model: ModelHandle, image: Tensor, tick: Tick) -> None:
        self.model, self.image, self.tick = model, image, tick
        self.objective = Objective(output=model.output)

    def asked(self, tick: Tick, objective: Objective) -> Self:
        """Return the same pass for another request."""
        other = copy.copy(self)
        other.tick, other.objective = tick, objective
        return other

    def starts(self, targets: Sequence[int]) -> Tensor:
        """Return the gradients (k 1 c) of the explained numbers at the logits."""
        return self.objective.starts(self.logits, targets)

    def site(self, block: int = -1) -> Site:
        """Return what is known of the norm or feature map of a block.

        Raises
        ------
        MethodError
            When there is no such block.
        """
        return self.model.site(block)


def files_of(run: ForwardPass) -> Files:
    """Return what reads the files that a request names, or raise `MethodError`."""
    if run.files is None:
        raise MethodError(
            "no file can be laid over an image without a grid; explain a volume, by api.explain"
        )
    return run.files
