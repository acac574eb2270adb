"""CP-LRP against its rules written out plainly: like LibraGrad, but GELU keeps its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from plain_rules import PlainRules
from torch import Tensor

from g3dvit_napari.methods import METHODS

CP = METHODS["cp_lrp"].function


@pytest.mark.parametrize("kind", ["class token", "mean", "simple"])
@pytest.mark.parametrize("at", ["tokens", "voxels"])
def test_values_follow_the_rules(build: Any, image: Tensor, kind: str, at: Any) -> None:
    model = build(kind)
    maps = CP(model.forward(image), (0, 2), at=at)
    plain = PlainRules(model.network, image, gates=False)
    for row, target in enumerate((0, 2)):
        if at == "voxels":
            wanted = plain.terms(target, plain.image)[0].sum(0).ravel()
        else:
            wanted = plain.terms(target, plain.entering[0])[0, model.prefix_tokens :].sum(-1)
        assert wanted.abs().max() > 1e-3
        np.testing.assert_allclose(maps.values[row].ravel(), wanted.numpy(), rtol=0, atol=1e-12)


def test_what_gelu_loses_is_reported(build: Any, image: Tensor) -> None:
    run = build().forward(image)
    assert CP(run, (1,)).figures[0]["completeness_error"] > 1e-3
    exact = METHODS["libra_grad"].function(run, (1,))
    assert exact.figures[0]["completeness_error"] < 1e-12
    assert not np.allclose(exact.values, CP(run, (1,)).values)
