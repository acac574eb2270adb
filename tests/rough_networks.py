"""Networks far from their initial, flat state, and what a pass could leave behind in them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from g3dvit_napari.models.networks.vit3d import ViT3D


def roughen(network: ViT3D, spread: float = 0.5) -> None:
    """Move norms from one and zero by `spread`, sharpen attention, draw positions."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.LayerNorm):
                module.weight.normal_(1, spread)
                module.bias.normal_(0, spread)
        for block in network.blocks:
            block.attention.to_qkv.weight.mul_(4)
        if network.prefix_tokens:
            network.pos_embedding.normal_()
            network.cls_token.normal_()


def fingerprint(network: nn.Module) -> list[Any]:
    """All that a pass could leave behind in a network."""
    modules = [
        (m.training, len(m._forward_hooks), len(m._backward_hooks)) for m in network.modules()
    ]
    parameters = [
        (p.requires_grad, id(p.grad), p._version, p.data_ptr()) for p in network.parameters()
    ]
    return [*modules, *parameters]
