"""Libra FullGrad against the rules written out: every bias counts at the token it is added to."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from other_networks import OTHERS
from plain_rules import PlainRules
from torch import Tensor, nn

from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.as_found.capture import capturing
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.networks.swin3d import Windows
from g3dvit_napari.models.rules.rules import LIBRA, Ruled

LAYERS = (nn.Linear, nn.LayerNorm)
FULL = METHODS["libra_full_grad"].function


@pytest.mark.parametrize("kind", ["class token", "mean", "simple"])
def test_values_follow_the_formula(build: Any, image: Tensor, kind: str) -> None:
    model = build(kind)
    maps = FULL(model.forward(image), (0, 3))
    plain = PlainRules(model.network, image)
    tokens = plain.entering[0].shape[1]
    for row, target in enumerate((0, 3)):
        found = plain.terms(target, plain.entering[0]).sum(-1)[0]
        shares = plain.bias_terms(target, stage=1)
        found += sum(s.sum(-1)[0] for s in shares if s.shape[1:2] == (tokens,) and s.ndim == 3)
        pooled = sum(float(s.sum()) for s in shares if s.ndim == 2)
        wanted = found[model.prefix_tokens :].numpy()
        np.testing.assert_allclose(maps.values[row].ravel(), wanted, rtol=0, atol=1e-12)
        told = maps.figures[row]
        assert told["explained"] == pytest.approx(wanted.sum(), abs=1e-12)
        assert told["completeness_error"] < 1e-12
        rest = told["score"] - told["explained"]
        assert rest == pytest.approx(float(found[: model.prefix_tokens].sum()) + pooled, abs=1e-12)


def test_it_matters_not_where_positions_are_counted(build: Any, image: Tensor) -> None:
    """Seen from the voxels, embedding and positions are biases; the token gets the same in all."""
    model = build("mean")
    plain = PlainRules(model.network, image)
    voxels = plain.terms(2, plain.image)
    shares = plain.bias_terms(2)
    f, h, w = model.network.spec.token_grid
    tokens = sum(s.sum(-1)[0, -f * h * w :] for s in shares if s.ndim == 3)
    patches = voxels.sum(1).reshape(f, 4, h, 5, w, 3).sum((1, 3, 5)).ravel()
    wanted = (tokens + patches).numpy()
    found = FULL(model.forward(image), (2,)).values[0].ravel()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["resnet", "a ViT of somebody's own"])
def test_networks_keep_back_only_the_biases_behind_their_pooling(name: str) -> None:
    model = OTHERS[name]()
    network = model.network.double()
    told = FULL(model.forward(noise(model)), (2,)).figures[0]
    head = [m for m in network.modules() if isinstance(m, nn.Linear)][-1]
    assert told["completeness_error"] < 1e-12
    assert told["biases"] == pytest.approx(head.bias[2].item(), abs=1e-12)
    assert told["explained"] == pytest.approx(told["score"] - told["biases"], abs=1e-12)


def test_what_is_added_in_windows_and_on_coarser_grids_comes_to_the_right_tokens() -> None:
    model = OTHERS["swin"]()
    model.network.double()
    image, grid = noise(model), (7, 10, 5)
    z, sums = run_by_the_rules(model, image, target=1)
    wanted = (z * z.grad).sum(-1)[0].detach()
    for name, bias, total in sums:
        share = (total.grad * bias).sum(-1).detach()[0]
        if ".attn." in name:
            share = out_of_windows(name, share)
        if share.ndim == 3:
            wanted += share if share.shape == grid else among_children(share, grid)
    maps = FULL(model.forward(image), (1,))
    assert maps.values.shape == (1, *grid)
    np.testing.assert_allclose(maps.values[0], wanted.numpy(), rtol=0, atol=1e-12)
    assert maps.figures[0]["completeness_error"] < 1e-12


def noise(model: ModelHandle) -> Tensor:
    return torch.randn(model.image_shape, generator=torch.Generator().manual_seed(2)).double()


def run_by_the_rules(
    model: ModelHandle, image: Tensor, target: int
) -> tuple[Tensor, list[tuple[str, Tensor, Tensor]]]:
    """What enters the first block, and every bias behind it with the sum it is part of."""
    sums: list[tuple[str, Tensor, Tensor]] = []
    entering: list[Tensor] = []

    def keep(name: str, layer: Any, inputs: Any, out: Tensor) -> None:
        if name == "layers1.0.blocks.0.norm1":
            inputs[0].retain_grad()
            entering.append(inputs[0])
        if entering and getattr(layer, "bias", None) is not None:
            out.retain_grad()
            sums.append((name, layer.bias.detach(), out))

    layers = [(n, m) for n, m in model.network.named_modules() if type(m) in LAYERS]
    hooks = [m.register_forward_hook(partial(keep, name)) for name, m in layers]
    with capturing(model.network), torch.enable_grad(), Ruled(LIBRA):
        logits = model.network(image.requires_grad_())[0]
    logits[target].backward()
    for hook in hooks:
        hook.remove()
    return entering[0], sums


def out_of_windows(name: str, share: Tensor) -> Tensor:
    """Put what was added in windows (w n) back on the grid; what is padding there is dropped."""
    stage, block = int(name[6]) - 1, int(name.split(".")[3])
    windows = Windows.over([(7, 10, 5), (4, 5, 3)][stage], (3, 4, 2), shifted=block == 1)
    return windows.join(share[None, ..., None])[0, ..., 0]


def among_children(share: Tensor, grid: tuple[int, ...]) -> Tensor:
    """Split each cell's share among the up to eight cells it was merged from."""
    out = torch.zeros(grid, dtype=share.dtype)
    for i, j, k in np.ndindex(*share.shape):
        part = out[2 * i : 2 * i + 2, 2 * j : 2 * j + 2, 2 * k : 2 * k + 2]
        part += share[i, j, k] / part.numel()
    return out
