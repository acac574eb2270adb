"""Relevance from the answer to the attentions: by blocks or at once, and nothing of it is lost."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from plain_relevance import PlainRelevance
from reference_networks import some_image, tiny
from torch import Tensor, nn

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.as_found.capture import Stage, capturing
from g3dvit_napari.models.networks.vit3d import ViT3D
from g3dvit_napari.models.rules.relevance_rules import RelevanceRules
from g3dvit_napari.models.rules.relevance_shares import head_relevance
from g3dvit_napari.models.rules.relprop import relevance_of_attention

NETWORKS: dict[str, dict[str, Any]] = {
    "class token": {"family": "vit_3d"},
    "mean": {"family": "vit_3d", "pool": "mean"},
    "simple": {"family": "simple_vit_3d"},
}
STARTS = torch.eye(7).double()[[0, 4], None]


def carried(
    network: nn.Module, stages: list[Stage], entering: list[Tensor], logits: Tensor, **options: Any
) -> tuple[Tensor, ...]:
    with capturing(network):
        return relevance_of_attention(stages, entering, logits, STARTS, lambda: None, **options)


def whole(network: ViT3D) -> Stage:
    def stage(tokens: Tensor) -> Tensor:
        for block in network.blocks:
            tokens = block(tokens)
        return network.read_out(tokens)

    return stage


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> ViT3D:
    return tiny(**NETWORKS[request.param]).double()


@pytest.fixture
def tokens(network: ViT3D) -> Tensor:
    return network.embed(some_image(1).double()).detach()


@pytest.mark.parametrize("partial", [False, True])
def test_it_is_that_of_the_rules_by_hand(network: ViT3D, tokens: Tensor, partial: bool) -> None:
    hand = PlainRelevance(network)
    logits = torch.as_tensor(hand.run(tokens[0].numpy()))
    found = carried(network, [whole(network)], [tokens], logits, partial=partial)
    for row, target in enumerate((0, 4)):
        weight = hand.head.weight[target].detach().numpy()
        wanted = hand.relevance(weight, partial=partial)
        for t, numbers, at_weights in zip(found, hand.blocks, wanted, strict=True):
            v, a = torch.as_tensor(numbers.v), torch.as_tensor(numbers.weights)
            torch.testing.assert_close(
                a * (t[row, 0] @ v.mT) / 2,
                torch.as_tensor(at_weights),
                rtol=0,
                atol=1e-9 * abs(at_weights).max(),
            )


def test_block_by_block_is_the_same_as_at_once(network: ViT3D, tokens: Tensor) -> None:
    logits = whole(network)(tokens)[0].detach()
    between = network.blocks[0](tokens).detach()
    blocks: list[Stage] = [network.blocks[0], lambda x: network.read_out(network.blocks[1](x))]
    at_once = carried(network, [whole(network)], [tokens], logits)
    by_block = carried(network, blocks, [tokens, between], logits)
    last_alone = carried(network, blocks[1:], [between], logits)
    assert len(at_once) == len(by_block) == 2
    for one, other in zip(at_once, by_block, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-12)
    assert torch.equal(last_alone[0], by_block[1])


def test_all_relevance_arrives_at_the_tokens(network: ViT3D, tokens: Tensor) -> None:
    with capturing(network), torch.enable_grad(), RelevanceRules() as rules:
        leaf = tokens.clone().requires_grad_()
        whole(network)(leaf)
    assert rules.head is not None
    entering, weight, _ = rules.head
    starts = head_relevance(entering.detach(), weight.detach(), STARTS, separate=False)
    for start in starts:
        (found,) = torch.autograd.grad(entering, leaf, start, retain_graph=True)
        assert found.sum().item() == pytest.approx(1.0, abs=1e-5)
        assert found.abs().max() > 1e-3


class Ending(nn.Module):
    """One linear layer, and something behind it or in it."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.linear = nn.Linear(6, 7).double()

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        if self.way == "two layers":
            return y @ torch.ones(7, 7).double()
        if self.way == "per token":
            return self.linear(torch.stack([x, x], dim=1)).mean(1)
        if self.way == "aliased":
            z = x
            z.mul_(2)  # x is not what it was, but a copy is what a rule makes
            return self.linear(x)
        return y


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("two layers", "gives another answer"),
        ("per token", "do not come from a linear layer"),
        ("aliased", "gives another answer"),
        ("plain", "no attention that could be seen"),
    ],
)
def test_an_end_that_cannot_be_followed_is_said(way: str, words: str) -> None:
    network, x = Ending(way), torch.randn(1, 6).double()
    with torch.no_grad():
        logits = network(x.clone())[0]
    with pytest.raises(MethodError, match=words):
        carried(network, [network], [x], logits)
