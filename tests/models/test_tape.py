"""Attention as it is heard, against what the networks themselves remember of theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from probed_networks import BUILDERS, picture, probed, torch_vit
from torch import Tensor, nn
from torch.nn import functional as F

from g3dvit_napari.models.as_found.steady import Steady
from g3dvit_napari.models.attention.attention import AttentionLayer
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.probing.tape import AttentionCall, Tape

Seen = list[Tensor]


def whole(layer: AttentionLayer) -> Tensor:
    """A (g h n n)."""
    return layer.weights(slice(None), slice(None))


@contextmanager
def hooked(modules: list[nn.Module], see: Callable[[Any, Any], None]) -> Iterator[None]:
    hooks = [m.register_forward_hook(lambda _m, i, o: see(i, o)) for m in modules]
    yield
    for hook in hooks:
        hook.remove()


def parts(network: nn.Module, ending: str) -> list[nn.Module]:
    return [m for name, m in network.named_modules() if name.endswith(ending)]


def remembered(model: ModelHandle, image: Tensor) -> list[Tensor]:
    """The weights (g h n n) that a network computed, by its own account."""
    network, found = model.network, []
    if hasattr(network, "blocks"):
        network(image)
        return [block.attn.att_mat for block in network.blocks]
    if hasattr(network, "swin"):
        with hooked(parts(network, ".attn.softmax"), lambda _, out: found.append(out)):
            network(image)
    else:
        with hooked(parts(network, ".attend"), lambda _, out: found.append(out)):
            network(image)
    return found


@pytest.mark.parametrize("name", ["MONAI ViT", "vit_3d", "simple_vit_3d", "MONAI Swin"])
def test_weights_are_those_that_the_network_computed(name: str) -> None:
    model = BUILDERS[name]()
    image = picture(model)
    found, expected = model.forward(image).attention(), remembered(model, image)
    assert len(found) == len(expected) == model.blocks
    for layer, weights in zip(found, expected, strict=True):
        torch.testing.assert_close(whole(layer), weights)


def test_fused_attention_is_the_same() -> None:
    plain, fused = (BUILDERS[name]() for name in ("MONAI ViT", "MONAI ViT, fused"))
    image = picture(plain)
    for one, other in zip(plain.forward(image).attention(), fused.forward(image).attention(),
                          strict=True):  # fmt: skip
        torch.testing.assert_close(whole(one), whole(other))
        torch.testing.assert_close(one.v, other.v)


def test_our_swin_attends_as_that_of_monai() -> None:
    theirs, ours = BUILDERS["MONAI Swin"](), BUILDERS["our Swin"]()
    image = picture(theirs)
    found = ours.forward(image).attention()
    assert all(layer.bias is not None for layer in found)
    # Their weights differ, so what is compared is what each does with its own.
    for layer, call in zip(found, calls_of(ours.network, image), strict=True):
        g, h, n, _ = layer.q.shape
        again = F.scaled_dot_product_attention(
            layer.q, layer.k, layer.v, layer.bias.expand(g, h, n, n), scale=layer.scale
        )
        torch.testing.assert_close(again, call.mixed.reshape(g, h, n, -1))


def calls_of(network: nn.Module, image: Tensor) -> list[AttentionCall]:
    heard: list[AttentionCall] = []

    def hear(call: AttentionCall) -> Tensor:
        heard.append(call)
        return call.out

    with torch.no_grad(), Tape(hear), Steady():
        network(image)
    return heard


@pytest.mark.parametrize("norm_first", [True, False])
def test_torch_gives_the_weights_that_it_says_it_has(norm_first: bool) -> None:
    model = probed(torch_vit(norm_first=norm_first))
    image, entered = picture(model), []
    layers = model.network.encoder.layers
    hooks = [layer.self_attn.register_forward_pre_hook(lambda _m, i: entered.append(i[0]))
             for layer in layers]  # fmt: skip
    found = model.forward(image).attention()
    for hook in hooks:
        hook.remove()
    with torch.no_grad():
        expected = [
            layer.self_attn(x, x, x, average_attn_weights=False)[1]
            for layer, x in zip(layers, entered[-2:], strict=True)
        ]
    for layer, weights in zip(found, expected, strict=True):
        torch.testing.assert_close(whole(layer), weights)


def test_masks_factors_and_biases_are_followed() -> None:
    model = BUILDERS["odd"]()
    found = model.forward(picture(model)).attention()
    with torch.no_grad(), Steady():
        model.network(picture(model))
    for layer, weights in zip(found, model.network.weights, strict=True):
        torch.testing.assert_close(whole(layer), weights)
        assert not weights[..., 4].any()


CODES: dict[str, Callable[[Tensor], Tensor]] = {
    "bmm": lambda x: torch.bmm((torch.bmm(x, x.mT) / 3).softmax(2), x),
    "baddbmm": lambda x: torch.baddbmm(-x[..., :1].mT, x, x.mT).softmax(-1) @ x,
    "in place": lambda x: (x @ x.mT).div_(3).add_(x[..., :1].mT).softmax(-1) @ x,
    "the most is subtracted": lambda x: minus_most(x @ x.transpose(-1, -2)).softmax(-1) @ x,
    "masked": lambda x: where(x @ x.mT).softmax(-1) @ x,
    "einsum with dots": lambda x: torch.einsum(
        "...ij,...jd->...id", torch.einsum("...id,...jd->...ij", x, 2 * x).softmax(-1), x
    ),
    "values first": lambda x: torch.einsum(
        "bjd,bij->bid", x, torch.einsum("bjd,bid->bij", 2 * x, x).softmax(-1)
    ),
    "turned": lambda x: torch.einsum("bij,bjd->dib", (x @ x.mT).softmax(-1), x),
    "float": lambda x: (x @ x.mT).float().softmax(-1).to(x.dtype) @ x,
    "causal": lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True),
    "boolean mask": lambda x: F.scaled_dot_product_attention(
        x, x, x, torch.ones(7, 7, dtype=torch.bool).tril(2), scale=0.5
    ),
    "shared keys": lambda x: F.scaled_dot_product_attention(
        x[None].expand(2, 2, 7, 4), x[None], x[None], enable_gqa=True
    ),
}


def minus_most(scores: Tensor) -> Tensor:
    return scores - scores.amax(-1, keepdim=True)


def where(scores: Tensor) -> Tensor:
    return torch.where(torch.ones(7, 7, dtype=torch.bool).tril(), scores, -1e9)


class Code(nn.Module):
    def __init__(self, code: str) -> None:
        super().__init__()
        self.code = CODES[code]

    def forward(self, x: Tensor) -> Tensor:
        return self.code(x)


@pytest.mark.parametrize("code", CODES)
def test_one_attention_written_in_many_ways(code: str) -> None:
    x = torch.randn(1, 7, 4, generator=torch.Generator().manual_seed(1)).double()
    (call,) = calls_of(Code(code), x)
    assert call.scores.traced
    layer = call.layer(None, None)  # type: ignore[arg-type]
    mixed = call.in_windows(call.mixed, 1)
    tolerance = {"rtol": 1e-6, "atol": 1e-6} if code == "float" else {}
    torch.testing.assert_close(whole(layer) @ layer.v, mixed, **tolerance)
    torch.testing.assert_close(call.out, Code(code)(x))


@pytest.mark.parametrize(
    "code",
    [
        lambda x: (x @ x.mT).softmax(1) @ x,  # over queries
        lambda x: ((x @ x.mT).softmax(-1) + 1) @ x,
        lambda x: x.softmax(-1),
    ],
)
def test_what_is_no_attention_is_not_heard(code: Callable[[Tensor], Tensor]) -> None:
    network = Code("bmm")
    network.code = code
    assert not calls_of(network, torch.randn(1, 7, 4))


def test_scores_of_unknown_make_are_kept_whole() -> None:
    network = Code("bmm")
    network.code = lambda x: torch.cdist(x, x).softmax(-1) @ x
    (call,) = calls_of(network, torch.randn(1, 7, 4).double())
    assert not call.scores.traced
    layer = call.layer(None, None)  # type: ignore[arg-type]
    torch.testing.assert_close((whole(layer) @ layer.v)[0], call.mixed)
