"""Passes against plain hooks and a full backward pass; and what they must not do to a network."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from rough_networks import fingerprint, roughen
from torch import Tensor

from g3dvit_napari.core.errors import Cancelled, MethodError
from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.networks.vit3d import Layout, ViT3D
from g3dvit_napari.models.passes.forward import ForwardPass, run_forward
from g3dvit_napari.models.rules.rules import LIBRA

CLASSES = 4
SIZES: dict[str, Any] = {
    "image_size": (12, 20, 9),
    "patch": (4, 5, 3),
    "channels": 2,
    "classes": CLASSES,
    "dim": 48,
    "depth": 3,
    "heads": 3,
    "dim_head": 8,
    "mlp_dim": 32,
    "patch_order": "legacy",
}
KINDS: dict[str, tuple[dict[str, Any], Layout]] = {
    "class token": ({"family": "vit_3d", "pool": "cls", "prefix_tokens": 1}, Layout()),
    "mean": ({"family": "vit_3d", "pool": "mean", "prefix_tokens": 1}, Layout()),
    "simple": (
        {"family": "simple_vit_3d", "pool": "mean", "prefix_tokens": 0},
        Layout(final_norm=True, head_norm=False),
    ),
    "one block, no projection": (
        {
            "family": "vit_3d",
            "pool": "cls",
            "prefix_tokens": 1,
            "heads": 1,
            "dim_head": 48,
            "depth": 1,
        },
        Layout(patch_norm=False),
    ),
}


def build(kind: str = "class token", dtype: torch.dtype = torch.float64) -> ModelHandle:
    """A small network whose norms and attention are far from their initial, flat state."""
    changes, layout = KINDS[kind]
    spec = NetworkSpec(**{**SIZES, **changes})
    torch.manual_seed(3)
    network = ViT3D(spec, layout)
    roughen(network)
    names = tuple(f"class {n}" for n in range(CLASSES))
    network.to(dtype)
    return ModelHandle(network, ModelSpec(network=spec), torch.device("cpu"), names)


def picture(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(1, 2, 12, 20, 9, dtype=dtype, generator=torch.Generator().manual_seed(4))


def by_hooks(network: ViT3D, image: Tensor, block: int) -> tuple[Tensor, Tensor, Tensor]:
    """Activations, gradients of all classes, logits: whole graph, one backward pass per class."""
    kept: list[Tensor] = []
    norm = network.blocks[block].attention.norm
    hook = norm.register_forward_hook(lambda _m, _i, out: kept.append(out))
    logits = network(image)[0]
    hook.remove()
    grads = [torch.autograd.grad(y, kept[0], retain_graph=True)[0][0] for y in logits]
    return kept[0][0].detach(), torch.stack(grads), logits.detach()


def results(run: ForwardPass) -> list[Tensor]:
    shares = run.shares([1], LIBRA).values[0]
    return [run.gradients([1]), run.gradients([1], 0), shares, run.logits]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", [0, -1])
def test_gradients_equal_a_full_backward_pass(kind: str, block: int) -> None:
    model, image = build(kind), picture()
    activations, gradients, logits = by_hooks(model.network, image, block)
    run = run_forward(model, image, lambda: None)
    assert gradients.abs().amax() > 1e-3
    torch.testing.assert_close(run.logits, logits, rtol=0, atol=1e-12)
    torch.testing.assert_close(run.activations(block), activations, rtol=0, atol=1e-12)
    found = run.gradients(range(CLASSES), block)
    torch.testing.assert_close(found, gradients, rtol=0, atol=1e-10)
    mean, size = run.mean_gradients(range(CLASSES), block)
    torch.testing.assert_close(mean, gradients.mean(-1), rtol=0, atol=1e-10)
    assert (size >= gradients.mean(-1).abs() - 1e-12).all()


def test_blocks_in_between_and_classes_in_any_order() -> None:
    model, image = build(), picture()
    _, gradients, _ = by_hooks(model.network, image, 1)
    run = run_forward(model, image, lambda: None)
    torch.testing.assert_close(run.gradients([3, 0, 3], 1), gradients[[3, 0, 3]])
    torch.testing.assert_close(run.gradients([3, 0, 3], -2), gradients[[3, 0, 3]])


@pytest.mark.parametrize("kind", KINDS)
def test_float32_agrees_with_float64(kind: str) -> None:
    fine = run_forward(build(kind), picture(), lambda: None)
    coarse = run_forward(build(kind, torch.float32), picture().float(), lambda: None)
    assert coarse.logits.dtype is torch.float32
    fine_gradients = fine.gradients(range(CLASSES))
    difference = (coarse.gradients(range(CLASSES)) - fine_gradients).abs().amax()
    assert difference < 1e-4 * fine_gradients.abs().amax()


def test_no_block_is_run_twice_for_another_class_or_pooling() -> None:
    model = build()
    ran: list[int] = []
    for number, block in enumerate(model.network.blocks):
        block.attention.norm.register_forward_hook(lambda _m, _i, _o, n=number: ran.append(n))
    run = run_forward(model, picture(), lambda: None)
    assert ran == [0, 1, 2]
    for target in range(CLASSES):
        run.gradients([target])
        run.mean_gradients([target])
    assert ran == [0, 1, 2]


def test_mean_pooling_goes_back_through_the_last_block_once_per_class() -> None:
    model = build("mean")
    run = run_forward(model, picture(), lambda: None)
    assert run.gradients([2]) is run.gradients((2,))  # kept for another pooling or method
    assert not torch.equal(run.gradients([1]), run.gradients([2]))


def test_behind_the_last_attention_only_the_class_token_is_computed() -> None:
    model, seen = build(), []
    model.network.blocks[-1].feed_forward.register_forward_hook(
        lambda _m, inputs, _o: seen.append(inputs[0].shape[1])
    )
    run = run_forward(model, picture(), lambda: None)
    run.gradients([0, 1])
    run.shares([0], LIBRA)
    assert set(seen) == {1}


@pytest.mark.parametrize("kind", KINDS)
def test_ticks_come_once_per_block_and_again_on_the_way_back(kind: str) -> None:
    model, ticks = build(kind), []
    run = run_forward(model, picture(), lambda: ticks.append(1))
    assert len(ticks) == model.blocks
    run.shares([0], LIBRA)
    assert len(ticks) == 2 * model.blocks


def test_what_is_kept_has_no_graph_under_class_token_pooling() -> None:
    run = run_forward(build(), picture(), lambda: None)
    found = [
        run.logits,
        run.activations(),
        run.gradients([1]),
        *run.shares([1], LIBRA).values,
    ]
    assert not any(t.requires_grad or t.is_inference() for t in found)


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_is_left_as_found(kind: str) -> None:
    model = build(kind)
    network = model.network.train()
    network.blocks[0].eval()
    first, second, *_ = network.parameters()
    first.requires_grad_(False)
    second.grad = torch.ones_like(second)
    before = fingerprint(network)
    run = run_forward(model, picture(), lambda: None)
    run.gradients([0])
    run.gradients([1], 0)
    run.shares([0, 1], LIBRA)
    assert fingerprint(network) == before
    assert torch.equal(second.grad, torch.ones_like(second))


@pytest.mark.parametrize("stop_at", [1, 3, 4, 6])
def test_cancelling_leaves_the_network_as_found_and_the_next_run_right(stop_at: int) -> None:
    model, image, ticks = build(), picture(), []
    before = fingerprint(model.network.train())

    def tick() -> None:
        ticks.append(1)
        if len(ticks) == stop_at:
            raise Cancelled("stopped by the user")

    with pytest.raises(Cancelled):
        run_forward(model, image, tick).shares([0], LIBRA)
    assert len(ticks) == stop_at
    assert fingerprint(model.network) == before
    again = run_forward(model, image, lambda: None)
    torch.testing.assert_close(again.logits, by_hooks(model.network, image, 0)[2])


def test_an_error_inside_the_network_leaves_it_as_found() -> None:
    model = build()
    model.network.blocks[1].feed_forward.register_forward_pre_hook(_fail)
    before = fingerprint(model.network.train())
    with pytest.raises(ZeroDivisionError):
        run_forward(model, picture(), lambda: None)
    assert fingerprint(model.network) == before


def _fail(*_: object) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "mode",
    [
        torch.inference_mode,
        torch.no_grad,
        torch.enable_grad,
        lambda: torch.autocast("cpu", torch.bfloat16),
    ],
    ids=["inference", "no grad", "grad", "autocast"],
)
def test_the_callers_modes_change_nothing(kind: str, mode: Callable[[], Any]) -> None:
    model, image = build(kind, torch.float32), picture(torch.float32)
    plain = run_forward(model, image, lambda: None)
    with mode():
        run = run_forward(model, image.clone(), lambda: None)
        got = results(run)
    for a, b in zip(got, results(plain), strict=True):
        assert torch.equal(a, b)


def test_a_network_made_in_inference_mode_is_refused_with_advice() -> None:
    with torch.inference_mode():
        model = build()
        with pytest.raises(MethodError, match="build or load it outside"):
            run_forward(model, picture(), lambda: None)


def test_two_threads_may_explain_the_same_network() -> None:
    model, image = build(), picture()
    before, wanted = fingerprint(model.network), run_forward(model, image, lambda: None)
    found: list[Tensor] = []

    def work() -> None:
        for _ in range(5):
            found.append(run_forward(model, image, lambda: None).gradients([1]))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert all(torch.equal(f, wanted.gradients([1])) for f in found)
    assert fingerprint(model.network) == before


@pytest.mark.parametrize("target", [CLASSES, -1])
def test_a_class_that_does_not_exist_is_refused(target: int) -> None:
    run = run_forward(build(), picture(), lambda: None)
    with pytest.raises(MethodError, match=f"class {target} asked for, but the network has 4"):
        run.gradients([target])
    with pytest.raises(MethodError, match=f"class {target}"):
        run.shares([target], LIBRA)


@pytest.mark.parametrize("block", [3, -4])
def test_a_block_that_does_not_exist_is_refused(block: int) -> None:
    run = run_forward(build(), picture(), lambda: None)
    with pytest.raises(MethodError, match=f"3 blocks.*got {block}"):
        run.gradients([0], block)
