"""Every method, whatever the head: one logit, a value, a tuple with a Tanh; and whatever number.

The same network is meant each time, so what is expected follows from the plain logits' maps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from other_networks import INPUT, TokenMixer, mixer
from test_every_method import QUICK, build, picture
from torch import Tensor, nn

from g3dvit_napari import api
from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.objective import Objective
from g3dvit_napari.models.reading.loading import module_handle

every_method = pytest.mark.parametrize("method", METHODS)
# Signed maps add up with what is explained; but not these: the one explains a probability, the
# other takes sizes of gradients unless told otherwise.
LINEAR = [n for n in METHODS if METHODS[n].signed and n not in ("token_removal", "smooth_grad")]


def explain(
    model: ModelHandle, method: str, targets: tuple[int, ...], objective: Objective | None = None
) -> TokenMaps:
    run = model.forward(picture(), objective=objective)
    found: TokenMaps = METHODS[method].function(run, targets, **QUICK.get(method, {}))
    return found


def served(model: ModelHandle, method: str) -> None:
    if reason := api.why_not(method, model):
        pytest.skip(reason)


def close(found: Any, wanted: Any, share: float = 1e-4) -> None:
    np.testing.assert_allclose(found, wanted, rtol=0, atol=share * np.abs(wanted).max())


class Changed(nn.Module):
    """The network of `mixer`, with another end."""

    def __init__(self, end: str) -> None:
        super().__init__()
        self.inside, self.end = TokenMixer(), end

    def forward(self, image: Tensor) -> Any:
        logits = self.inside(image)
        return (torch.tanh(logits), [image]) if self.end == "tuple and tanh" else logits


def changed(end: str, **network: Any) -> ModelHandle:
    known: dict[str, Any] = {
        "family": "module", "image_size": (12, 20, 6), "patch": (4, 5, 3), "channels": 1,
        "classes": 3, "prefix_tokens": 0,
    }  # fmt: skip
    module = Changed(end)
    module.load_state_dict({f"inside.{k}": v for k, v in mixer().network.state_dict().items()})
    if end == "one logit":  # that of class 2
        say = module.inside.say
        module.inside.say = nn.Linear(24, 1)
        module.inside.say.load_state_dict({k: v[2:] for k, v in say.state_dict().items()})
    spec = ModelSpec(network=NetworkSpec(**{**known, **network}), input=INPUT)
    return module_handle(module.eval(), spec)


@every_method
def test_a_tuple_and_a_tanh_change_nothing(method: str) -> None:
    plain, model = mixer(), changed("tuple and tanh")
    served(plain, method)
    torch.testing.assert_close(model.forward(picture()).logits, plain.forward(picture()).logits)
    close(explain(model, method, (0, 2)).values, explain(plain, method, (0, 2)).values)


@every_method
def test_a_single_logit_is_explained_for_class_1_and_against_class_0(method: str) -> None:
    plain, model = mixer(), changed("one logit", classes=1)
    served(model, method)
    served(plain, method)
    assert model.classes == 2
    found = explain(model, method, (0, 1)).values
    assert np.isfinite(found).all()
    if method != "score_cam":  # it weighs features by a softmax over what they do to the logit
        close(found[1], explain(plain, method, (2,)).values[0])
    if method in LINEAR:
        close(found[0], -found[1])
    value = changed("one logit", classes=1, output="regression")
    assert value.class_names == ("value",)
    close(explain(value, method, (0,)).values[0], found[1])


@pytest.mark.parametrize("method", LINEAR)
def test_a_contrast_is_the_difference_of_two_maps(method: str) -> None:
    model = build("class token")
    served(model, method)
    contrast = explain(model, method, (0,), Objective("contrast", against=2)).values[0]
    of_0, of_2 = explain(model, method, (0, 2)).values
    close(contrast, of_0 - of_2, 1e-3)


@every_method
@pytest.mark.parametrize("kind", ["probability", "log_probability"])
def test_probabilities_can_be_explained(method: str, kind: Any) -> None:
    model = build("mean")
    served(model, method)
    found = explain(model, method, (0, 1), Objective(kind)).values
    assert np.isfinite(found).all()
    plain = explain(model, method, (0, 1)).values
    if METHODS[method].class_specific and method != "partial_lrp":
        assert not np.allclose(found, plain, atol=1e-6 * np.abs(plain).max())


@every_method
@pytest.mark.parametrize("numbers", [torch.bfloat16, torch.float64])
def test_weights_of_other_precisions_serve(method: str, numbers: torch.dtype) -> None:
    model = build("class token")
    served(model, method)
    wanted = explain(model, method, (1,)).values[0]
    other = build("class token")
    other.network.to(numbers)
    found = explain(other, method, (1,)).values[0]
    assert np.isfinite(found).all()
    if numbers == torch.float64:
        close(found, wanted, 5e-3)


def test_two_volumes_at_once_answer_as_one_by_one() -> None:
    both = torch.cat([picture(4), picture(9)])
    for model in (build("class token"), build("simple"), mixer()):
        wanted = torch.cat([model.logits(picture(4)), model.logits(picture(9))])
        torch.testing.assert_close(model.logits(both), wanted, rtol=1e-4, atol=1e-5)
