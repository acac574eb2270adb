"""The image with some of its patches replaced by those of a baseline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from g3dvit_napari.models.as_found.capture import capturing
from g3dvit_napari.models.networks.vit3d import ViT3D
from g3dvit_napari.models.sampling.boxes import box_numbers, boxes_of
from g3dvit_napari.models.sampling.sampling import asked_in_batches, from_tokens, logits_of

if TYPE_CHECKING:
    from g3dvit_napari.models.passes.forward import ForwardPass


class Hiding:
    """Hides patches of one image and asks the network.

    Our own network looks at each patch by itself before its first block, so there the tokens of
    both images are made once, and exchanged.

    Parameters
    ----------
    baseline
        What stands where a patch is hidden (1 c f h w).

    Attributes
    ----------
    differs
        Which patches (f h w) differ from the baseline anywhere; hiding others changes nothing.
    """

    def __init__(self, run: ForwardPass, baseline: Tensor) -> None:
        self._run, self._baseline = run, baseline
        patches = boxes_of(run)
        self._numbers = box_numbers(run.image.shape[2:], patches.size, patches.shape)
        self._numbers = self._numbers.to(baseline.device)
        touched = torch.unique(self._numbers[(run.image != baseline)[0].any(0)]).cpu()
        self.differs = torch.zeros(patches.count, dtype=torch.bool).index_fill(0, touched, True)
        self.differs = self.differs.reshape(patches.shape)
        network = run.model.network
        if isinstance(network, ViT3D):
            with capturing(network):
                self._tokens = network.embed(torch.cat([run.image, baseline]))

    def scores(self, hidden: Iterable[Tensor], count: int, targets: Sequence[int]) -> Tensor:
        """Return the explained numbers (count k), each with the patches hidden that are True."""
        return asked_in_batches(self._run, self._logits, hidden, count, targets)

    def _logits(self, hidden: Tensor) -> Tensor:
        hidden = hidden.flatten(1).to(self._baseline.device)  # b patches
        network = self._run.model.network
        if isinstance(network, ViT3D):
            image, baseline = self._tokens
            among_all = F.pad(hidden, (network.prefix_tokens, 0))
            return from_tokens(network, torch.where(among_all[..., None], baseline, image))
        among_voxels = hidden[:, None, self._numbers]
        return logits_of(self._run, torch.where(among_voxels, self._baseline, self._run.image))
