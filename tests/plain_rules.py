"""The backward rules written out: a ViT3D as one graph, whole matrices, `detach` where it belongs.

Every sum with a bias is kept, to see what each bias contributes and where.
"""

from __future__ import annotations

from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from g3dvit_napari.models.networks.vit3d import PATCH_ORDER, ViT3D, sincos_positions


def half(x: Tensor) -> Tensor:
    """The same values, half the gradient."""
    return (x + x.detach()) / 2


class PlainRules:
    """A pass whose gradients follow the rules of LibraGrad, or with other choices those of others.

    `stills`: attention weights are constants; else every product is shared. `gates`: those of
    activations are constants. `norms`: the standard deviations of norms are.
    """

    def __init__(
        self, network: ViT3D, image: Tensor, *, stills: bool = True, gates: bool = True,
        norms: bool = True,
    ) -> None:  # fmt: skip
        self.network, self.stills, self.gates, self.norms = network, stills, gates, norms
        self.image = image.detach().requires_grad_()
        self.sums: list[tuple[int, Tensor, Tensor]] = []  # stage, bias, sum
        self.entering: list[Tensor] = []
        x = self.embedded(self.image)
        for block in network.blocks:
            self.entering.append(x)
            x = x + self.attended(block.attention, x)
            x = x + self.fed(block.feed_forward.net, x)
        self.logits = self.read(x)[0]

    def added(self, x: Tensor, bias: Tensor | None) -> Tensor:
        if bias is None:
            return x
        self.sums.append((len(self.entering), bias.detach(), x + bias.detach()))
        return self.sums[-1][2]

    def linear(self, layer: Any, x: Tensor) -> Tensor:
        return self.added(x @ layer.weight.mT, layer.bias)

    def normed(self, layer: Any, x: Tensor) -> Tensor:
        variance = x.var(-1, keepdim=True, correction=0)
        deviation = torch.sqrt(variance + layer.eps)
        if self.norms:
            deviation = deviation.detach()
        return self.added((x - x.mean(-1, keepdim=True)) / deviation * layer.weight, layer.bias)

    def embedded(self, image: Tensor) -> Tensor:
        network = self.network
        pf, ph, pw = network.spec.patch
        x = rearrange(image, PATCH_ORDER[network.spec.patch_order], pf=pf, p1=ph, p2=pw)
        for layer in network.to_patch_embedding:
            match layer:
                case nn.LayerNorm():
                    x = self.normed(layer, x)
                case nn.Linear():
                    x = self.linear(layer, x)
        if network.prefix_tokens == 0:
            return self.added(x, sincos_positions(network.spec.token_grid, x.shape[-1]).to(x)[None])
        x = torch.cat([torch.zeros_like(x[:, :1]), x], dim=1)
        positions = network.pos_embedding.detach().clone()
        positions[:, 0] += network.cls_token[0, 0].detach()
        return self.added(x, positions)

    def attended(self, attention: Any, x: Tensor) -> Tensor:
        q, k, v = attention.query_key_value(self.normed(attention.norm, x))
        if self.stills:
            weights = (q @ k.mT * attention.scale).softmax(-1).detach()
        else:
            weights, v = half((half(q) @ half(k).mT * attention.scale).softmax(-1)), half(v)
        mixed = (weights @ v).transpose(1, 2).flatten(2)
        (layer, *_) = (
            attention.to_out if isinstance(attention.to_out, nn.Sequential) else [attention.to_out]
        )
        return self.linear(layer, mixed)

    def fed(self, layers: Any, x: Tensor) -> Tensor:
        norm, first, *_, second = layers
        x = self.linear(first, self.normed(norm, x))
        gate = torch.distributions.Normal(0.0, 1.0).cdf(x)
        return self.linear(second, x * (gate.detach() if self.gates else gate))

    def read(self, x: Tensor) -> Tensor:
        network = self.network
        if network.prefix_tokens == 0:
            x = self.normed(network.transformer.norm, x)
        x = x[:, 0] if network.cls_pooling else x.mean(1)
        head = [network.linear_head] if network.prefix_tokens == 0 else network.mlp_head
        for layer in head:
            x = self.normed(layer, x) if isinstance(layer, nn.LayerNorm) else self.linear(layer, x)
        return x

    def terms(self, target: int, at: Tensor) -> Tensor:
        """z · ∇z at the image or at what enters a block."""
        (gradient,) = torch.autograd.grad(self.logits[target], at, retain_graph=True)
        return (at * gradient).detach()

    def bias_terms(self, target: int, stage: int = 0) -> list[Tensor]:
        """b · ∇(sum) of every bias from a stage on (0: the embedding, 1: the first block)."""
        chosen = [(bias, total) for of, bias, total in self.sums if of >= stage]
        gradients = torch.autograd.grad(
            self.logits[target], [total for _, total in chosen], retain_graph=True
        )
        return [(b * g).detach() for (b, _), g in zip(chosen, gradients, strict=True)]
