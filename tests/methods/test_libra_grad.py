"""LibraGrad against the same rules written out plainly; and its promise: the shares add up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from plain_rules import PlainRules
from torch import Tensor

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.methods import METHODS

KINDS = ["class token", "mean", "simple"]
LIBRA = METHODS["libra_grad"].function


@pytest.mark.parametrize("kind", KINDS)
def test_values_follow_the_rules(build: Any, image: Tensor, kind: str) -> None:
    model = build(kind)
    maps = LIBRA(model.forward(image), (0, 3))
    plain = PlainRules(model.network, image)
    torch.testing.assert_close(plain.logits, model.network(image)[0], rtol=0, atol=1e-12)
    for row, target in enumerate((0, 3)):
        terms = plain.terms(target, plain.entering[0])[0, model.prefix_tokens :].numpy()
        assert terms.sum(-1).min() < -1e-3 < 1e-3 < terms.sum(-1).max()
        np.testing.assert_allclose(maps.values[row].ravel(), terms.sum(-1), rtol=0, atol=1e-12)
        np.testing.assert_allclose(maps.magnitude[row].ravel(), np.abs(terms).sum(-1), atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_voxels_get_shares_too(build: Any, image: Tensor, kind: str) -> None:
    model = build(kind)
    maps = LIBRA(model.forward(image), (1,), at="voxels")
    plain = PlainRules(model.network, image)
    terms = plain.terms(1, plain.image)[0].numpy()
    assert maps.values.shape == (1, *image.shape[2:])
    np.testing.assert_allclose(maps.values[0], terms.sum(0), rtol=0, atol=1e-12)
    np.testing.assert_allclose(maps.magnitude[0], np.abs(terms).sum(0), rtol=0, atol=1e-12)
    assert maps.figures[0]["completeness_error"] < 1e-12


@pytest.mark.parametrize("layers", ["all", "second half"])
def test_maps_of_several_blocks_are_summed(build: Any, image: Tensor, layers: Any) -> None:
    model = build("mean", depth=3)
    maps = LIBRA(model.forward(image), (2,), layers=layers)
    plain = PlainRules(model.network, image)
    chosen = plain.entering[2:] if layers == "second half" else plain.entering
    wanted = sum(plain.terms(2, z)[0, 1:].sum(-1) for z in chosen)
    np.testing.assert_allclose(maps.values[0].ravel(), wanted.numpy(), rtol=0, atol=1e-12)
    assert maps.figures[0]["explained"] == pytest.approx(float(wanted.sum()), abs=1e-12)
    assert maps.figures[0]["completeness_error"] < 1e-12


def test_voxels_have_no_blocks_to_sum_over(build: Any, image: Tensor) -> None:
    with pytest.raises(MethodError, match="leave layers at 'first'"):
        LIBRA(build().forward(image), (0,), at="voxels", layers="all")


@pytest.mark.parametrize("kind", KINDS)
def test_it_reports_how_the_logit_is_made_up(build: Any, image: Tensor, kind: str) -> None:
    model = build(kind)
    maps = LIBRA(model.forward(image), (0, 3))
    plain = PlainRules(model.network, image)
    for row, target in enumerate((0, 3)):
        told = dict(maps.figures[row])
        biases = sum(float(share.sum()) for share in plain.bias_terms(target, stage=1))
        assert told["score"] == pytest.approx(plain.logits[target].item(), abs=1e-12)
        assert told["biases"] == pytest.approx(biases, abs=1e-12)
        assert told["explained"] == pytest.approx(maps.values[row].sum(), abs=1e-12)
        assert told.pop("completeness_error") < 1e-12
        assert told.pop("score") == pytest.approx(sum(told.values()), abs=1e-12)
        assert abs(biases) > 1e-2  # not zero by accident
        assert ("prefix_tokens" in told) == (kind != "simple")


def test_plain_gradients_do_not_add_up(build: Any, image: Tensor) -> None:
    plain = PlainRules(build().network, image, norms=False, gates=False)
    total = plain.terms(0, plain.entering[0]).sum() + sum(
        share.sum() for share in plain.bias_terms(0, stage=1)
    )
    assert abs(total - plain.logits[0]) > 1e-3  # so the test above can fail


def test_float32_adds_up_to_float32_rounding(build: Any, image: Tensor) -> None:
    maps = LIBRA(build(double=False).forward(image.float()), (1,))
    assert maps.figures[0]["completeness_error"] < 1e-5


def test_a_contrast_is_shared_like_a_logit(build: Any, image: Tensor) -> None:
    from g3dvit_napari.models.objective import Objective

    model = build()
    run = model.forward(image, objective=Objective("contrast", against=3))
    plain = model.forward(image)
    wanted = LIBRA(plain, (1,)).values - LIBRA(plain, (3,)).values
    np.testing.assert_allclose(LIBRA(run, (1,)).values, wanted, rtol=0, atol=1e-12)
