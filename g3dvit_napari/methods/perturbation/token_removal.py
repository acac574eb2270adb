"""Transformer Input Sampling (Englebert et al., ICCV Workshops 2023): tokens are left out."""

from __future__ import annotations

from typing import Annotated, cast

import torch
from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.as_found.capture import capturing, expect
from g3dvit_napari.models.networks.vit3d import ViT3D
from g3dvit_napari.models.passes.forward import ForwardPass
from g3dvit_napari.models.sampling.clusters import centroids_of
from g3dvit_napari.models.sampling.sampling import asked_in_batches, from_tokens


@METHODS.register(
    "Token removal (TIS)",
    signed=True,
    needs={"own blocks"},
    cost="many passes",
    reference="Englebert et al., Explaining Through Transformer Input Sampling, ICCVW 2023",
)
def token_removal(
    run: ForwardPass,
    targets: tuple[int, ...],
    *,
    masks: Annotated[int, {"min": 2, "max": 10000}] = 128,
    share: Annotated[float, {"min": 0.01, "max": 0.99, "step": 0.05}] = 0.5,
    seed: Annotated[int, {"min": 0}] = 0,
) -> TokenMaps:
    """Leave tokens out of the sequence and see which ones keep the explained number high.

    Token n gets r_n = Σ_k M_kn s_k / Σ_k M_kn - s̄, where s_k is the explained number when mask k
    keeps only the tokens with M_kn = 1, and s̄ is the mean over all masks. Removed tokens are not
    replaced by anything: after the positions are added they leave the sequence. The masks are the
    strongest tokens of centroids: k-means groups the features of all blocks' outputs, each a vector
    over the tokens. The paper takes the class's probability (choose that objective) and does not
    subtract s̄, which is reported as the mean score; its maps differ by that constant alone. A token
    that no mask keeps gets zero. The sign has a meaning: positive tokens speak for the class.

    Parameters
    ----------
    masks
        One forward pass each, of the kept tokens only; the paper takes 1024.
    share
        The share of the tokens that a mask keeps.
    seed
        Another seed starts k-means elsewhere.
    """
    network, site = cast(ViT3D, run.model.network), run.site(0)
    expect(run.tick, 1)
    with capturing(network):
        embedded, outputs = _outputs(network, run.image)
        prefix, patches = embedded[: site.prefix], embedded[site.prefix :]
        centroids = centroids_of(outputs[site.prefix :].T, masks, seed)
    run.tick()
    kept = centroids.topk(max(1, round(share * len(patches))), dim=1).indices

    def logits_with(indices: Tensor) -> Tensor:
        present = patches[indices]  # b t d
        return from_tokens(network, torch.cat([prefix.expand(len(present), -1, -1), present], 1))

    found = asked_in_batches(run, logits_with, kept, len(kept), targets)
    found[~centroids.isfinite().all(1).cpu()] = torch.nan  # such a centroid ranks nothing
    shows = found.new_zeros(len(kept), len(patches)).scatter_(1, kept.cpu(), 1)
    count, mean = shows.sum(0).clamp(min=1), found.mean(0)
    values = (found - mean).T @ shows / count
    magnitude = (found.abs() + mean.abs()).T @ shows / count
    never = float((~shows.any(0)).sum())
    figures = tuple({"mean_score": float(one), "tokens_never_kept": never} for one in mean)
    shape = (-1, *site.cells.shape)
    return TokenMaps(
        values.reshape(shape).numpy(), magnitude.reshape(shape).numpy(), figures=figures
    )


def _outputs(network: ViT3D, image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the tokens that enter the first block (n d), and all blocks' outputs (n (l d))."""
    x = embedded = network.embed(image)
    outputs = [x := block(x) for block in network.blocks]
    return embedded[0], torch.cat(outputs, dim=-1)[0]
