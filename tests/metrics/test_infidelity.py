"""Infidelity: zero for a linear network's weights, and equal to captum's on volumes."""

from __future__ import annotations

from math import isnan
from typing import Any

import numpy as np
import pytest
import torch
from known_answers import SIZE, Known, judged, linear, picture, scene_of
from torch import Tensor, nn

from g3dvit_napari.api.scoring import scored
from g3dvit_napari.core.evaluation import Evaluation
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics.robustness.infidelity import Changed

RANDOM = np.random.default_rng(5)
WEIGHTS = RANDOM.normal(size=SIZE)
KINDS = ("gaussian", "box")


def infidelity(evaluation: Evaluation, **settings: Any) -> Score:
    return scored("infidelity", evaluation, settings)


class Curved(nn.Module):
    """A network that is not linear, for volumes (b 1 f h w)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layers = nn.Sequential(
            nn.Conv3d(1, 3, 3), nn.Softplus(), nn.Flatten(), nn.Linear(3 * 4 * 6 * 8, 2)
        ).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)

    def of_array(self, x: Any) -> Any:
        with torch.no_grad():
            return self(torch.from_numpy(x)[None])[0].numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_linear_network_the_weights_are_perfect(kind: str) -> None:
    scene = scene_of(function=linear(WEIGHTS))
    for normalise in (True, False):
        score = infidelity(judged(scene, WEIGHTS), perturbation=kind, normalise=normalise)
        assert score.value == pytest.approx(0, abs=1e-9)
        assert score.chance > 0.01
    scaled = judged(scene, -3 * WEIGHTS)
    assert infidelity(scaled, perturbation=kind).value == pytest.approx(0, abs=1e-9)
    assert infidelity(scaled, perturbation=kind, normalise=False).value > 0.01


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("shape", [SIZE, (3, 4, 5)])
def test_equal_to_captum(kind: Any, normalise: bool, shape: tuple[int, ...]) -> None:
    captum = pytest.importorskip("captum.metrics", reason="captum is not installed")
    network, tokens = Curved(), RANDOM.normal(size=shape)
    scene = scene_of(function=network.of_array)
    changed = Changed(picture()[None], kind, 16, scene.seed)
    numbers = iter(range(1, 17))

    def perturb(inputs: Tensor) -> tuple[Tensor, Tensor]:
        made = [torch.from_numpy(changed[next(numbers)]).double() for _ in inputs]
        return inputs - torch.stack(made), torch.stack(made)

    fine = np.kron(tokens, np.ones([n // s for n, s in zip(SIZE, shape, strict=True)]))
    expected = captum.infidelity(
        network,
        perturb,
        torch.from_numpy(picture()[None, None]).double(),
        torch.from_numpy(fine[None, None]),
        target=0,
        n_perturb_samples=16,
        normalize=normalise,
    )
    settings = {"perturbation": kind, "normalise": normalise, "relative": False, "draws": 16}
    score = infidelity(judged(scene, tokens), **settings)
    assert score.value == pytest.approx(expected.item(), rel=1e-9)
    assert expected.item() > 1e-6
    said = [network.of_array(changed[number].astype(np.float64))[0] for number in range(17)]
    share = expected.item() / np.mean((said[0] - np.array(said[1:])) ** 2)
    score = infidelity(judged(scene, tokens), **{**settings, "relative": True})
    assert score.value == pytest.approx(share, rel=1e-6)


def test_a_probability_by_hand() -> None:
    scene, tokens = scene_of(function=Curved().of_array), RANDOM.normal(size=SIZE)
    changed = Changed(picture()[None], "gaussian", 8, scene.seed)
    image, others = changed[0].astype(np.float64), [changed[n] for n in range(1, 9)]

    def probability(x: Any) -> float:
        logits = Curved().of_array(np.asarray(x, dtype=np.float64))
        return float(np.exp(logits[0]) / np.exp(logits).sum())

    errors = [
        float(((image - x) * tokens).sum()) - (probability(image) - probability(x)) for x in others
    ]
    settings = {"answer": "probability", "normalise": False, "relative": False, "draws": 8}
    score = infidelity(judged(scene, tokens), **settings)
    assert score.value == pytest.approx(np.mean(np.square(errors)))


def test_the_changes_are_what_they_are_called() -> None:
    image = picture()[None]
    noise = np.concatenate([d.ravel() for d in Changed(image, "gaussian", 40, 0).differences()])
    assert abs(noise.mean()) < 0.01 * image.std()
    assert noise.std() == pytest.approx(0.05 * image.std(), rel=0.03)
    for change in Changed(image, "box", 40, 0).differences():
        places = np.argwhere(change[0])
        assert (np.ptp(places, axis=0) + 1 == [2, 2, 2]).all()  # a quarter of 6, 8, 10; rounded
        np.testing.assert_array_equal(change[change != 0], image[change != 0])
    corners = {tuple(np.argwhere(d[0])[0]) for d in Changed(image, "box", 400, 0).differences()}
    assert {c[2] for c in corners} == set(range(9))


def test_noise_falls_only_where_relevance_counts() -> None:
    valid = np.zeros(SIZE, dtype=bool)
    valid[:, 2:5] = True
    scene = scene_of(function=linear(WEIGHTS))
    object.__setattr__(scene, "valid", valid)
    infidelity(judged(scene, WEIGHTS))
    assert isinstance(scene.network, Known)
    moved = np.any(np.stack(scene.network.asked)[:, 0] != picture(), axis=0)
    np.testing.assert_array_equal(moved, valid)


def test_a_map_of_zeros_gets_what_it_misses_and_a_constant_one_chance() -> None:
    scene = scene_of(function=Curved().of_array)
    zero = infidelity(judged(scene, np.zeros(SIZE)))
    assert zero.value == zero.chance == pytest.approx(1)
    assert isinstance(scene.network, Known)
    constant = infidelity(judged(scene, np.ones(SIZE)))
    assert constant.value == pytest.approx(constant.chance)
    assert len(scene.network.asked) == 65  # once for all maps


def test_chance_is_that_of_shuffled_maps() -> None:
    scene = scene_of(function=linear(WEIGHTS))
    shuffled = [
        infidelity(judged(scene, RANDOM.permuted(WEIGHTS.ravel()).reshape(SIZE)), draws=256).value
        for _ in range(20)
    ]
    chance = infidelity(judged(scene, WEIGHTS), draws=256).chance
    spread = float(np.std(shuffled))
    assert abs(chance - np.mean(shuffled)) < 4 * spread / 10**0.5


def test_what_cannot_be_said() -> None:
    value = scene_of(function=lambda x: np.array([x.sum(), np.nan]))
    score = infidelity(judged(value, WEIGHTS), answer="probability")
    assert isnan(score.value)
    assert "probability is not a finite number" in score.reason
    still = scene_of(function=lambda _: np.array([2.0, 0.0]))
    assert "moves the logit" in infidelity(judged(still, WEIGHTS)).reason
    assert infidelity(judged(scene_of(), WEIGHTS)).reason == "the network is not at hand"
