"""The engine against a plain loop: one image at a time, put together by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from other_device import PLACE, elsewhere, moved
from other_networks import OTHERS
from scipy import ndimage
from small_vits import build
from torch import nn

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.removal import Removal, Steps, Substrate, Unit, counts_of
from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.removal import road
from g3dvit_napari.models.removal.engine import RemovalEngine

SUBSTRATES: tuple[Substrate, ...] = ("zero", "mean", "blur", "noise", "road", "twin")
MODELS = {**OTHERS, "our ViT": build, "our ViT, mean": lambda: build("mean")}


def drawn(model: ModelHandle, seed: int) -> NDArray[np.float32]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(model.image_shape[1:], generator=generator).numpy() + np.float32(0.3)


def engine_of(model: ModelHandle, **given: Any) -> RemovalEngine:
    valid = np.ones(model.image_shape[2:], bool)
    valid[:3] = False
    return RemovalEngine(model, drawn(model, 1), valid=valid, twin=drawn(model, 2), seed=3, **given)


def units_of(model: ModelHandle, unit: Unit) -> NDArray[np.int64]:
    """The number of the unit of every voxel (f h w), by a loop."""
    network, size = model.spec.network, model.image_shape[2:]
    patch = network.patch if unit == "patch" else (1, 1, 1)
    grid = network.token_grid if unit == "patch" else size
    found = np.zeros(size, np.int64)
    for place in np.ndindex(*size):
        f, h, w = (min(i // p, n - 1) for i, p, n in zip(place, patch, grid, strict=True))
        found[place] = (f * grid[1] + h) * grid[2] + w
    return found


def plain_substrate(model: ModelHandle, kind: Substrate) -> NDArray[np.float64]:
    image = drawn(model, 1).astype(np.float64)
    if kind == "twin":
        return drawn(model, 2).astype(np.float64)
    made = np.zeros_like(image)
    for channel, out in zip(image, made, strict=True):
        if kind == "mean":
            out[:] = channel[3:].mean()
        elif kind == "blur":
            out[:] = ndimage.gaussian_filter(
                channel, [0.1 * n for n in channel.shape], mode="nearest"
            )
    return made


def plain_answers(
    model: ModelHandle, removal: Removal, masks: list[NDArray[np.bool_]]
) -> NDArray[np.float64]:
    image, numbers = drawn(model, 1), units_of(model, removal.unit)
    found = []
    for mask in masks:
        mixed = image.copy()
        gone = mask[numbers]
        mixed[:, gone] = plain_substrate(model, removal.substrate)[:, gone]
        found.append(model.logits(torch.from_numpy(mixed)[None])[0].double().numpy())
    return np.stack(found)


def some_masks(units: int) -> list[NDArray[np.bool_]]:
    random = np.random.default_rng(0).random((3, units))
    return [
        *(random < np.array([[0.2], [0.5], [0.9]])),
        np.zeros(units, bool),
        np.ones(units, bool),
    ]


@pytest.mark.parametrize("unit", ["patch", "voxel"])
@pytest.mark.parametrize("kind", ["zero", "mean", "blur", "twin"])
@pytest.mark.parametrize("name", MODELS)
def test_answers_are_those_of_images_put_together_by_hand(
    name: str, kind: Substrate, unit: Unit
) -> None:
    model = MODELS[name]()
    masks = some_masks(int(units_of(model, unit).max()) + 1)
    removal = Removal(kind, unit)
    logits, probabilities = engine_of(model).hidden(removal, masks)
    expected = plain_answers(model, removal, masks)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=2e-5)
    softmax = np.exp(expected) / np.exp(expected).sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities, softmax, rtol=0, atol=1e-5)


@pytest.mark.parametrize("unit", ["patch", "voxel"])
@pytest.mark.parametrize("name", MODELS)
def test_noise_is_made_of_the_faces_and_stays_the_same(name: str, unit: Unit) -> None:
    model = MODELS[name]()
    engine, asked = engine_of(model), []
    inner = model.answer
    model.answer = lambda x: (asked.append(x.clone()), inner(x))[1]  # type: ignore[method-assign]
    everything = np.ones(units_of(model, unit).max() + 1, bool)
    first = engine.hidden(Removal("noise", unit), [everything])[0]
    again = engine_of(model).hidden(Removal("noise", unit), [everything])[0]
    np.testing.assert_array_equal(first, again)
    inside = np.zeros(model.image_shape[2:], bool)
    inside[1:-1, 1:-1, 1:-1] = True
    for images in asked[-1:]:  # foreign networks show what they were asked
        values = images[0, 0].numpy()
        assert set(values.ravel().tolist()) <= set(drawn(model, 1)[0][~inside].tolist())
        assert len(set(values[inside].tolist())) > 5


@pytest.mark.parametrize("unit", ["patch", "voxel"])
@pytest.mark.parametrize("name", MODELS)
def test_road_asks_about_the_imputed_image_with_its_noise(name: str, unit: Unit) -> None:
    model = MODELS[name]()
    numbers, image = units_of(model, unit), drawn(model, 1)
    masks = some_masks(int(numbers.max()) + 1)
    logits, _ = engine_of(model).hidden(Removal("road", unit), masks)
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(image.shape, generator=generator, dtype=torch.float64).numpy()
    original = torch.from_numpy(image).to(model.dtype)
    mean = original[:, 3:].mean((1, 2, 3))[:, None, None, None]
    for mask, found in zip(masks, logits, strict=True):
        gone = torch.from_numpy(mask[numbers])
        one = road.filled(original[None], gone[None], mean)
        one += torch.where(gone, torch.from_numpy(noise) * original.std().double() * 0.01, 0)
        expected = model.logits(one)[0].double().numpy()
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("kind", SUBSTRATES)
@pytest.mark.parametrize("name", MODELS)
def test_many_at_once_are_as_one_by_one(name: str, kind: Substrate) -> None:
    model = MODELS[name]()
    removal, units = Removal(kind, steps="tenths"), int(units_of(model, "patch").max()) + 1
    orders = [np.random.default_rng(k).permutation(units) for k in range(2)]
    together = engine_of(model).sweeps(removal, orders)
    counts = counts_of("tenths", units)
    for ranks, found in zip(orders, together, strict=True):
        alone = engine_of(model)
        one_by_one = [alone.hidden(removal, [ranks < count])[0][0] for count in counts]
        np.testing.assert_allclose(found.logits, one_by_one, rtol=0, atol=1e-5)
        np.testing.assert_allclose(found.fractions, counts / units)


@pytest.mark.parametrize("steps", ["early", "rise", "patch", "tenths", "road"])
@pytest.mark.parametrize("name", ["swin", "our ViT"])
def test_inserting_is_removing_the_least_relevant_first_met_from_the_end(
    name: str, steps: Steps
) -> None:
    model = MODELS[name]()
    removal, numbers = Removal("mean", "patch", steps), units_of(model, "patch")
    units = int(numbers.max()) + 1
    ranks = np.random.default_rng(5).permutation(units)
    found = engine_of(model).sweep(removal, ranks, insert=True)
    image, substrate = drawn(model, 1), plain_substrate(model, "mean")
    least_first = np.argsort(ranks)[::-1]
    naive = []  # from the whole volume: the least relevant units go, one image at a time
    for count in sorted(units - counts_of(steps, units)):
        mixed = image.copy()
        for unit in least_first[:count]:
            mixed[:, numbers == unit] = substrate[:, numbers == unit]
        naive.append(model.logits(torch.from_numpy(mixed)[None])[0].double().numpy())
    np.testing.assert_allclose(found.reversed().logits, naive, rtol=0, atol=2e-5)


def test_no_image_is_asked_about_twice() -> None:
    model = build()
    engine, ranks = engine_of(model), np.random.default_rng(0).permutation(8)
    engine.sweep(Removal("zero", steps="patch"), ranks)
    assert engine.asked == 8  # the whole volume was known from the pass
    engine.sweep(Removal("zero", steps="patch"), ranks, insert=True)
    assert engine.asked == 8 + 7  # both ends were known
    engine.sweep(Removal("zero", steps="patch"), 7 - ranks)
    assert engine.asked == 8 + 7  # the least relevant first: met while inserting
    engine.sweep(Removal("zero", steps="uniform"), ranks)
    assert engine.asked == 8 + 7
    engine.sweep(Removal("mean", steps="patch"), ranks)
    assert engine.asked == 8 + 7 + 8


def test_units_of_negative_rank_stay() -> None:
    model = build()
    ranks = np.array([2, -1, 0, 1, -1, -1, 3, -1])
    removal = Removal("zero", steps="patch")
    sweep = engine_of(model).sweep(removal, ranks)
    gone = [(ranks >= 0) & (ranks < count) for count in range(5)]
    np.testing.assert_allclose(sweep.logits, plain_answers(model, removal, gone), atol=1e-6)
    assert sweep.fractions.tolist() == [0, 0.25, 0.5, 0.75, 1]
    back = engine_of(model).sweep(removal, ranks, insert=True)
    present = [(ranks >= 0) & (ranks >= count) for count in range(5)]
    np.testing.assert_allclose(back.logits, plain_answers(model, removal, present), atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_answers_to_other_inputs(name: str) -> None:
    model = MODELS[name]()
    images = [drawn(model, seed) for seed in range(3)]
    logits, probabilities = engine_of(model).answers(iter(images))
    expected = model.logits(torch.from_numpy(np.stack(images))).double().numpy()
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(probabilities.sum(1), 1)


@pytest.mark.parametrize("kind", SUBSTRATES)
def test_half_precision_is_close(kind: Substrate) -> None:
    model = OTHERS["swin"]()
    ranks = np.random.default_rng(0).permutation(units_of(model, "patch").max() + 1)
    removal = Removal(kind, steps="tenths")
    exact = engine_of(model).sweep(removal, ranks)
    half = engine_of(model, half=True).sweep(removal, ranks)
    assert 0 < np.abs(half.probabilities - exact.probabilities).max() < 0.03


def test_work_is_told_and_can_be_stopped() -> None:
    told: list[float] = []
    ranks = np.arange(8)
    model = build()
    engine_of(model, progress=lambda f, _: told.append(f)).sweep(Removal(steps="patch"), ranks)
    assert len(told) == 8
    assert told == sorted(told)

    class Stopped(Exception):
        """Somebody pressed a button."""

    def stop(fraction: float, _: str) -> None:
        if fraction > 0.3:
            raise Stopped

    engine = engine_of(model, progress=stop)
    with pytest.raises(Stopped):
        engine.sweep(Removal(steps="patch"), ranks)


class Single(nn.Module):
    """One logit: the sum of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * x.flatten(1).sum(1, keepdim=True)


@pytest.mark.parametrize("output", ["binary", "regression"])
def test_a_single_logit_is_two_classes_or_a_value(output: Any) -> None:
    spec = NetworkSpec(
        family="module", image_size=(4, 4, 4), patch=(2, 2, 2), channels=1, classes=1,
        output=output,
    )  # fmt: skip
    names = ("value",) if output == "regression" else ("no", "yes")
    model = ModelHandle(Single(), ModelSpec(network=spec), torch.device("cpu"), names)
    image = drawn(model, 1) / 10
    engine = RemovalEngine(model, image)
    nothing, everything = np.zeros(8, bool), np.ones(8, bool)
    for logits, probabilities, z in zip(
        *engine.hidden(Removal(), [nothing, everything]), (image.sum(), 0.0), strict=True
    ):
        if output == "regression":
            assert logits == pytest.approx([z], abs=1e-5)
            assert np.isnan(probabilities).all()
            continue
        assert logits == pytest.approx([-z, z], abs=1e-5)
        yes = 1 / (1 + np.exp(-z))
        assert probabilities == pytest.approx([1 - yes, yes], abs=1e-6)


def test_without_a_twin_none_is_made_up() -> None:
    model = build()
    with pytest.raises(MethodError, match="no twin"):
        RemovalEngine(model, drawn(model, 1)).sweep(Removal("twin"), np.arange(8))


@pytest.mark.parametrize("unit", ["patch", "voxel"])
@pytest.mark.parametrize("kind", SUBSTRATES)
@pytest.mark.parametrize("name", ["swin", "our ViT"])
def test_on_another_device_the_numbers_are_the_same(
    name: str, kind: Substrate, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = MODELS[name](), MODELS[name]()
    here.network.double()
    there.network.double()
    removal, units = Removal(kind, unit, "tenths"), int(units_of(here, unit).max()) + 1
    ranks = np.random.default_rng(0).permutation(units)
    expected = engine_of(here).sweep(removal, ranks)
    with elsewhere(monkeypatch):
        moved(there.network)
        there.device = PLACE
        found = engine_of(there).sweep(removal, ranks)
    np.testing.assert_allclose(found.logits, expected.logits, rtol=0, atol=1e-9)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("kind", SUBSTRATES)
@pytest.mark.parametrize("name", MODELS)
def test_a_gpu_gives_the_same_numbers(name: str, kind: Substrate) -> None:
    model = MODELS[name]()
    ranks = np.random.default_rng(0).permutation(units_of(model, "patch").max() + 1)
    expected = engine_of(model).sweep(Removal(kind), ranks)
    found = engine_of(model.to("cuda")).sweep(Removal(kind), ranks)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, rtol=0, atol=1e-5)
