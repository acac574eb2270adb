"""Untrained networks of a recipe, and their specs."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from g3dvit_napari.benchmark.sample import Task
from g3dvit_napari.benchmark.training.recipe import Recipe, ResNet, ViT
from g3dvit_napari.core.spec import ModelSpec, NetworkSpec, Triple
from g3dvit_napari.models.networks.resnet3d import ResNet3D, ResNetLayout
from g3dvit_napari.models.networks.vit3d import Layout, ViT3D


def spec_of(recipe: Recipe, task: Task) -> ModelSpec:
    """Return the spec of a recipe's network."""
    return ModelSpec(
        name=recipe.id,
        description=f"{task.title}; trained by g3dvit_napari.benchmark.",
        network=_network_spec(recipe.network, task),
        input=task.input,
        class_names=task.class_names,
    )


def _network_spec(network: ViT | ResNet, task: Task) -> NetworkSpec:
    axes = ["xyz".index(letter) for letter in task.input.tensor_axes or "xyz"]
    size = cast(Triple, tuple(task.shape[axis] for axis in axes))
    classes = len(task.class_names)
    if isinstance(network, ResNet):
        return NetworkSpec(
            family="resnet_3d",
            image_size=size,
            patch=network.stride,
            channels=1,
            classes=classes,
            stride=network.stride,
            max_pool=False,
        )
    return NetworkSpec(
        family="vit_3d",
        image_size=size,
        patch=network.patch,
        channels=1,
        classes=classes,
        dim=network.dim,
        depth=network.depth,
        heads=network.heads,
        dim_head=network.dim_head,
        mlp_dim=network.mlp_dim,
        pool=network.pool,
        patch_order="new",
    )


def fresh(recipe: Recipe, task: Task) -> nn.Module:
    """Return the untrained network of a recipe, the same every time.

    Positions and class token start as in vit-pytorch: normal, by default of deviation 1.
    """
    spec, network = spec_of(recipe, task).network, recipe.network
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        if isinstance(network, ResNet):
            layout = ResNetLayout(network.blocks, network.widths, kernel=network.kernel)
            return ResNet3D(spec, layout)
        vit = ViT3D(spec, Layout(patch_norm=network.embedding == "layernorm"))
        nn.init.normal_(vit.pos_embedding, std=network.positions)
        nn.init.normal_(vit.cls_token, std=network.positions)
        with torch.no_grad():
            cast(nn.Linear, vit.to_patch_embedding[2]).weight.mul_(network.gain)
    return vit
