"""Gradients at what attention mixes, in any network: against autograd."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from probed_networks import BUILDERS, GLOBAL, SWIN, picture
from rough_networks import fingerprint
from test_tape import Seen, hooked, parts
from torch import Tensor

from g3dvit_napari.models.as_found.steady import Steady
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.passes.cut import Cut


def mixed_in(model: ModelHandle, image: Tensor) -> tuple[Tensor, Seen]:
    """Run a network with a graph; return its logits and what each attention gave (g h n e)."""
    network, seen = model.network, []
    if isinstance(seen_by_itself := getattr(network, "mixed", None), list):
        with Steady():
            logits = network(image)
        return logits, seen_by_itself or network.mixed
    modules = parts(network, ".attn.out_rearrange")  # MONAI's ViT
    modules = modules or parts(network, ".attn.proj") or parts(network, ".0.to_out")

    def see(inputs: Any, _out: Any) -> None:
        seen.append(inputs[0])

    with hooked(modules, see), Steady():
        answer = network(image)
    return (answer[0] if isinstance(answer, tuple) else answer), seen


def split(gradient: Tensor, like: Tensor) -> Tensor:
    """Bring a gradient at what an attention gave to (g h n e)."""
    g, h, n, e = like.shape
    if gradient.shape == like.shape:
        return gradient
    return gradient.reshape(g, n, h, e).transpose(1, 2)


@pytest.mark.parametrize(
    "name", ["MONAI ViT", "MONAI ViT, fused", "vit_3d", "simple_vit_3d", "odd", "MONAI Swin"]
)
def test_gradients_at_what_is_mixed_are_those_of_autograd(name: str) -> None:
    model = BUILDERS[name]()
    image = picture(model)
    for parameter in model.network.parameters():
        parameter.requires_grad_(True)
    answer, mixed = mixed_in(model, image)
    if name.startswith("MONAI ViT"):
        answer = answer.atanh()  # its head ends in one
    if name == "odd":
        answer = answer.log()  # softmax: contrasts of two classes are those of the logits
    run = model.forward(image)
    found, layers = run.attention_gradients([0, 2]), run.attention()
    for layer, gradient, where_ in zip(layers, found, mixed, strict=True):
        rows = [torch.autograd.grad(answer[0, c], where_, retain_graph=True)[0] for c in (0, 2)]
        expected = torch.stack([split(row, layer.v) for row in rows])
        if name == "odd":
            gradient, expected = gradient[0] - gradient[1], expected[0] - expected[1]
        torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("name", ["MONAI ViT", "MONAI Swin"])
def test_gradients_from_a_later_attention_on_are_the_same(name: str) -> None:
    model = BUILDERS[name]()
    run = model.forward(picture(model))
    whole_, later = run.attention_gradients([1]), run.attention_gradients([1], -1)
    assert len(later) == 1
    torch.testing.assert_close(later[0], whole_[-1])
    assert run.attention_gradients([1], -1) is later


def test_along_the_skip_path_alone_attention_is_held_constant() -> None:
    model = BUILDERS["odd"]()
    image = picture(model)
    found = model.forward(image).attention_gradients([0], skip_only=True)
    network = model.network
    plain = type(network).attend
    kept: Seen = []

    def held(block: int, x: Tensor) -> Tensor:
        with torch.no_grad():
            leaf = plain(network, block, x)
        kept.append(leaf.requires_grad_())
        return leaf

    network.attend = held  # type: ignore[method-assign]
    hidden: Seen = []
    with Steady(), hooked([network.head], lambda _, out: hidden.append(out)):
        network(image)
    del network.attend
    expected = torch.autograd.grad(hidden[0][0, 0], kept)
    for layer, gradient, at_kept in zip(model.forward(image).attention(), found, expected,
                                        strict=True):  # fmt: skip
        torch.testing.assert_close(gradient[0], split(at_kept, layer.v))


@pytest.mark.parametrize("name", ["MONAI ViT", "vit_3d", "torch"])
def test_no_weights_stay_in_the_graph(name: str) -> None:
    model = BUILDERS[name]()
    tokens = model.site().tokens
    alive = shapes_alive(model, picture(model))
    assert any(shape[-2] == tokens for shape in alive)
    assert not any(shape[-2:] == (tokens, tokens) for shape in alive)


def shapes_alive(model: ModelHandle, image: Tensor) -> list[tuple[int, ...]]:
    """Shapes of all that the graph of a pass from the first block on holds."""
    cut = Cut(model, image, model.site(0), lambda: None)
    found, seen, todo = [], set(), [cut.logits.grad_fn]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        saved = (getattr(node, name) for name in dir(node) if name.startswith("_saved_"))
        found += [tuple(t.shape) for t in saved if isinstance(t, Tensor) and t.ndim > 2]
        todo += [child for child, _ in node.next_functions]
    return found


@pytest.mark.parametrize("name", [*GLOBAL, *SWIN])
def test_listening_changes_nothing(name: str) -> None:
    model = BUILDERS[name]()
    before = fingerprint(model.network.train())
    run = model.forward(picture(model))
    run.attention()
    run.attention_gradients([0])
    assert fingerprint(model.network) == before
    for layer in run.attention():
        assert not layer.q.requires_grad
        assert layer.bias is None or not layer.bias.requires_grad
