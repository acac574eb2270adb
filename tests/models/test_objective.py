"""The explained number of each class, and its gradient at the logits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.objective import Objective

LOGITS = torch.tensor([1.5, -0.5, 0.25], dtype=torch.float64)
ONE = torch.tensor([0.8], dtype=torch.float64)


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def test_a_logit_is_a_logit_class_0_too() -> None:
    assert Objective().scores(LOGITS, [0, 2]).tolist() == [1.5, 0.25]
    assert Objective().starts(LOGITS, [0, 2]).tolist() == [[[1, 0, 0]], [[0, 0, 1]]]


def test_probability_and_its_logarithm() -> None:
    exponents = [math.exp(z) for z in LOGITS.tolist()]
    p = [e / sum(exponents) for e in exponents]
    assert Objective("probability").scores(LOGITS, [1]).item() == pytest.approx(p[1])
    assert Objective("log_probability").scores(LOGITS, [1]).item() == pytest.approx(math.log(p[1]))
    found = Objective("probability").starts(LOGITS, [1])[0, 0].tolist()
    assert found == pytest.approx([-p[0] * p[1], p[1] * (1 - p[1]), -p[2] * p[1]])


def test_a_contrast_is_a_difference_of_logits() -> None:
    contrast = Objective("contrast", against=1)
    assert contrast.scores(LOGITS, [0, 2]).tolist() == [2.0, 0.75]
    assert contrast.starts(LOGITS, [2])[0, 0].tolist() == [0, -1, 1]
    with pytest.raises(MethodError, match="class 1 cannot be contrasted with itself"):
        contrast.scores(LOGITS, [1])
    with pytest.raises(MethodError, match="give against=CLASS"):
        Objective("contrast").scores(LOGITS, [0])
    with pytest.raises(MethodError, match="class 7"):
        Objective("contrast", against=7).scores(LOGITS, [0])


def test_a_single_logit_speaks_for_class_1_and_against_class_0() -> None:
    head = Objective(output="binary")
    assert head.scores(ONE, [0, 1]).tolist() == [-0.8, 0.8]
    assert head.starts(ONE, [0, 1]).tolist() == [[[-1]], [[1]]]
    assert head.probabilities(ONE).tolist() == pytest.approx([sigmoid(-0.8), sigmoid(0.8)])
    slope = sigmoid(0.8) * (1 - sigmoid(0.8))
    probability = Objective("probability", output="binary")
    assert probability.starts(ONE, [0, 1]).flatten().tolist() == pytest.approx([-slope, slope])
    contrast = Objective("contrast", against=0, output="binary")
    assert contrast.scores(ONE, [1]).item() == 0.8


def test_a_regression_has_a_value_and_no_probability() -> None:
    value = Objective(output="regression")
    assert value.scores(ONE, [0]).tolist() == [0.8]
    assert value.starts(ONE, [0]).tolist() == [[[1]]]
    assert value.probabilities(ONE).isnan().all()
    with pytest.raises(MethodError, match="a regression has no probability"):
        Objective("probability", output="regression").scores(ONE, [0])


def test_batches_keep_their_axis() -> None:
    batch = torch.stack([LOGITS, LOGITS.flip(0)])
    assert Objective().scores(batch, [0, 1]).tolist() == [[1.5, -0.5], [0.25, -0.5]]
    assert Objective(output="binary").scores(ONE[None], [0]).tolist() == [[-0.8]]


@pytest.mark.parametrize("kind", ["logit", "probability", "log_probability"])
def test_starts_are_the_gradients_in_any_mode_of_the_caller(kind: str) -> None:
    def score(logits: Tensor) -> Tensor:
        return Objective(kind).scores(logits, [1])[0]  # type: ignore[arg-type]

    wanted = torch.autograd.functional.jacobian(score, LOGITS)
    with torch.inference_mode():
        inside = LOGITS.clone()
        found = Objective(kind).starts(inside, [1])  # type: ignore[arg-type]
    torch.testing.assert_close(found[0, 0], wanted, rtol=0, atol=1e-15)


@pytest.mark.parametrize("target", [-1, 3])
def test_a_class_that_does_not_exist_is_refused(target: int) -> None:
    with pytest.raises(MethodError, match=rf"class {target} asked for.*0 is the first, 2 the last"):
        Objective().scores(LOGITS, [target])
