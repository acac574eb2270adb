"""Raw attention: rows of the whole matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from plain_attention import patches, plain_pass
from torch import Tensor

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.methods import METHODS

KINDS = ["class token", "mean", "simple"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("head", "block"), [(-1, -1), (0, -1), (2, 0)])
def test_values_follow_the_formula(
    build: Any, image: Tensor, kind: str, head: int, block: int
) -> None:
    model = build(kind)
    plain = plain_pass(model.network, image)
    weights = plain.weights[block]
    wanted = plain.reading @ (weights.mean(0) if head < 0 else weights[head])
    options = {"head": head, "block": block}
    maps = METHODS["raw_attention"].function(model.forward(image), (0, 2), **options)
    for values in maps.values:
        np.testing.assert_allclose(values.ravel(), patches(wanted, model.prefix_tokens), atol=1e-12)
    assert np.ptp(maps.values) > 1e-4
    assert maps.remarks == ()


def test_a_head_that_does_not_exist_is_refused(build: Any, image: Tensor) -> None:
    with pytest.raises(MethodError, match="3 heads, 0 to 2; got head 3"):
        METHODS["raw_attention"].function(build().forward(image), (0,), head=3)
