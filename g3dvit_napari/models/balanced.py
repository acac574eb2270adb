"""LibraGrad's balanced gradients: each token's share of a logit, adding up to it exactly.

The values stay those of the network; only the way back changes. The standard deviation of a norm,
the gate Φ(x) of GELU = x·Φ(x) and the attention weights are held constant. The network is then an
affine function of its tokens, so Σ z·∇z + Σ bias·∇bias = logit (Mehri et al., LibraGrad, 2025; the
attention rule of Ali et al., 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.capture import Recorded, Stage, Tick
from g3dvit_napari.models.vit3d import Block, ViT3D

CHUNK_BYTES = 256 * 2**20  # of gradients held at a time


@dataclass(frozen=True, eq=False)
class Balanced:
    """Relevance of every token (k n), what the biases add (k), and the logits (k); float64.

    `magnitude` is the sum of the absolute terms behind each relevance.
    """

    relevance: Tensor
    magnitude: Tensor
    bias_part: Tensor
    logits: Tensor

    @property
    def residual(self) -> Tensor:
        """What completeness misses (k): zero up to rounding."""
        return self.logits - self.relevance.sum(-1) - self.bias_part


def balanced_relevance(
    network: ViT3D, entering: Sequence[Tensor], start: Tensor, tick: Tick
) -> Balanced:
    """Return the relevance of the tokens that enter the first block.

    Parameters
    ----------
    network
        The network.
    entering
        What enters each block, each (1 n d).
    start
        Gradients (k 1 classes) at the logits, one-hot.
    tick
        Called after each block.
    """
    step = max(1, CHUNK_BYTES // entering[0].nbytes)
    parts = [_chunk(network, entering, rows, tick) for rows in torch.split(start, step)]
    columns = zip(*parts, strict=True)
    return Balanced(*(torch.cat(column) for column in columns))


def _chunk(
    network: ViT3D, entering: Sequence[Tensor], gradients: Tensor, tick: Tick
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Go back block by block; every block is run again, so only one block's graph exists."""
    start, logits = gradients[:, 0], None
    bias_part = torch.zeros(len(gradients), dtype=torch.float64)
    for index in reversed(range(len(entering))):
        rules = BalancedRules()
        recorded = Recorded(_stage(network, index, rules), entering[index])
        logits = recorded.value[0] if logits is None else logits
        pulled = recorded.pull(gradients, also=rules.biases)
        gradients = torch.stack([first for first, *_ in pulled])
        bias_part += torch.stack([rules.share(rest) for _, *rest in pulled])
        tick()
    terms = (entering[0] * gradients)[:, 0].cpu().double()
    reached = (start @ cast(Tensor, logits)).cpu().double()
    return terms.sum(-1), terms.abs().sum(-1), bias_part, reached


def _stage(network: ViT3D, index: int, rules: BalancedRules) -> Stage:
    """Return a block; the last one goes on to the logits, over the rows that are read."""
    blocks = network.blocks
    if index < len(blocks) - 1:
        return lambda x: rules.block(blocks[index], x)
    rows = 1 if network.cls_pooling else None
    return lambda x: rules.read_out(network, rules.block(blocks[index], x, rows))


class BalancedRules:
    """Runs parts of a ViT3D so that the gradients of what they return follow the balanced rules.

    Every bias that takes part is remembered as a leaf, to account for its share of the logit.
    """

    def __init__(self) -> None:
        self.biases: list[Tensor] = []

    def share(self, gradients: Sequence[Tensor]) -> Tensor:
        """Return Σ bias·∇bias, given the gradients of `biases`."""
        pairs = zip(self.biases, gradients, strict=True)
        products = [(bias.detach() * gradient).cpu().double().sum() for bias, gradient in pairs]
        return torch.stack(products).sum() if products else torch.zeros((), dtype=torch.float64)

    def block(self, block: Block, x: Tensor, rows: int | None = None) -> Tensor:
        """Run one block; `rows` tokens come out, all of them when None."""
        attention = block.attention
        normed = self.apply(attention.norm, x)
        to_q, to_k, to_v = attention.to_qkv.weight.chunk(3)
        still = normed.detach()  # the attention weights are held constant: only v carries
        q = attention.split_heads(F.linear(still[:, :rows], to_q))
        k = attention.split_heads(F.linear(still, to_k))
        v = attention.split_heads(F.linear(normed, to_v))
        mixed = F.scaled_dot_product_attention(q, k, v, scale=attention.scale)
        x = self.apply(attention.to_out, mixed.transpose(1, 2).flatten(2)) + x[:, :rows]
        return self.apply(block.feed_forward.net, x) + x

    def read_out(self, network: ViT3D, x: Tensor) -> Tensor:
        """Map the tokens after the last block to logits (b k), as `ViT3D.read_out` does."""
        if hasattr(network.transformer, "norm"):
            x = self.apply(network.transformer.norm, x)
        x = x[:, 0] if network.cls_pooling else x.mean(dim=1)
        return self.apply(
            network.linear_head if network.prefix_tokens == 0 else network.mlp_head, x
        )

    def apply(self, layer: nn.Module | Tensor, x: Tensor) -> Tensor:
        """Run one layer, or a sequence of layers, under its rule."""
        match layer:
            case nn.Sequential():
                for part in layer:
                    x = self.apply(part, x)
                return x
            case nn.Linear():
                return F.linear(x, layer.weight, self._leaf(layer.bias))
            case nn.LayerNorm():
                return self._layer_norm(layer, x)
            case nn.GELU():
                return x * _gate(x.detach())
            case nn.Identity():
                return x
        raise MethodError(
            f"no balanced rule for a {type(layer).__name__} layer; choose another method"
        )

    def _layer_norm(self, layer: nn.LayerNorm, x: Tensor) -> Tensor:
        centred = x - x.mean(-1, keepdim=True)
        variance = centred.detach().square().mean(-1, keepdim=True)
        scaled = centred * (variance + layer.eps).rsqrt()
        if layer.weight is not None:
            scaled = scaled * layer.weight
        bias = self._leaf(layer.bias)
        return scaled if bias is None else scaled + bias

    def _leaf(self, bias: Tensor | None) -> Tensor | None:
        if bias is None:
            return None
        self.biases.append(bias.detach().requires_grad_())
        return self.biases[-1]


def _gate(x: Tensor) -> Tensor:
    """Return Φ(x), the share of x that GELU lets through."""
    return 0.5 * (1.0 + torch.erf(x * 0.5**0.5))
