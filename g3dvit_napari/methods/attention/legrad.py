"""LeGrad (Bousselham et al., ICCV 2025)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.as_found.capture import expect
from g3dvit_napari.models.attention.attention import AttentionLayer, Piece
from g3dvit_napari.models.attention.attention_maps import class_parts, to_attention_maps
from g3dvit_napari.models.attention.row_vectors import row_times
from g3dvit_napari.models.passes.forward import ForwardPass
from g3dvit_napari.models.passes.native_attention import Pooling


@METHODS.register(
    "LeGrad",
    needs={"attention", "movable head"},
    cost="one pass",
    reference="Bousselham et al., LeGrad, ICCV 2025, arXiv:2404.03214",
)
def legrad(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    layers: Annotated[int, {"min": 0, "max": 64}] = 0,
    readout: Pooling = "mean",
) -> TokenMaps:
    """Ask of each block how its attention feeds the class, the head reading that block's output.

    With z_l the tokens that leave block l and s_l = head(mean z_l) the class's logit if the head
    read them, token n gets r_n = Σ_l mean_h mean_i relu(∂s_l/∂A_lh[i, n]) over all query rows i.
    The head includes the last layer norm, where the network has one in front of it. Of a network
    that merges patches the head can read the last blocks alone.

    Parameters
    ----------
    layers
        How many of the last blocks are summed: 0 for all, 2 as in the published code.
    readout
        What the head reads: the "mean" of all tokens, as in the published code even for networks
        that are trained to read the class token, or the class token ("cls").
    """
    if readout == "cls" and not run.site().prefix:
        raise MethodError("the network has no class token to read; set readout to mean")
    attention, readable = run.attention(), len(run.model.anatomy.leaving)
    count = min(layers or readable, readable)
    rows, parts = [], list(class_parts(targets, attention[-1].q.nbytes))
    expect(run.tick, count * (len(parts) - 1))
    for part in parts:
        blocks = run.read_out_gradients(part, len(attention) - count, readout)
        found = map(_sensitivity, attention[-count:], blocks)
        rows.append(torch.stack(list(found)).sum(0))
    maps = to_attention_maps(run, torch.cat(rows), block=-1)
    if readable == len(attention):
        return maps
    remark = (
        f"only the last {readable} of {len(attention)} blocks hold tokens that the head can read"
    )
    return replace(maps, remarks=(remark,))


def _sensitivity(layer: AttentionLayer, mixed: Tensor) -> Tensor:
    """Return mean_h mean_i relu(∇A_h[i, n]) (k n), given ∇o (k g h r e)."""

    def matrix(piece: Piece, which: int) -> Tensor:
        return piece.gradient(mixed[which]).relu().mean(1, keepdim=True)

    mean = torch.full(
        (len(mixed), 1, layer.site.tokens), 1 / layer.site.tokens, dtype=torch.float64
    )
    if layer.windows is None:
        mean[..., mixed.shape[3] :] = 0  # rows left out, whose gradient is zero
    return row_times(layer, mean, matrix)[1][:, 0]
