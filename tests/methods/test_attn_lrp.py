"""AttnLRP against its rules written out plainly, and against loops where γ is not zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from plain_rules import PlainRules
from torch import Tensor

from g3dvit_napari.methods import METHODS

ATTN = METHODS["attn_lrp"].function


@pytest.mark.parametrize("kind", ["class token", "mean", "simple"])
@pytest.mark.parametrize("at", ["tokens", "voxels"])
def test_values_follow_the_rules(build: Any, image: Tensor, kind: str, at: Any) -> None:
    model = build(kind)
    maps = ATTN(model.forward(image), (0, 2), at=at)
    plain = PlainRules(model.network, image, stills=False)
    for row, target in enumerate((0, 2)):
        if at == "voxels":
            wanted = plain.terms(target, plain.image)[0].sum(0).ravel()
        else:
            wanted = plain.terms(target, plain.entering[0])[0, model.prefix_tokens :].sum(-1)
        assert wanted.abs().max() > 1e-3
        np.testing.assert_allclose(maps.values[row].ravel(), wanted.numpy(), rtol=0, atol=1e-12)


def test_what_the_softmax_loses_is_reported(build: Any, image: Tensor) -> None:
    model = build()
    told = ATTN(model.forward(image), (1,)).figures[0]
    plain = PlainRules(model.network, image, stills=False)
    found = plain.terms(1, plain.entering[0]).sum() + sum(
        share.sum() for share in plain.bias_terms(1, stage=1)
    )
    missing = (plain.logits[1] - found).abs().item()
    assert missing > 1e-3
    assert told["completeness_error"] == pytest.approx(missing, abs=1e-12)


def test_it_is_not_libra_grad(build: Any, image: Tensor) -> None:
    run = build().forward(image)
    assert not np.allclose(ATTN(run, (1,)).values, METHODS["libra_grad"].function(run, (1,)).values)


def test_a_tiny_gamma_changes_little_and_a_large_one_much(build: Any, image: Tensor) -> None:
    run = build().forward(image)
    plain, tiny, large = (ATTN(run, (1,), gamma=gamma).values for gamma in (0.0, 1e-9, 1.0))
    np.testing.assert_allclose(tiny, plain, rtol=0, atol=1e-7)
    assert np.abs(large - plain).max() > 1e-2 * np.abs(plain).max()
