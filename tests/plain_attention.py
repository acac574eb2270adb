"""Attention methods' raw material the slow way: whole matrices and one graph for everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from g3dvit_napari.models.networks.vit3d import ViT3D


@dataclass
class Plain:
    """A pass with every matrix in the graph: scores S and attention A (h n n) per block."""

    network: ViT3D
    logits: Tensor
    scores: list[Tensor] = field(default_factory=list)
    weights: list[Tensor] = field(default_factory=list)
    leaving: list[Tensor] = field(default_factory=list)  # what leaves each block (1 n d)

    def gradients(self, number: Tensor) -> list[Tensor]:
        """∇A (h n n) of every block; zeros where a block has no influence."""
        found = torch.autograd.grad(number, self.weights, retain_graph=True, allow_unused=True)
        pairs = zip(found, self.weights, strict=True)
        return [torch.zeros_like(a) if g is None else g for g, a in pairs]

    @property
    def reading(self) -> Tensor:
        """The row vector (n) that reads the output: the class token's, or the mean of all."""
        count = self.weights[0].shape[-1]
        if not self.network.cls_pooling:
            return torch.full((count,), 1 / count, dtype=torch.float64)
        return torch.eye(count, dtype=torch.float64)[0]


def plain_pass(network: ViT3D, image: Tensor, *, detached: bool = False) -> Plain:
    """Run a network in so many words. `detached`: the input of every attention is a constant."""
    plain = Plain(network, torch.empty(0))
    x = network.embed(image)
    for block in network.blocks:
        attention = block.attention
        q, k, v = attention.query_key_value(attention.norm(x.detach() if detached else x))
        scores = (q @ k.mT * attention.scale)[0]
        weights = scores.softmax(-1)
        if detached:
            weights = weights.detach().requires_grad_()
        plain.scores.append(scores.detach())
        plain.weights.append(weights)
        mixed = (weights @ v[0])[None].transpose(1, 2).flatten(2)
        x = x + attention.to_out(mixed)
        x = x + block.feed_forward(x)
        plain.leaving.append(x)
    plain.logits = network.read_out(x)[0]
    return plain


def patches(row: Tensor, prefix: int) -> Sequence[float]:
    """The patches' part of a row, as an array."""
    return row[..., prefix:].detach().numpy()
