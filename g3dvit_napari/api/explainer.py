"""The method that made a map, ready to be asked again: another input, class or network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.progress import Progress
from g3dvit_napari.core.types import Explanation, ExplanationRequest
from g3dvit_napari.io.same_grid import SameGrid
from g3dvit_napari.methods import METHODS

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle
    from g3dvit_napari.models.passes.forward import ForwardPass

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MethodExplainer:
    """One method with its settings, on one network and one volume; see `core.explainer`.

    request
        What was asked of the method, its class by number.
    placement
        Of the volume in the network, for files that lie beside it.
    progress
        Called while the method works; may raise `Cancelled`.
    """

    model: ModelHandle
    request: ExplanationRequest
    placement: Placement
    progress: Progress | None = None

    @cached_property
    def stages(self) -> Sequence[str]:
        """The parts of the network whose weights can be drawn anew, head first."""
        from g3dvit_napari.models.stages import stages_of

        return tuple(stages_of(self.model))

    def again(self, image: NDArray[np.float32]) -> Floats:
        """Explain the same class of another input (c f h w); raw tokens (f h w)."""
        return self._tokens(self.model, image, self._target)

    def of_class(self, target: int) -> Floats:
        """Explain another class of the same input; raw tokens (f h w)."""
        return self._tokens(self.model, self._image, target)

    def randomised(self, stages: Sequence[str], seed: int) -> Floats:
        """Explain the same class of the same input to a network with these stages drawn anew.

        Raises
        ------
        MethodError
            When the network has no such stage.
        """
        from g3dvit_napari.models.randomised import randomised

        made = randomised(self.model, seed, stages=stages)
        return self._tokens(made, self._image, self._target)

    @cached_property
    def _image(self) -> NDArray[np.float32]:
        return self.placement.to_tensor()

    @property
    def _target(self) -> int:
        return int(self.request.target or 0)

    def _tokens(self, model: ModelHandle, image: NDArray[np.float32], target: int) -> Floats:
        from g3dvit_napari.models.objective import Objective
        from g3dvit_napari.models.running import with_pass

        request = self.request
        against = None if request.against is None else int(request.against)
        asked, entry = Objective(request.objective, against, model.output), METHODS[request.method]

        def work(run: ForwardPass) -> Floats:
            run.files = SameGrid(self.placement)
            maps = entry.function(run, (target,), **request.parameters)
            return np.asarray(maps.of_class(0).values, dtype=np.float64)

        return with_pass(model, image, self.progress, work, passes=2, objective=asked)


def explainer_of(
    explanation: Explanation, model: ModelHandle, progress: Progress | None = None
) -> MethodExplainer:
    """Return the method behind an explanation, to be asked again of the same network."""
    request = replace(explanation.request, target=explanation.target)
    return MethodExplainer(model, request, explanation.scaled.placement, progress)
