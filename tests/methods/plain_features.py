"""Features and gradients as a textbook takes them: hooks, one whole graph, one class at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.probing.anatomy import Anatomy, Site

KINDS = ["class token", "mean", "simple", "convolutional"]
PLACES = [(kind, block) for kind in KINDS[:3] for block in (0, -1)] + [("convolutional", -1)]


class Convolutional(nn.Module):
    """Features that are never negative, and something behind them that is not linear."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv3d(2, 7, 5, (4, 5, 3), padding=2), nn.ReLU())
        self.last = nn.Sequential(nn.Conv3d(7, 5, 3, padding=1), nn.GELU())
        self.head = nn.Linear(5, 4)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.last(self.features(image)).mean((2, 3, 4)))


def convolutional() -> ModelHandle:
    """A small 3D CNN whose cells do not tile the image: the first one lies on the first voxel."""
    torch.manual_seed(6)
    spec = NetworkSpec(family="module", image_size=(12, 20, 9), channels=2, classes=4)
    network = Convolutional().double()
    handle = ModelHandle(network, ModelSpec(network=spec), torch.device("cpu"), tuple("abcd"))
    cells = Cells((3, 4, 3), (4.0, 5.0, 3.0), (0.0, 0.0, 0.0))
    vars(handle)["anatomy"] = Anatomy((Site("features", "b d f h w", 0, cells),))
    return handle


def network_of(kind: str, build: Callable[..., ModelHandle]) -> ModelHandle:
    """One of `KINDS`."""
    return convolutional() if kind == "convolutional" else build(kind)


def plain_features(
    model: ModelHandle, image: Tensor, block: int = -1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the features (n d) of all cells and the gradients (c n d) of all logits there."""
    site, kept = model.site(block), []
    hook = model.network.get_submodule(site.name).register_forward_hook(
        lambda _m, _i, out: kept.append(out)
    )
    logits = model.network(image)[0]
    hook.remove()
    gradients = [torch.autograd.grad(y, kept[0], retain_graph=True)[0] for y in logits]

    def cells(out: Any) -> NDArray[np.float64]:
        found = out[0].detach().numpy()
        return found[site.prefix :] if found.ndim == 2 else found.reshape(len(found), -1).T

    return cells(kept[0]), np.stack([cells(g) for g in gradients])
