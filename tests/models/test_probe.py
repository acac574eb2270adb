"""What running a network shows of it: against what is known of how it was built."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from monai_networks import PATCH as SWIN_PATCH
from monai_networks import WINDOW, monai_swin
from other_networks import OTHERS
from probed_networks import (
    BUILDERS,
    GLOBAL,
    IMAGE,
    RESNET,
    SWIN,
    Odd,
    TalkingHeads,
    monai_vit,
    odd,
    picture,
    probed,
    torch_vit,
)
from rough_networks import fingerprint
from torch import Tensor, nn

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.errors import MethodError, SpecError
from g3dvit_napari.core.spec import NetworkSpec
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.probing.anatomy import Anatomy
from g3dvit_napari.models.reading.loading import module_handle

# name: names of the first two sites, prefix tokens, pooling, what is averaged, activation
FACTS: dict[str, tuple[tuple[str, str], int, str, str | None, str]] = {
    "MONAI ViT": (("blocks.0.norm1", "blocks.1.norm1"), 1, "cls", None, "Tanh"),
    "MONAI ViT, fused": (("blocks.0.norm1", "blocks.1.norm1"), 1, "cls", None, "Tanh"),
    "vit_3d": (("transformer.layers.0.0.norm", "transformer.layers.1.0.norm"), 1, "cls", None, ""),
    "vit_3d, mean": (
        ("transformer.layers.0.0.norm", "transformer.layers.1.0.norm"), 1, "mean", None, ""
    ),
    "simple_vit_3d": (
        ("transformer.layers.0.0.norm", "transformer.layers.1.0.norm"),
        0, "mean", "transformer.norm", "",
    ),
    "torch": (("encoder.layers.0.norm1", "encoder.layers.1.norm1"), 1, "cls", None, ""),
    "torch, norm last": (("encoder", "encoder.layers.0.norm2"), 1, "cls", None, ""),
    "torch, sequence first": (
        ("encoder.layers.0.norm1", "encoder.layers.1.norm1"), 1, "cls", None, ""
    ),
    "odd": (("norms.0", "norms.1"), 3, "other", "late", "Softmax"),
}  # fmt: skip


@pytest.mark.parametrize("name", GLOBAL)
def test_a_vision_transformer_is_understood(name: str) -> None:
    model = BUILDERS[name]()
    before = fingerprint(model.network.train())
    found = model.anatomy
    assert fingerprint(model.network) == before
    names, prefix, pool, averaged, activation = FACTS[name]
    assert tuple(site.name for site in found.sites) == names
    assert {site.prefix for site in found.sites} == {prefix}
    assert (found.attention, found.windows, found.pool) == ("global", (), pool)
    assert found.linear_head is (averaged is not None)
    assert averaged is None or found.averaged.name == averaged
    assert found.activation == activation
    vit = "vit_3d" in name
    grid, patch = ((5, 4, 2), (2, 3, 4)) if vit else ((3, 4, 2), (4, 5, 3))
    assert {site.cells for site in found.sites} == {Cells.tiling(grid, patch)}
    assert len(found.remarks) == bool(activation)


def test_the_spec_may_say_what_was_found() -> None:
    told = probed(monai_vit(), patch=(4, 5, 3), prefix_tokens=1, norm="blocks.1.norm1")
    assert told.anatomy == BUILDERS["MONAI ViT"]().anatomy


def windows_by_hand(shape: tuple[int, ...], *, shifted: bool) -> Tensor:
    """Cut the numbers of the cells into windows with MONAI's own functions; -1 is padding."""
    swin = pytest.importorskip("monai.networks.nets.swin_unetr", reason="MONAI is not installed")
    shift = tuple(w // 2 for w in WINDOW) if shifted else (0, 0, 0)
    window, shift = swin.get_window_size(shape, WINDOW, shift)
    numbers = torch.arange(1.0, np.prod(shape) + 1).reshape(1, *shape, 1)
    pads = [n for axis in (2, 1, 0) for n in (0, -shape[axis] % window[axis])]
    numbers = nn.functional.pad(numbers, (0, 0, *pads))
    numbers = torch.roll(numbers, [-s for s in shift], (1, 2, 3))
    return swin.window_partition(numbers, window)[..., 0].long() - 1


@pytest.mark.parametrize("name", SWIN)
def test_windows_and_merged_cells_of_a_swin_transformer(name: str) -> None:
    found = BUILDERS[name]().anatomy
    assert (found.attention, found.remarks) == ("windows", ())
    stages = [0, 0, 1, 1, 2, 3, 3]
    grids = [(9, 8, 7), (5, 4, 4), (3, 2, 2), (2, 1, 1)]
    for number, (site, windows, stage) in enumerate(
        zip(found.sites, found.windows, stages, strict=True)
    ):
        size = tuple(float(p * 2**stage) for p in SWIN_PATCH)
        assert site.cells == Cells.tiling(grids[stage], size)
        assert (site.layout, site.prefix, site.entering) == ("b f h w d", 0, False)
        block = 0 if number in (0, 2, 4, 5) else 1
        assert site.name.endswith(f"layers{stage + 1}.0.blocks.{block}.norm1")
        expected = windows_by_hand(grids[stage], shifted=block == 1)
        assert torch.equal(windows, expected)


def test_a_swin_transformer_with_a_mean_at_its_end() -> None:
    model = OTHERS["swin"]()
    found = model.anatomy
    assert (found.pool, found.averaged.name, found.averaged.layout) == ("mean", "norm", "b f h w d")
    assert found.averaged.cells == found.sites[-1].cells
    merged = probed(monai_swin(depths=(1, 1, 1, 1)), (34, 50, 33)).anatomy
    assert merged.averaged.name == "norm"  # behind one more merging than the last attention
    assert merged.averaged.cells == Cells.tiling((2, 2, 2), (32.0, 48.0, 32.0))


@pytest.mark.parametrize("name", RESNET)
def test_feature_maps_of_a_residual_network(name: str) -> None:
    found = BUILDERS[name]().anatomy
    names = ["act", "layer1", "layer2", "layer3", "layer4"]
    assert [site.name for site in found.sites] == names[-len(found.sites) :]
    assert (found.attention, found.pool, found.remarks) == ("none", "mean", ())
    assert (found.averaged, found.linear_head) == (found.sites[-1], True)
    assert {site.layout for site in found.sites} == {"b d f h w"}


def test_attention_that_is_more_than_a_product_is_not_offered() -> None:
    found = probed(odd(TalkingHeads)).anatomy
    assert found.attention == "none"
    assert "2 times weights are not simply multiplied with values" in found.remarks[0]


def test_weights_that_are_written_into_are_noticed() -> None:
    class Blind(Odd):
        def attend(self, block: int, x: Tensor) -> Tensor:
            q, k, v = (layer(x)[:, None] for layer in self.layers[3 * block :][:3])
            weights = (q @ k.mT).softmax(-1)
            weights[..., 0] = 0
            return (weights @ v)[:, 0]

    found = probed(odd(Blind)).anatomy
    assert (found.attention, len(found.sites)) == ("none", 2)
    assert "attention 1: it does something else to its weights" in found.remarks[0]


class Once(Odd):
    """One norm in front of two attentions."""

    def __init__(self) -> None:
        super().__init__()
        self.norms[1] = self.norms[0]


def test_a_block_that_is_run_twice_is_said() -> None:
    found = probed(odd(Once)).anatomy
    assert found.attention == "none"
    assert "norms.0 is run 2 times" in found.remarks[0]


def test_attention_of_one_query_is_no_self_attention() -> None:
    class Asks(Odd):
        def attend(self, block: int, x: Tensor) -> Tensor:
            if block == 0:
                return super().attend(block, x)
            q, k, v = (layer(x).unflatten(2, (3, 8)) for layer in self.layers[3:])
            q = q[:, :1]
            weights = torch.einsum("bqhd,bkhd->bhqk", q, k).softmax(-1)
            return torch.einsum("bhqk,bkhd->bqhd", weights, v).flatten(2)

    found = probed(odd(Asks)).anatomy
    assert found.attention == "none"
    assert [site.name for site in found.sites] == ["norms.0"]
    assert "its queries come from other tokens than its keys" in found.remarks[0]


def test_a_norm_in_the_spec_is_the_last_site() -> None:
    found = probed(torch_vit(norm_first=True, pool="mean"), norm="encoder.layers.1.norm2").anatomy
    assert [site.name for site in found.sites] == [
        "encoder.layers.0.norm1", "encoder.layers.1.norm2"
    ]  # fmt: skip
    assert found.attention == "global"
    first = probed(torch_vit(norm_first=True), norm="encoder.layers.0.norm1").anatomy
    assert [site.name for site in first.sites] == ["encoder.layers.0.norm1"]
    assert first.attention == "none"
    assert "what is behind it is left out" in first.remarks[0]


def test_a_module_needs_no_patch_and_says_what_it_saw() -> None:
    spec = probed(odd()).spec
    handle = module_handle(odd(), spec)
    assert handle.spec.network.patch == (4, 5, 3)
    assert handle.checkpoint["notes"] == handle.anatomy.remarks
    features = probed(OTHERS["resnet"]().network, (25, 32, 20))
    handle = module_handle(features.network, features.spec)
    assert handle.spec.network.patch == (2, 2, 2)


def test_a_network_of_nothing_but_layers_has_no_anatomy() -> None:
    plain = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(IMAGE)), 3))
    assert probed(plain).anatomy == Anatomy(())


def test_a_failing_network_is_left_as_found() -> None:
    class Failing(Odd):
        def attend(self, block: int, x: Tensor) -> Tensor:
            if block:
                raise RuntimeError("no more")
            return super().attend(block, x)

    model = probed(odd(Failing))
    before = fingerprint(model.network.train())
    with pytest.raises(RuntimeError, match="no more"):
        _ = model.anatomy
    assert fingerprint(model.network) == before


def test_a_compiled_network_is_seen_into() -> None:
    model = BUILDERS["MONAI ViT"]()
    found = model.anatomy

    def opaque(*_: Any) -> Any:
        raise AssertionError("the compiled code was run")

    compiled = odd()
    compiled._compiled_call_impl = opaque
    again = probed(compiled)
    assert again.anatomy.attention == "global"
    assert compiled._compiled_call_impl is opaque
    wrapper = nn.Module()
    wrapper._orig_mod = model.network
    handle = module_handle(wrapper, model.spec)
    assert handle.network is model.network
    assert handle.anatomy == found


def test_noise_is_not_taken_from_the_global_generator() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    _ = BUILDERS["odd"]().anatomy.sites
    torch.manual_seed(1)
    torch.testing.assert_close(torch.get_rng_state(), state)


def test_a_network_in_half_precision_is_understood() -> None:
    model = BUILDERS["MONAI ViT"]()
    half = ModelHandle(model.network.bfloat16(), model.spec, model.device, model.class_names)
    assert half.anatomy == BUILDERS["MONAI ViT"]().anatomy
    assert half.forward(picture(half)).attention()[0].q.dtype == torch.bfloat16


def test_what_depends_on_the_image_is_refused() -> None:
    class Fickle(Odd):
        def attend(self, block: int, x: Tensor) -> Tensor:
            return super().attend(block, x) if x.abs().max() > 1e-3 else x

    model = probed(odd(Fickle))
    nn.init.zeros_(model.network.norms[1].bias)
    run = model.forward(picture(model))
    nn.init.zeros_(model.network.norms[1].weight)
    run = model.forward(picture(model))
    with pytest.raises(MethodError, match="less often on this image than the 2 times"):
        run.attention()


def test_the_spec_of_a_module_is_checked_before_it_is_run() -> None:
    with pytest.raises(SpecError, match=r"needs network\.classes"):
        module_handle(odd(), probed(odd()).spec.merged(NetworkSpec(
            family="module", image_size=IMAGE, channels=1)))  # fmt: skip
