"""Relevance through networks that are not ours: the same map, or the name of what has no rule."""

from __future__ import annotations

import pytest
import torch
from probed_networks import BUILDERS, GLOBAL, IMAGE, PATCH, SWIN, picture, probed
from reference_networks import tiny
from rough_networks import fingerprint
from torch import Tensor, nn

from g3dvit_napari import api
from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.networks.vit3d import Layout, ViT3D

TARGETS = (0, 2)
every_method = pytest.mark.parametrize("method", ["transformer_attribution", "partial_lrp"])


def maps(method: str, model: ModelHandle, image: Tensor | None = None) -> Tensor:
    run = model.forward(picture(model) if image is None else image)
    return torch.as_tensor(METHODS[method].function(run, TARGETS).values)


def same(found: Tensor, wanted: Tensor) -> None:
    assert wanted.max() > 1e-7
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-9 * wanted.max().item())


class Wrapped(nn.Module):
    """One of ours, so that it is not seen."""

    def __init__(self, network: ViT3D) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, None]:
        return self.network(image), None


@every_method
@pytest.mark.parametrize("known", [{}, {"pool": "mean"}, {"family": "simple_vit_3d"}])
def test_one_graph_gives_what_our_own_blocks_give(method: str, known: dict[str, str]) -> None:
    network = tiny(**known).double()
    spec, device, names = ModelSpec(network=network.spec), torch.device("cpu"), tuple("abcdefg")
    ours, other = (ModelHandle(n, spec, device, names) for n in (network, Wrapped(network)))
    same(maps(method, other), maps(method, ours))


@every_method
def test_monais_network_gives_what_ours_gives_with_its_weights(method: str) -> None:
    theirs = BUILDERS["MONAI ViT"]()
    image = picture(theirs)
    same(maps(method, theirs, image), maps(method, with_weights_of(theirs.network, image), image))


def with_weights_of(monai: nn.Module, image: Tensor) -> ModelHandle:
    """Our own network behind the patches of MONAI's, for one image."""
    spec = NetworkSpec(
        family="vit_3d", image_size=IMAGE, patch=PATCH, channels=1, classes=3, dim=24, depth=2,
        heads=3, dim_head=8, mlp_dim=32, pool="cls", prefix_tokens=1, patch_order="new",
    )  # fmt: skip
    network = ViT3D(spec, Layout(final_norm=True, head_norm=False)).double()
    for block, their in zip(network.blocks, monai.blocks, strict=True):
        norm, first, _, _, second = block.feed_forward.net
        pairs = [
            (block.attention.norm, their.norm1),
            (block.attention.to_qkv, their.attn.qkv),
            (block.attention.to_out[0], their.attn.out_proj),
            (norm, their.norm2),
            (first, their.mlp.linear1),
            (second, their.mlp.linear2),
        ]
        for our, other in pairs:
            our.load_state_dict(other.state_dict())
    network.transformer.norm.load_state_dict(monai.norm.state_dict())
    network.mlp_head.load_state_dict(monai.classification_head[0].state_dict())
    with torch.no_grad():
        patches = monai.eval().patch_embedding(image)
        tokens = torch.cat([monai.cls_token.expand(len(image), -1, -1), patches], dim=1)
    network.embed = lambda _image: tokens  # type: ignore[method-assign]
    return ModelHandle(network, ModelSpec(network=spec), torch.device("cpu"), tuple("abc"))


@every_method
@pytest.mark.parametrize(
    ("one", "other"), [("torch", "torch, sequence first"), ("MONAI ViT", "MONAI ViT, fused")]
)
def test_how_a_network_is_written_does_not_count(method: str, one: str, other: str) -> None:
    same(maps(method, BUILDERS[other]()), maps(method, BUILDERS[one]()))


@every_method
@pytest.mark.parametrize("name", [name for name in GLOBAL if name != "odd"])
def test_every_class_has_its_map(method: str, name: str) -> None:
    first, second = maps(method, BUILDERS[name]())
    assert first.min() >= 0 < first.max()
    assert not torch.allclose(first, second)


def test_scores_that_are_no_plain_product_are_refused_only_where_relevance_comes_to_them() -> None:
    model = BUILDERS["odd"]()  # divides queries and keys by their lengths
    with pytest.raises(MethodError, match="computes with 'div'"):
        maps("transformer_attribution", model)
    assert maps("partial_lrp", model).any()


class Gated(nn.Module):
    """A gate behind the attention."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.patches, self.encoder = network.patches, network.encoder
        self.gate, self.head = nn.Linear(24, 24), network.head

    def forward(self, image: Tensor) -> Tensor:
        x = self.encoder(self.patches(image).flatten(2).mT)
        return self.head((x * self.gate(x).sigmoid()).mean(1))


@every_method
def test_an_operation_without_a_rule_is_named_and_the_network_left_as_found(method: str) -> None:
    model = probed(Gated(BUILDERS["torch"]().network))
    before = fingerprint(model.network.train())
    with pytest.raises(MethodError, match="computes with 'mul'"):
        maps(method, model)
    assert fingerprint(model.network) == before


@every_method
@pytest.mark.parametrize("name", SWIN)
def test_windows_are_refused_with_the_reason(method: str, name: str) -> None:
    reason = api.why_not(method, BUILDERS[name]())
    assert reason is not None
    assert "do not all attend to each other" in reason
