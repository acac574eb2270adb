"""Grad-CAM, token by token and feature by feature."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from g3dvit_napari.methods import METHODS


@pytest.mark.parametrize("kind", ["class token", "mean", "simple"])
@pytest.mark.parametrize("block", [0, -1])
def test_values_follow_the_formula(build: Any, image: Tensor, kind: str, block: int) -> None:
    model, kept = build(kind), []
    norm = model.network.blocks[block].attention.norm
    hook = norm.register_forward_hook(lambda _m, _i, out: kept.append(out))
    logits = model.network(image)[0]
    hook.remove()
    maps = METHODS["grad_cam"].function(model.forward(image), (3, 0), block=block)
    first = model.prefix_tokens
    for row, target in enumerate((3, 0)):
        (g,) = torch.autograd.grad(logits[target], kept[0], retain_graph=True)
        a, g = kept[0][0, first:].detach().numpy(), g[0, first:].numpy()
        wanted = np.zeros(len(a))
        for d in range(a.shape[1]):
            alpha = sum(g[n, d] for n in range(len(a))) / len(a)
            wanted += alpha * a[:, d]
        assert np.abs(wanted).max() > 1e-4
        np.testing.assert_allclose(maps.values[row].ravel(), wanted, rtol=0, atol=1e-12)
        assert (maps.magnitude[row] >= np.abs(maps.values[row])).all()
