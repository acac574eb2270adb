"""HiResCAM, element by element."""

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
    maps = METHODS["hires_cam"].function(model.forward(image), (2, 1), block=block)
    for row, target in enumerate((2, 1)):
        (g,) = torch.autograd.grad(logits[target], kept[0], retain_graph=True)
        terms = (kept[0] * g)[0, model.prefix_tokens :].detach().numpy()
        wanted = terms.sum(-1)
        assert wanted.min() < -1e-4 < 1e-4 < wanted.max()
        np.testing.assert_allclose(maps.values[row].ravel(), wanted, rtol=0, atol=1e-12)
        np.testing.assert_allclose(maps.magnitude[row].ravel(), np.abs(terms).sum(-1), atol=1e-12)
