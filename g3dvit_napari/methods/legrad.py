"""LeGrad (Bousselham et al., ICCV 2025)."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.attention import AttentionLayer, Piece
from g3dvit_napari.models.attention_maps import class_parts, to_attention_maps
from g3dvit_napari.models.capture import expect
from g3dvit_napari.models.forward import ForwardPass
from g3dvit_napari.models.native_attention import Pooling
from g3dvit_napari.models.row_vectors import row_times


@METHODS.register(
    "LeGrad",
    needs={"own blocks"},
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
    The head includes the last layer norm, where the network has one in front of it.

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
    attention = run.attention()
    chosen = range(len(attention))[-layers:]  # -0 is all of them
    parts = list(class_parts(targets, attention[0].q.nbytes))
    expect(run.tick, len(chosen) * (len(parts) - 1))
    total = torch.zeros(len(targets), run.site().tokens, dtype=torch.float64)
    for block in chosen:
        found = []
        for part in parts:
            gradients = run.read_out_gradients(part, block, readout)
            found.append(_sensitivity(attention[block], gradients))
            run.tick()
        total += torch.cat(found)
    return to_attention_maps(run, total)


def _sensitivity(layer: AttentionLayer, mixed: Tensor) -> Tensor:
    """Return mean_h mean_i relu(∇A_h[i, n]) (k n), given ∇o (k g h r e)."""

    def matrix(piece: Piece, which: int) -> Tensor:
        return piece.gradient(mixed[which]).relu().mean(1, keepdim=True)

    mean = torch.zeros(len(mixed), 1, layer.site.tokens, dtype=torch.float64)
    mean[..., : mixed.shape[3]] = 1 / layer.site.tokens  # the gradient of the other rows is zero
    return row_times(layer, mean, matrix)[1][:, 0]
