"""The image with some of its patches, or voxels, replaced by those of a baseline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from g3dvit_napari.core.cells import Cells
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
    cells
        What is hidden at once, instead of patches.
    """

    def __init__(self, run: ForwardPass, baseline: Tensor, cells: Cells | None = None) -> None:
        self._run, self._baseline = run, baseline
        self._cells = cells or boxes_of(run)
        numbers = box_numbers(run.image.shape[2:], self._cells.size, self._cells.shape)
        self._numbers = numbers.to(baseline.device)
        self._tokens: Tensor | None = None
        network = run.model.network
        if isinstance(network, ViT3D) and self._cells == boxes_of(run):
            with capturing(network):
                self._tokens = network.embed(torch.cat([run.image, baseline]))

    @cached_property
    def differs(self) -> Tensor:
        """Which patches (f h w) differ from the baseline; hiding others changes nothing."""
        touched = torch.unique(self._numbers[(self._run.image != self._baseline)[0].any(0)]).cpu()
        found = torch.zeros(self._cells.count, dtype=torch.bool).index_fill(0, touched, True)
        return found.reshape(self._cells.shape)

    def scores(self, hidden: Iterable[Tensor], count: int, targets: Sequence[int]) -> Tensor:
        """Return the explained numbers (count k), each with the patches hidden that are True."""
        return asked_in_batches(self._run, self.logits, hidden, count, targets)

    def logits(self, hidden: Tensor) -> Tensor:
        """Map masks (b ...), True where a patch is hidden, to logits (b c)."""
        hidden = hidden.flatten(1).to(self._baseline.device)  # b patches
        network = self._run.model.network
        if isinstance(network, ViT3D) and self._tokens is not None:
            image, baseline = self._tokens
            among_all = F.pad(hidden, (network.prefix_tokens, 0))
            return from_tokens(network, torch.where(among_all[..., None], baseline, image))
        among_voxels = hidden[:, None, self._numbers]
        return logits_of(self._run, torch.where(among_voxels, self._baseline, self._run.image))
