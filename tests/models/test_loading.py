"""Handles of files and of modules: what is taken over, what is checked."""

from __future__ import annotations

import pytest
import torch
from reference_networks import (
    INPUT,
    SIZE,
    OlderViT,
    full_spec,
    reference,
    relative_error,
    scrambled,
    some_image,
    tiny,
)
from torch import nn

from g3dvit_napari.core.errors import SpecError
from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec
from g3dvit_napari.models.networks.vit3d import ViT3D
from g3dvit_napari.models.reading.loading import build_handle, module_handle

ONLY_SIZE = ModelSpec(network=NetworkSpec(image_size=SIZE), input=INPUT)


def test_a_file_needs_its_input_described():
    silent = full_spec().model_copy(update={"input": InputSpec()})
    with pytest.raises(SpecError) as error:
        build_handle(tiny().state_dict(), {"name": "model.pth"}, silent)
    for name in ("input.orientation", "input.intensity", "input.tensor_axes", "model.pth"):
        assert name in str(error.value)
    with pytest.raises(SpecError, match=r"network\.patch"):
        build_handle(tiny().state_dict(), {"name": "model.pth"})


def test_a_file_keeps_its_story():
    meta = {"name": "model.pth", "sha256": "abc", "notes": ("prefix 'module.' stripped",)}
    handle = build_handle(tiny().state_dict(), meta, full_spec(), "cpu")
    assert handle.checkpoint["sha256"] == "abc"
    assert handle.checkpoint["notes"][0] == "prefix 'module.' stripped"
    assert any("patch_order new" in note for note in handle.checkpoint["notes"])
    assert handle.spec.network.dim == 48


@pytest.mark.parametrize("family", ["vit_3d", "simple_vit_3d"])
def test_a_vit_pytorch_module_needs_only_its_size(family):
    theirs = reference(family).train()
    handle = module_handle(theirs, ONLY_SIZE)
    assert isinstance(handle.network, ViT3D)
    assert handle.spec.network.patch_order == "new"
    assert handle.spec.network.heads == 3
    assert theirs.training
    assert all(p.requires_grad for p in theirs.parameters())
    expected = theirs.eval()(some_image())
    assert relative_error(handle.logits(some_image()), expected.detach()) < 1e-5


def test_an_older_module_is_read_with_its_patch_order():
    theirs = scrambled(OlderViT(patch_norm=False))
    handle = module_handle(theirs, ONLY_SIZE)
    assert handle.spec.network.patch_order == "legacy"
    assert relative_error(handle.logits(some_image()), theirs(some_image()).detach()) < 1e-5


def test_a_module_may_not_contradict_its_spec():
    theirs = scrambled(OlderViT(patch_norm=True))
    with pytest.raises(SpecError, match="patch_order is new in the spec, but legacy in the module"):
        module_handle(theirs, full_spec())


def test_a_forward_of_its_own_is_noticed():
    class Squared(OlderViT):
        def forward(self, image):
            return super().forward(image) ** 2

    with pytest.raises(SpecError, match="answers differently"):
        module_handle(scrambled(Squared(patch_norm=True)), ONLY_SIZE)


def test_our_own_network_is_used_as_it_is():
    network = tiny()
    handle = module_handle(network, ModelSpec(input=INPUT))
    assert handle.network is network
    assert handle.spec.network == network.spec


class Foreign(nn.Module):
    """Patches by a convolution, one norm, two prefix tokens, a tuple as answer."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Conv3d(1, 6, (2, 3, 4), (2, 3, 4))
        self.prefix = nn.Parameter(torch.zeros(1, 2, 6))
        self.norm = nn.LayerNorm(6)
        self.unused = nn.LayerNorm(6)
        self.head = nn.Linear(6, 3)

    def forward(self, image):
        tokens = self.embed(image).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.prefix.expand(len(tokens), -1, -1), tokens], dim=1)
        return self.head(self.norm(tokens).mean(1)), tokens


def foreign_spec(**changes):
    known = {
        "family": "module", "image_size": SIZE, "patch": (2, 3, 4), "channels": 1, "classes": 3,
        "prefix_tokens": 2, "norm": "norm",
    }  # fmt: skip
    return ModelSpec(network=NetworkSpec(**{**known, **changes}), input=INPUT)


def test_a_module_of_the_users_own():
    network = Foreign().train()
    handle = module_handle(network, foreign_spec())
    assert handle.network is network
    assert network.training
    assert not network.norm._forward_hooks
    assert "features" in handle.offers
    assert handle.logits(some_image(2, 1)).shape == (2, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channels": None, "classes": None}, r"needs network\.channels, network\.classes"),
        ({"norm": "nrom"}, "no module named 'nrom'.*norm, unused"),
        ({"norm": "unused"}, "unused .* took no part"),
        ({"norm": "head"}, r"\(1, 42, features\).* yields \(1, 3\)"),
        ({"prefix_tokens": 1}, r"\(1, 41, features\).* yields \(1, 42, 6\)"),
        ({"classes": 4}, r"logits of shape \(b, 4\)"),
        ({"patch": (11, 3, 4)}, "larger than"),
    ],
)
def test_a_spec_that_does_not_describe_the_module(changes, message):
    network = Foreign()
    with pytest.raises(SpecError, match=message):
        module_handle(network, foreign_spec(**changes))
    assert not network.norm._forward_hooks


def test_an_unknown_module_needs_its_family_said():
    with pytest.raises(SpecError, match=r"Foreign is not a 3D ViT.*network\.family: module"):
        module_handle(Foreign(), foreign_spec(family=None))
