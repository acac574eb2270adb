"""Each rule alone: what it gives to whom, what it keeps, and where it must divide by nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from plain_relevance import of_linear, of_mean, of_product, of_sum
from torch import Tensor
from torch.nn import functional as F

from g3dvit_napari.models.rules import relevance_shares as shares


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def leaves(*shapes: tuple[int, ...]) -> list[Tensor]:
    return [numbers(*shape, seed=n).requires_grad_() for n, shape in enumerate(shapes)]


def close(found: Tensor, wanted: Any) -> None:
    torch.testing.assert_close(found, torch.as_tensor(wanted), rtol=0, atol=1e-12)


def test_a_quotient_keeps_its_sign_and_is_zero_where_there_is_nothing() -> None:
    b = torch.tensor([2.0, -2.0, 0.0, 1e-12, -1e-12]).double()
    found = shares.quotient(torch.ones(5).double(), b)
    close(found[:3], torch.tensor([0.5, -0.5, 0.0]).double() * (1 - 5e-10))
    assert found[3] == -found[4] == pytest.approx(1e9, rel=0.01)
    assert shares.quotient(torch.ones(1), torch.tensor([torch.nan])).isnan()


@pytest.mark.parametrize("separate", [False, True])
def test_a_linear_map_gives_to_the_inputs_that_agree_with_its_weights(separate: bool) -> None:
    (x,), w, r = leaves((5, 40)), numbers(4, 40, seed=8), numbers(5, 4, seed=9)
    value = F.linear(x.detach(), w, numbers(4, seed=7))
    out = shares.linear(value, F.linear, x, w, separate=separate)
    close(out, value)
    (found,) = torch.autograd.grad(out, x, r)
    close(found, of_linear(x.detach().numpy(), w.numpy(), r.numpy(), partial=separate))
    assert found.sum().item() == pytest.approx(r.sum().item() * (1 + separate))


def test_an_input_that_agrees_with_nothing_gets_nothing() -> None:
    x = torch.tensor([[1.0, -2.0]]).double().requires_grad_()
    w = torch.tensor([[-1.0, 3.0], [1.0, 3.0]]).double()
    out = shares.linear(F.linear(x.detach(), w), F.linear, x, w, separate=False)
    (found,) = torch.autograd.grad(out, x, torch.tensor([[5.0, 7.0]]).double())
    torch.testing.assert_close(found, torch.tensor([[7.0, 0.0]]).double())


def test_a_mean_gives_by_value() -> None:
    (x,), r = leaves((6, 3)), numbers(3, seed=4)
    out = shares.average(x.detach().mean(0), lambda part: part.mean(0), x)
    (found,) = torch.autograd.grad(out, x, r)
    close(found, of_mean(x.detach().numpy(), r.numpy()))
    close(found.sum(0), r * out.detach() / (out.detach() + out.detach().sign() * 1e-9))


def test_a_product_gives_half_to_each_factor() -> None:
    (a, b), r = leaves((4, 5), (5, 3)), numbers(4, 3, seed=4)
    out = shares.product(a.detach() @ b.detach(), torch.matmul, a, b)
    found = torch.autograd.grad(out, (a, b), r)
    for part, wanted in zip(found, of_product(*_arrays(a, b, r)), strict=True):
        close(part, wanted)
        assert part.sum().item() == pytest.approx(r.sum().item() / 2)


@pytest.mark.parametrize("rescale", [False, True])
def test_a_residual_gives_by_value_and_then_by_the_sizes_of_the_sums(rescale: bool) -> None:
    (a, b), r = leaves((1, 4, 5), (1, 4, 5)), numbers(1, 4, 5, seed=4)
    out = shares.residual((a + b).detach(), a, b, rescale=rescale)
    found = torch.autograd.grad(out, (a, b), r)
    for part, wanted in zip(found, of_sum(*_arrays(a, b, r), partial=not rescale), strict=True):
        close(part, wanted)
    assert sum(part.sum() for part in found).item() == pytest.approx(r.sum().item())
    assert not rescale or found[0].sum() * r.sum() > 0 < found[1].sum() * r.sum()


def test_a_sample_is_rescaled_as_one_however_its_axes_are_ordered() -> None:
    (a, b), r = leaves((1, 4, 5), (1, 4, 5)), numbers(1, 4, 5, seed=4)
    turned = [x.transpose(0, 1) for x in (a, b)]
    one = shares.residual((a + b).detach(), a, b, rescale=True)
    other = shares.residual(sum(turned).detach(), *turned, rescale=True)
    wanted = torch.autograd.grad(one, (a, b), r)
    found = torch.autograd.grad(other, (a, b), r.transpose(0, 1))
    for part, expected in zip(found, wanted, strict=True):
        close(part, expected)


def test_nothing_that_is_split_stays_nothing() -> None:
    a = numbers(1, 3, 4).requires_grad_()
    b = (-a.detach()).requires_grad_()
    out = shares.residual(a.detach() + b.detach(), a, b, rescale=True)
    for found in torch.autograd.grad(out, (a, b), numbers(1, 3, 4, seed=5)):
        close(found, torch.zeros(1, 3, 4).double())


MASKS: dict[str, Callable[[], Tensor | None]] = {
    "none": lambda: None,
    "added": lambda: numbers(1, 2, 6, 6, seed=6),
    "a row of keys": lambda: torch.tensor([True, False, True, True, True, False]).expand(
        1, 1, 1, 6
    ),
    "hidden": lambda: torch.ones(6, 6).tril().bool(),
}


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("chunk", [1, 2**20])
@pytest.mark.parametrize("rows", [1, 6])
def test_attention_is_its_two_products(
    mask: str, chunk: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "CHUNK_BYTES", chunk)
    q, k, v = leaves((1, 2, rows, 4), (1, 2, 6, 4), (1, 2, 6, 4))
    bias = MASKS[mask]()
    if bias is not None and bias.shape[-2] > 1:
        bias = bias[..., :rows, :]
    value = F.scaled_dot_product_attention(q.detach(), k.detach(), v.detach(), bias, scale=0.7)
    out = shares.attention(value, q, k, v, scale=0.7, mask=bias)
    r = numbers(1, 2, rows, 4, seed=9)
    found = torch.autograd.grad(out, (q, k, v), r)
    added = bias if bias is None or bias.is_floating_point() else bias.double().log()
    scores = (q @ k.mT).detach()
    weights = (scores * 0.7 + (0 if added is None else added)).softmax(-1)
    for head in range(2):
        at_weights, at_v = of_product(*_arrays(weights[0, head], v[0, head], r[0, head]))
        at_q, at_k = of_product(*_arrays(q[0, head], k[0, head].mT, at_weights))
        for part, wanted in zip(found, (at_q, at_k.T, at_v), strict=True):
            torch.testing.assert_close(part[0, head], torch.as_tensor(wanted), rtol=1e-9, atol=1e-9)


def test_a_logit_starts_as_one_at_the_head_whatever_its_value() -> None:
    x, w = numbers(1, 6), numbers(3, 6, seed=1)
    starts = torch.eye(3).double()[:, None]
    found = shares.head_relevance(x, w, starts, separate=False)
    for target in range(3):
        close(found[target], of_linear(x.numpy(), w.numpy(), starts[target].numpy()))
    assert found.sum((1, 2)).tolist() == pytest.approx([1.0, 1.0, 1.0])


def test_the_scale_of_what_is_explained_does_not_count_at_the_head() -> None:
    x, w = numbers(1, 6), numbers(3, 6, seed=1)
    start = torch.tensor([[[1.0, -1.0, 0.0]]]).double()
    one, other = (shares.head_relevance(x, w, f * start, separate=False) for f in (1, 0.01))
    torch.testing.assert_close(one, other, rtol=1e-5, atol=0)
    assert one.sum().item() == pytest.approx(1.0)  # of a contrast, whose weights add up to zero


def _arrays(*tensors: Any) -> list[Any]:
    return [x.detach().numpy() if isinstance(x, Tensor) else x for x in tensors]
