"""Shares of tokens, voxels and biases: block by block as in one graph, for any network."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from other_networks import OTHERS
from rough_networks import fingerprint
from test_forward import KINDS, build, picture
from torch import Tensor, nn

from g3dvit_napari.core.errors import Cancelled, MethodError
from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.passes.forward import run_forward
from g3dvit_napari.models.reading.loading import module_handle
from g3dvit_napari.models.rules.rules import LIBRA, Rules
from g3dvit_napari.models.rules.shares import CHUNK_BYTES, At, Shares
from g3dvit_napari.models.rules.splitting import Split
from g3dvit_napari.models.rules.whole_graph import whole_shares

SHARED = Rules(attention="shared", linear=Split("gamma", 0.5))
PLACES: list[At] = ["tokens", "voxels"]


def noise(model: ModelHandle) -> Tensor:
    return torch.randn(model.image_shape, generator=torch.Generator().manual_seed(2)).double()


def same(a: Shares, b: Shares) -> None:
    for number, pair in enumerate(zip(a.values, b.values, strict=True)):
        torch.testing.assert_close(*pair, rtol=0, atol=1e-12)
        torch.testing.assert_close(a.biases(number), b.biases(number), rtol=0, atol=1e-12)
    torch.testing.assert_close(a.scores, b.scores, rtol=0, atol=1e-12)
    found, wanted = a.maps(biases=True), b.maps(biases=True)
    assert abs(found.values - wanted.values).max() < 1e-12
    assert abs(found.magnitude - wanted.magnitude).max() < 1e-12


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("rules", [LIBRA, SHARED], ids=["libra", "shared"])
def test_block_by_block_is_the_same_as_one_graph(kind: str, at: At, rules: Rules) -> None:
    model, image = build(kind), picture()
    run = run_forward(model, image, lambda: None)
    starts = run.starts((0, 2))
    whole = whole_shares(model, image, starts, rules, at, tick=lambda: None)
    same(run.shares((0, 2), rules, at), whole)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("at", PLACES)
def test_every_network_adds_up_at_every_site(name: str, at: At) -> None:
    model = OTHERS[name]()
    before = fingerprint(model.network.double().train())
    shares = model.forward(noise(model)).shares((0, 2), LIBRA, at)
    blocks = 1 if at == "voxels" or name == "resnet" else model.blocks
    assert len(shares.values) == blocks
    for number in range(blocks):
        assert shares.errors(number).abs().max() < 1e-12
        assert shares.values[number].abs().max() > 1e-4
    assert fingerprint(model.network) == before


def test_classes_too_many_for_memory_go_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    model, image = build(), picture()
    wanted = run_forward(model, image, lambda: None).shares((3, 0, 1), LIBRA)
    monkeypatch.setattr("g3dvit_napari.models.rules.shares.CHUNK_BYTES", CHUNK_BYTES // 2**20)
    found = run_forward(model, image, lambda: None).shares((3, 0, 1), LIBRA)
    same(found, wanted)


def test_what_was_asked_before_is_not_computed_again() -> None:
    run = run_forward(build(), picture(), lambda: None)
    first = run.shares([1], LIBRA)
    assert run.shares((1,), LIBRA) is first
    assert run.shares((1,), LIBRA, "voxels") is not first
    assert not torch.equal(run.shares((2,), LIBRA).values[0], first.values[0])


def test_a_layer_without_a_rule_is_refused_and_the_network_left_as_found() -> None:
    model = build()
    model.network.blocks[0].feed_forward.net[2] = nn.Tanh()
    before = fingerprint(model.network.train())
    with pytest.raises(MethodError, match="no backward rule is known for tanh"):
        run_forward(model, picture(), lambda: None).shares([0], LIBRA)
    assert fingerprint(model.network) == before


class Probabilities(nn.Module):
    """Ends in a softmax on the way to an average, so that its answer has no logits."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(1, 3, 2)

    def forward(self, image: Tensor) -> Tensor:
        return self.conv(image).softmax(1).mean((2, 3, 4))


class InPlace(nn.Module):
    """A transformer whose residuals are written in place, as some are."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv3d(1, 12, 2, 2)
        self.norms = nn.ModuleList(nn.LayerNorm(12) for _ in range(2))
        self.mixers = nn.ModuleList(nn.MultiheadAttention(12, 2, batch_first=True) for _ in "ab")
        self.head = nn.Linear(12, 3)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patches(image).flatten(2).mT.contiguous()
        for norm, mix in zip(self.norms, self.mixers, strict=True):
            a = norm(x)
            x += mix(a, a, a, need_weights=False)[0]
        return self.head(x.mean(1))


def module(network: nn.Module) -> ModelHandle:
    torch.manual_seed(1)
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0.3, 0.5)
    spec = NetworkSpec(family="module", image_size=(4, 6, 4), channels=1, classes=3)
    rules = InputSpec(orientation="RAS", intensity="none", tensor_axes="xyz")
    return module_handle(network.double(), ModelSpec(network=spec, input=rules))


def test_a_network_that_ends_in_a_softmax_is_told_so() -> None:
    model = module(Probabilities())
    with pytest.raises(MethodError, match="let the network return logits"):
        model.forward(noise(model)).shares([0], LIBRA)


def test_what_enters_a_block_is_remembered_as_it_was() -> None:
    model = module(InPlace())
    shares = model.forward(noise(model)).shares((0, 1), LIBRA)
    assert len(shares.values) == 2
    assert shares.errors(0).abs().max() < 1e-12
    assert shares.errors(1).abs().max() < 1e-12
    assert not torch.allclose(shares.values[0], shares.values[1])


@pytest.mark.parametrize("name", OTHERS)
def test_it_can_be_stopped(name: str) -> None:
    model, ticks = OTHERS[name](), []
    before = fingerprint(model.network.train())

    def tick() -> None:
        ticks.append(1)
        if len(ticks) == 2:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        model.forward(noise(model), tick).shares((0,), LIBRA)
    assert fingerprint(model.network) == before


def test_float32_adds_up_to_its_rounding() -> None:
    for make in OTHERS.values():
        model = make()
        shares: Any = model.forward(noise(model).float()).shares((0, 2), LIBRA)
        assert (shares.errors().abs() < 1e-5 * (1 + shares.biases().abs())).all()
