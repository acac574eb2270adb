"""Every method meets networks that are no ViT3D: it gives a map in its place, or says why not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from other_networks import OTHERS
from rough_networks import fingerprint
from test_every_method import QUICK

from g3dvit_napari import api
from g3dvit_napari.core.errors import Cancelled, MethodError
from g3dvit_napari.core.types import Volume
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle

every_method = pytest.mark.parametrize("method", METHODS)
every_network = pytest.mark.parametrize("network", OTHERS)


@pytest.fixture(scope="module")
def models() -> dict[str, ModelHandle]:
    return {name: build() for name, build in OTHERS.items()}


def volume_for(model: ModelHandle, seed: int = 3) -> Volume:
    shape = model.image_shape[2:]
    data = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return Volume(data, np.diag([2.0, 1.5, 3.0, 1.0]), "noise")


def served(model: ModelHandle, method: str) -> bool:
    """Whether a network serves a method; if not, there must be a sentence."""
    reason = api.why_not(method, model)
    if reason is None:
        return True
    assert reason.startswith(f"{method} cannot explain this network: ")
    assert len(reason) > len(method) + 60
    with pytest.raises(MethodError, match=method):
        api.explain(volume_for(model), model, method)
    return False


@every_method
@every_network
def test_a_map_in_its_place_or_a_reason(
    models: dict[str, ModelHandle], network: str, method: str
) -> None:
    model = models[network]
    before = fingerprint(model.network.train())
    if not served(model, method):
        return
    volume = volume_for(model)
    found = api.explain_classes(volume, model, method, [0, 2], **QUICK.get(method, {}))
    assert fingerprint(model.network) == before
    for explanation in found:
        if not METHODS[method].signed and explanation.patch_map.data.max() < 0:
            assert "every patch speaks against the class" in explanation.message
            continue
        assert explanation.status == "ok", explanation.message
        assert np.isfinite(explanation.patch_map.data).all()
        assert np.nanmax(np.abs(explanation.relevance.data)) > 0
        first = explanation.patch_map.affine @ [0, 0, 0, 1]
        assert (np.abs(np.linalg.inv(volume.affine) @ first)[:3] < 16).all()
    same = np.allclose(found[0].patch_map.data, found[1].patch_map.data)
    assert same != METHODS[method].class_specific


@every_method
@every_network
def test_stopping_it_leaves_the_network_as_found(
    models: dict[str, ModelHandle], network: str, method: str
) -> None:
    model, heard = models[network], []
    if not served(model, method):
        return

    def stop(fraction: float, _word: str) -> None:
        heard.append(fraction)
        raise Cancelled("stopped")

    before = fingerprint(model.network.train())
    model.forget()
    with pytest.raises(Cancelled):
        api.explain(volume_for(model), model, method, progress=stop, **QUICK.get(method, {}))
    assert fingerprint(model.network) == before
    assert heard


@every_network
def test_a_pass_answers_as_the_network_does(models: dict[str, ModelHandle], network: str) -> None:
    model = models[network]
    volume = volume_for(model)
    asked = api.predict(volume, model)
    image = torch.from_numpy(volume.data)[None, None]
    with torch.no_grad():
        answer = model.network.eval()(image)[0].double()
    np.testing.assert_allclose(asked.logits, answer.numpy(), rtol=1e-5)


def test_there_is_something_to_see_on_every_network(models: dict[str, Any]) -> None:
    for model in models.values():
        assert sum(api.why_not(method, model) is None for method in METHODS) >= len(METHODS) / 2
