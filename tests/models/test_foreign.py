"""A network of the user's own: hooked at the norm that its spec names, and left alone otherwise."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.foreign import ForeignPass
from g3dvit_napari.models.forward import run_forward
from g3dvit_napari.models.handle import ModelHandle


class Own(nn.Module):
    """Convolutional patches, torch's own attention, dropout, something in place, a tuple out."""

    def __init__(self, pool: str = "cls", output: str = "tuple") -> None:
        super().__init__()
        self.pool, self.output = pool, output
        self.patches = nn.Conv3d(1, 24, (4, 5, 3), (4, 5, 3))
        self.token = nn.Parameter(torch.randn(1, 1, 24))
        self.first = nn.LayerNorm(24)
        self.norm = nn.LayerNorm(24)
        self.attention = nn.MultiheadAttention(24, 3, dropout=0.5, batch_first=True)
        self.late = nn.LayerNorm(24)
        self.unused = nn.LayerNorm(24)
        self.head = nn.Linear(24, 3)

    def forward(self, image: Tensor) -> Any:
        x = self.first(self.patches(image).flatten(2).mT)
        x = torch.cat([self.token, x], dim=1)
        a = self.norm(x)
        a *= 1.5  # in place, as some networks do
        x = self.late(x + self.attention(a, a, a, need_weights=False)[0])
        y = self.head(x[:, 0] if self.pool == "cls" else x.mean(1))
        return (y, [x]) if self.output == "tuple" else y


def handle(norm: str | None = "norm", **options: str) -> ModelHandle:
    torch.manual_seed(0)
    spec = NetworkSpec(family="module", image_size=(8, 10, 6), patch=(4, 5, 3), channels=1,
                       classes=3, prefix_tokens=1, norm=norm)  # fmt: skip
    network = Own(**options).double()
    nn.init.normal_(network.norm.weight, 1, 0.5)
    return ModelHandle(network, ModelSpec(network=spec), torch.device("cpu"), ("a", "b", "c"))


def picture() -> Tensor:
    return torch.randn(1, 1, 8, 10, 6, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("pool", ["cls", "mean"])
@pytest.mark.parametrize("output", ["tuple", "tensor"])
def test_gradients_equal_plain_hooks(pool: str, output: str) -> None:
    model, kept = handle(pool=pool, output=output), []
    network = model.network.eval()

    def keep(_m: nn.Module, _i: Any, out: Tensor) -> Tensor:
        kept.append(out)
        return out.clone()  # the network writes into it

    hook = network.norm.register_forward_hook(keep)
    answer = network(picture())
    hook.remove()
    logits = (answer[0] if output == "tuple" else answer)[0]
    wanted = [torch.autograd.grad(y, kept[0], retain_graph=True)[0][0] for y in logits]
    network.train()  # dropout: explaining must switch it off, and on again
    run = run_forward(model, picture(), lambda: None)
    assert isinstance(run, ForeignPass)
    torch.testing.assert_close(run.logits, logits.detach())
    torch.testing.assert_close(run.activations(), kept[0][0].detach())
    torch.testing.assert_close(run.gradients([0, 1, 2]), torch.stack(wanted))
    torch.testing.assert_close(run.mean_gradients([2])[0], wanted[2].mean(-1)[None])
    assert network.training
    assert network.attention.training


def test_the_network_is_left_as_found() -> None:
    model = handle()
    network = model.network.train()
    network.first.weight.requires_grad_(False)
    before = [(p.requires_grad, p.grad) for p in network.parameters()]
    with torch.inference_mode():
        run_forward(model, picture(), lambda: None).gradients([0])
    assert [(p.requires_grad, p.grad) for p in network.parameters()] == before
    assert not any(m._forward_hooks for m in network.modules())


def test_no_graph_reaches_below_the_norm() -> None:
    run = run_forward(handle(), picture(), lambda: None)
    assert run._captured.is_leaf
    assert not run.activations().requires_grad


@pytest.mark.parametrize("method", ["g3dvit", "grad_cam", "hires_cam"])
def test_every_method_that_needs_a_norm_gives_a_map(method: str) -> None:
    maps = METHODS[method].function(run_forward(handle(), picture(), lambda: None), (0, 2))
    assert maps.values.shape == (2, 2, 2, 2)
    assert abs(maps.values).max() > 1e-6


def test_a_norm_behind_the_last_attention_is_refused_with_the_reason() -> None:
    run = run_forward(handle("late"), picture(), lambda: None)
    with pytest.raises(MethodError, match=r"gradient at late is zero at every patch.*class-token"):
        run.gradients([0])
    with pytest.raises(MethodError, match="zero at every patch"):
        METHODS["g3dvit"].function(run, (0,))


def test_with_mean_pooling_the_same_norm_serves() -> None:
    assert run_forward(handle("late", pool="mean"), picture(), lambda: None).gradients([0]).any()


@pytest.mark.parametrize(
    ("norm", "words"),
    [
        ("nrom", "no module named 'nrom'.*one of: first, norm, late, unused"),
        ("first", r"first must yield.*\(1, 9, features\).*yields \(1, 8, 24\)"),
        ("patches", "patches must yield"),
    ],
)
def test_a_wrong_norm_is_said(norm: str, words: str) -> None:
    model = handle(norm)
    with pytest.raises(MethodError, match=words):
        run_forward(model, picture(), lambda: None)
    assert not any(m._forward_hooks for m in model.network.modules())


def test_a_norm_that_takes_no_part_is_said() -> None:
    run = run_forward(handle("unused"), picture(), lambda: None)
    with pytest.raises(MethodError, match="unused took no part"):
        run.activations()


def test_other_blocks_and_balanced_gradients_are_refused() -> None:
    run = run_forward(handle(), picture(), lambda: None)
    with pytest.raises(MethodError, match="leave block at -1, got 0"):
        run.gradients([0], 0)
    with pytest.raises(MethodError, match="balanced gradients"):
        run.balanced([0])
