"""A network of the user's own: hooked at the norm that its spec names, and left alone otherwise."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from probed_networks import BUILDERS
from probed_networks import picture as an_image
from rough_networks import fingerprint
from torch import Tensor, nn
from torch.nn import functional as F

from g3dvit_napari.core.errors import Cancelled, MethodError, SpecError
from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.objective import Objective
from g3dvit_napari.models.passes.foreign import ForeignPass
from g3dvit_napari.models.passes.forward import run_forward
from g3dvit_napari.models.probing.anatomy import Site


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
    assert isinstance(run, ForeignPass)
    assert run._cut(-1).leaf.is_leaf
    assert not run.activations().requires_grad
    assert not run.logits.requires_grad


@pytest.mark.parametrize("name", BUILDERS)
def test_features_and_gradients_of_every_block_equal_plain_hooks(name: str) -> None:
    model = BUILDERS[name]()
    image = an_image(model)
    # Behind a softmax, contrasts are all that is left of logits.
    run = model.forward(image, objective=Objective("contrast", against=0))
    for block, site in enumerate(model.anatomy.sites):
        kept: list[Tensor] = []
        answer = answered(model, image, site, kept)
        row = run.starts([1])[0, 0]
        (wanted,) = torch.autograd.grad(answer, kept[0], row)
        torch.testing.assert_close(run.activations(block), site.flat(kept[0].detach())[0])
        found = run.gradients([1], block)
        torch.testing.assert_close(found[0], site.flat(wanted)[0], rtol=1e-6, atol=1e-12)
        contrasts = answer.detach() - answer[0].detach()
        torch.testing.assert_close(run.logits - run.logits[0], contrasts)


def answered(model: ModelHandle, image: Tensor, site: Site, kept: list[Tensor]) -> Tensor:
    """Run a network as it is, keep what is at a site, return its logits before an activation."""
    for parameter in model.network.parameters():
        parameter.requires_grad_(True)

    def keep(_module: nn.Module, tensors: Any, output: Any = None) -> Any:
        kept.append(tensors[0] if site.entering else output)
        onward = kept[0].clone()  # the network may write into it
        return (onward, *tensors[1:]) if site.entering else onward

    module = model.network.get_submodule(site.name)
    entering, leaving = module.register_forward_pre_hook, module.register_forward_hook
    hook = entering(keep) if site.entering else leaving(keep)
    answer = without_dropout(model.network, image)
    hook.remove()
    first = answer[0] if isinstance(answer, tuple) else answer
    return {"Tanh": first.atanh(), "Softmax": first.log()}.get(model.anatomy.activation, first)[0]


def without_dropout(network: nn.Module, image: Tensor) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(F, "dropout", lambda x, *_, **__: x)
        for module in network.modules():
            if hasattr(module, "dropout_rate"):
                patch.setattr(module, "dropout_rate", 0.0)
        return network(image)


@pytest.mark.parametrize("name", ["MONAI ViT", "MONAI ViT, fused", "odd"])
def test_the_answer_is_the_networks_own_and_always_the_same(name: str) -> None:
    model = BUILDERS[name]()
    images = torch.cat([an_image(model), an_image(model, 5)])
    logits = model.logits(images)
    torch.testing.assert_close(model.logits(images), logits, rtol=0, atol=0)
    torch.testing.assert_close(model.forward(images[1:]).logits, logits[1])
    with torch.no_grad():
        answer = without_dropout(model.network, images)
    answer = answer[0] if isinstance(answer, tuple) else answer
    after = logits.softmax(-1) if name == "odd" else logits.tanh()
    torch.testing.assert_close(after, answer)


@pytest.mark.parametrize("name", ["simple_vit_3d", "MONAI ResNet", "odd"])
def test_a_linear_head_adds_up_to_the_logits(name: str) -> None:
    model = BUILDERS[name]()
    one, other = (model.forward(an_image(model, seed)) for seed in (3, 4))
    heads = one.linear_head(), other.linear_head()
    means = [head.features.mean(0) @ head.weight.mT for head in heads]
    constant = one.logits - means[0]
    torch.testing.assert_close(constant - constant[0], (other.logits - means[1])
                               - (other.logits - means[1])[0])  # fmt: skip
    if name != "odd":
        last = model.network.linear_head if name == "simple_vit_3d" else model.network.fc
        torch.testing.assert_close(heads[0].weight, last.weight.detach())
        torch.testing.assert_close(constant, last.bias.detach())
    assert len(heads[0].features) == heads[0].cells.count


def test_it_ticks_between_blocks_and_stops_there() -> None:
    model = BUILDERS["MONAI Swin"]()
    before, ticks = fingerprint(model.network.train()), [0]
    _ = model.anatomy

    def tick() -> None:
        ticks[0] += 1
        if ticks[0] in stops:
            raise Cancelled("stopped")

    stops: list[int] = []
    run = model.forward(an_image(model), tick)
    assert ticks[0] == model.blocks == 7
    run.attention()
    assert ticks[0] == 14
    run.attention_gradients([0, 1])
    assert ticks[0] == 14 + 7 + 2
    for later in (3, 12, 16):  # in a forward pass, another one, and on the way back
        model.forget()
        stops[:] = [ticks[0] + later]
        with pytest.raises(Cancelled):
            model.forward(an_image(model), tick).attention_gradients([0, 1, 2])
        assert fingerprint(model.network) == before


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
        ("first", r"first .* must yield.*\(1, 9, features\).*yields \(1, 8, 24\)"),
        ("patches", "patches .* must yield"),
        ("unused", "unused .* took no part"),
    ],
)
def test_a_wrong_norm_is_said(norm: str, words: str) -> None:
    model = handle(norm)
    with pytest.raises(SpecError, match=words):
        run_forward(model, picture(), lambda: None)
    assert not any(m._forward_hooks for m in model.network.modules())


def test_a_block_that_there_is_not_is_refused() -> None:
    run = run_forward(handle(), picture(), lambda: None)
    with pytest.raises(MethodError, match=r"1 blocks.*got 1"):
        run.gradients([0], 1)


def test_what_detaches_its_tokens_is_said() -> None:
    class Detached(Own):
        def forward(self, image: Tensor) -> Any:
            self.norm.register_forward_hook(lambda *_: None)
            x = self.norm(self.first(self.patches(image).flatten(2).mT)).detach()
            x = x + self.attention(x, x, x, need_weights=False)[0]
            return self.head(x.mean(1))

    spec = NetworkSpec(family="module", image_size=(8, 10, 6), channels=1, classes=3)
    model = ModelHandle(Detached().double(), ModelSpec(network=spec), torch.device("cpu"),
                        ("a", "b", "c"))  # fmt: skip
    run = run_forward(model, picture(), lambda: None)
    with pytest.raises(MethodError, match="no gradient comes back"):
        run.gradients([0])


def test_a_network_that_forgets_its_own_graph_is_understood() -> None:
    class Forgetful(Own):
        @torch.no_grad()
        def forward(self, image: Tensor) -> Any:
            return super().forward(image)

    torch.manual_seed(0)
    model = handle()
    model = ModelHandle(Forgetful().double(), model.spec, model.device, model.class_names)
    run = run_forward(model, picture(), lambda: None)
    assert (model.anatomy.attention, model.anatomy.pool) == ("global", "other")
    assert len(run.attention()) == 1
    with pytest.raises(MethodError, match="no gradient comes back"):
        run.gradients([0])
