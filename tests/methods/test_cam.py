"""CAM, patch by patch; its mean and the bias are the logit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.networks.resnet3d import ResNet3D, ResNetLayout
from g3dvit_napari.models.networks.swin3d import Swin3D, SwinLayout
from g3dvit_napari.models.objective import Objective
from g3dvit_napari.models.offers import lacking


def averaged(model: ModelHandle, image: Tensor) -> np.ndarray:
    """The tokens (n d) that are averaged."""
    x = model.network.embed(image)
    for block in model.network.blocks:
        x = block(x)
    if model.prefix_tokens == 0:
        x = model.network.transformer.norm(x)
    return x[0].detach().numpy()


def plain_shares(features: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.array([sum(w * a for w, a in zip(weight, row, strict=True)) for row in features])


def without_norm(model: ModelHandle) -> ModelHandle:
    """A network whose pooled token, the class token in it, goes straight to a linear layer."""
    model.network.mlp_head = model.network.mlp_head[1]
    return model


@pytest.mark.parametrize("kind", ["simple", "mean"])
def test_values_follow_the_formula(build: Any, image: Tensor, kind: str) -> None:
    model = build("simple") if kind == "simple" else without_norm(build("mean"))
    tokens, weight = averaged(model, image), model.network.head.weight.detach().numpy()
    maps = METHODS["cam"].function(model.forward(image), (3, 0))
    for row, target in enumerate((3, 0)):
        wanted = plain_shares(tokens, weight[target])
        logit = wanted.mean() + model.network.head.bias[target].item()
        assert logit == pytest.approx(model.network(image)[0, target].item(), abs=1e-12)
        patches = wanted[model.prefix_tokens :]
        assert np.ptp(patches) > 0.1
        np.testing.assert_allclose(maps.values[row].ravel(), patches, rtol=0, atol=1e-12)
        assert (maps.magnitude[row].ravel() >= np.abs(patches)).all()


def test_a_contrast_is_the_difference_of_two_maps(build: Any, image: Tensor) -> None:
    model = build("simple")
    one, other = METHODS["cam"].function(model.forward(image), (1, 2)).values
    run = model.forward(image, objective=Objective("contrast", against=2))
    found = METHODS["cam"].function(run, (1,)).values[0]
    np.testing.assert_allclose(found, one - other, rtol=0, atol=1e-12)


def test_networks_that_end_in_something_else_are_not_offered_it(build: Any) -> None:
    needs = METHODS["cam"].needs
    assert not lacking(needs, build("simple").offers)
    assert not lacking(needs, without_norm(build("mean")).offers)
    for kind in ("class token", "mean"):
        assert "not one linear layer" in lacking(needs, build(kind).offers)


def test_a_class_that_does_not_exist_is_refused(build: Any, image: Tensor) -> None:
    with pytest.raises(MethodError, match="class 4 asked for"):
        METHODS["cam"].function(build("simple").forward(image), (4,))


def linear_networks() -> dict[str, tuple[ModelHandle, str, str]]:
    """Networks of others, the module whose output is averaged, and the classifying layer."""
    size = {"image_size": (25, 32, 20), "patch": (2, 2, 2), "channels": 1, "classes": 3}
    conv = NetworkSpec(family="resnet_3d", stride=(2, 2, 2), max_pool=False, **size)
    window = NetworkSpec(family="swin_3d", dim=12, mlp_dim=24, window=(3, 4, 2),
                         merging="mergingv2", **size)  # fmt: skip
    networks = {
        "resnet": (ResNet3D(conv, ResNetLayout((1, 1), (6, 8))), conv, "layer2", "fc"),
        "swin": (Swin3D(window, SwinLayout((1, 1), (2, 4))), window, "norm", "head"),
    }
    return {
        name: (ModelHandle(network.double().eval(), ModelSpec(network=spec), torch.device("cpu"),
                           ("a", "b", "c")), *modules)
        for name, (network, spec, *modules) in networks.items()
    }  # fmt: skip


@pytest.mark.parametrize("name", ["resnet", "swin"])
def test_other_networks_are_explained_where_they_average(name: str) -> None:
    torch.manual_seed(1)
    model, averaged_by, head = linear_networks()[name]
    image = torch.randn(1, 1, 25, 32, 20).double()
    kept: list[Tensor] = []
    hook = model.network.get_submodule(averaged_by).register_forward_hook(
        lambda _m, _i, out: kept.append(out)
    )
    logits = model.network(image)[0]
    hook.remove()
    layer = model.network.get_submodule(head)
    grid = kept[0][0].movedim(0, -1) if name == "resnet" else kept[0][0]  # f h w d
    assert not lacking(METHODS["cam"].needs, model.offers)
    maps = METHODS["cam"].function(model.forward(image), (2, 0))
    for row, target in enumerate((2, 0)):
        wanted = (grid @ layer.weight[target]).detach().numpy()
        np.testing.assert_allclose(maps.values[row], wanted, rtol=0, atol=1e-9)
        assert np.ptp(wanted) > 1e-3
        total = maps.values[row].mean() + layer.bias[target].item()
        assert total == pytest.approx(logits[target].item(), abs=1e-9)


class WithClassToken(nn.Module):
    """Patches and a class token; the head averages the patches, or all, or both are read."""

    def __init__(self, reads: str) -> None:
        super().__init__()
        self.reads = reads
        self.patches = nn.Conv3d(1, 24, (4, 5, 3), (4, 5, 3))
        self.token = nn.Parameter(torch.randn(1, 1, 24))
        self.norm = nn.LayerNorm(24)
        self.attention = nn.MultiheadAttention(24, 3, batch_first=True)
        self.last = nn.LayerNorm(24)
        self.head, self.other = nn.Linear(24, 3), nn.Linear(24, 3)

    def forward(self, image: Tensor) -> Tensor:
        x = torch.cat([self.token, self.patches(image).flatten(2).mT], dim=1)
        a = self.norm(x)
        x = self.last(x + self.attention(a, a, a, need_weights=False)[0])
        if self.reads == "all":
            return self.head(x.mean(1))
        logits = self.head(x[:, 1:].mean(1))
        return logits + self.other(x[:, 0]) if self.reads == "both" else logits


def with_class_token(reads: str) -> ModelHandle:
    torch.manual_seed(2)
    spec = NetworkSpec(family="module", image_size=(8, 10, 9), channels=1, classes=3,
                       patch=(4, 5, 3), prefix_tokens=1)  # fmt: skip
    network = WithClassToken(reads).double().eval()
    return ModelHandle(network, ModelSpec(network=spec), torch.device("cpu"), ("a", "b", "c"))


@pytest.mark.parametrize("reads", ["patches", "all"])
def test_a_class_token_of_another_network_is_left_out_as_well(reads: str) -> None:
    model, kept = with_class_token(reads), []
    image = torch.randn(1, 1, 8, 10, 9).double()
    hook = model.network.last.register_forward_hook(lambda _m, _i, out: kept.append(out))
    model.network(image)
    hook.remove()
    maps = METHODS["cam"].function(model.forward(image), (1,))
    wanted = (kept[0][0, 1:] @ model.network.head.weight[1]).detach().numpy()
    np.testing.assert_allclose(maps.values[0].ravel(), wanted, rtol=0, atol=1e-12)


def test_a_head_that_reads_the_class_token_apart_is_no_linear_head() -> None:
    assert lacking(METHODS["cam"].needs, with_class_token("both").offers)


def test_a_convolutional_network_gives_what_monai_gives() -> None:
    monai = pytest.importorskip("monai.visualize", reason="MONAI's CAM is the reference here")
    torch.manual_seed(1)
    model, averaged_by, head = linear_networks()["resnet"]
    image = torch.randn(1, 1, 25, 32, 20).double()
    theirs = monai.CAM(model.network, averaged_by, head).compute_map(image, class_idx=[1])
    found = theirs[0, 0].detach().numpy() - model.network.fc.bias[1].item()  # it adds the bias
    maps = METHODS["cam"].function(model.forward(image), (1,))
    np.testing.assert_allclose(maps.values[0], found, rtol=0, atol=1e-9)
