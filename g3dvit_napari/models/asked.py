"""What every pass has in common: the network, the image, and what is asked of it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from torch import Tensor

from g3dvit_napari.models.capture import Tick
from g3dvit_napari.models.objective import Objective

if TYPE_CHECKING:
    from g3dvit_napari.models.anatomy import Site
    from g3dvit_napari.models.handle import ModelHandle


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
    """

    logits: Tensor

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
