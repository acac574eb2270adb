"""FullGrad (Srinivas and Fleuret, NeurIPS 2019), for convolutional networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from g3dvit_napari.core.cells import Cells, Triple
from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.as_found.capture import capturing, expect
from g3dvit_napari.models.exact_sum import exact_sum
from g3dvit_napari.models.features.upsampling import Upsampling
from g3dvit_napari.models.passes.forward import ForwardPass
from g3dvit_napari.models.rules.ledger import Ledger
from g3dvit_napari.models.rules.rules import LIBRA
from g3dvit_napari.models.rules.whole_graph import WholeGraph

Scaling = Literal["channel", "none"]


@METHODS.register(
    "FullGrad",
    needs={"convolutions"},
    cost="one pass",
    reference="Srinivas and Fleuret, Full-Gradient Representation for Neural Network "
    "Visualization, NeurIPS 2019",
)
def full_grad(
    run: ForwardPass, targets: tuple[int, ...], *, scaling: Scaling = "channel"
) -> TokenMaps:
    """Add up what the voxels and the biases of every layer contribute, whatever its sign.

    Voxel n gets r_n = Σ_c ψ(x_c ⊙ ∇x_c)_n + Σ_l Σ_c ψ(b_lc · ∇o_lc)_n, with x the input's channels,
    b_l the bias of every layer l that yields a feature map o_l, and ψ the absolute value, scaled
    per channel c, upsampled to voxels by trilinear interpolation. The bias of a batch norm is
    β - μ γ / √(σ² + ε). Without ψ the voxels (`inputs`) and all biases (`biases`) add up to the
    logit exactly, as `completeness_error` shows; in ReLU networks with batch norms the gradients
    are the ordinary ones, while other norms hold their standard deviation constant and activations
    like SiLU their gate (LibraGrad's rules), without which the sum is not the logit.

    Parameters
    ----------
    scaling
        As published each "channel" is scaled from 0 to 1, so that channels count alike however
        small their gradients; "none": they keep their size.
    """
    rows, figures, starts = [], [], run.starts(targets)
    expect(run.tick, 1 + len(targets))
    with capturing(run.model.network):
        graph = WholeGraph(run.model, run.image, LIBRA)
        run.tick()
        for start in starts[:, 0]:
            maps = FeatureMaps(scaling)
            inputs = run.image * graph.pull(start, maps)
            on_input = _psi(inputs[0], scaling).cpu().double()
            rows.append(on_input + maps.on_voxels(run.image.shape[2:]))
            score, share = start @ graph.logits.detach(), exact_sum(inputs.flatten())
            figures.append(_figures(float(score), float(share), float(maps.total(0))))
            run.tick()
    values = torch.stack(rows).numpy()
    return TokenMaps(values, values, Cells.voxels(run.image.shape[2:]), tuple(figures))


def _figures(score: float, inputs: float, biases: float) -> Mapping[str, float]:
    error = abs(score - inputs - biases)
    return {"score": score, "inputs": inputs, "biases": biases, "completeness_error": error}


def _psi(channels: Tensor, scaling: Scaling) -> Tensor:
    """Return the sum over channels (c f h w) of their sizes; scaled, a constant channel is 0."""
    sizes = channels.abs()
    if scaling == "channel":
        low, high = sizes.amin((1, 2, 3), keepdim=True), sizes.amax((1, 2, 3), keepdim=True)
        sizes = torch.where(high > low, (sizes - low) / (high - low), 0)
    return sizes.sum(0)


class FeatureMaps(Ledger):
    """A ledger that also keeps ψ of what is added to feature maps, one map for each grid."""

    def __init__(self, scaling: Scaling) -> None:
        super().__init__()
        self._scaling: Scaling = scaling
        self._maps: dict[Triple, Tensor] = {}

    def add(self, stage: int, gradient: Tensor, added: Tensor, axis: int | None) -> None:
        """Account for one addition; see `rules.Books`."""
        super().add(stage, gradient, added, axis)
        if gradient.ndim != 5 or axis is None:
            return
        channels = gradient[0].movedim(0 if axis == 1 else -1, 0) * added.view(-1, 1, 1, 1)
        f, h, w = channels.shape[1:]
        found = _psi(channels, self._scaling).cpu().double()
        self._maps[f, h, w] = self._maps.get((f, h, w), 0) + found

    def on_voxels(self, image_size: torch.Size) -> Tensor:
        """Return the sum of all maps, each taken to cover the input evenly."""
        total = torch.zeros(image_size, dtype=torch.float64)
        for grid, found in self._maps.items():
            size = [n / cells for n, cells in zip(image_size, grid, strict=True)]
            total += Upsampling(Cells.tiling(grid, size), image_size)(found)
        return total
