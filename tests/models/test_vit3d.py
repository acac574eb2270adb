"""Our network against vit-pytorch's own, weight for weight."""

from __future__ import annotations

import pytest
import torch
from reference_networks import OlderViT, full_spec, reference, relative_error, scrambled, some_image

from g3dvit_napari.models.networks.vit3d import sincos_positions
from g3dvit_napari.models.reading.infer import build_network

CLOSE = 1e-5


@pytest.mark.parametrize("pool", ["cls", "mean"])
@pytest.mark.parametrize(("heads", "dim_head"), [(3, 5), (4, 12), (1, 48)])
def test_vit_3d_answers_as_the_reference(pool, heads, dim_head):
    theirs = reference("vit_3d", pool=pool, heads=heads, dim_head=dim_head)
    spec = full_spec(pool=pool, heads=heads).network
    ours, complete, _ = build_network(theirs.state_dict(), spec)
    assert set(ours.state_dict()) == set(theirs.state_dict())
    assert (complete.heads, complete.dim_head) == (heads, dim_head)
    with torch.no_grad():
        assert relative_error(ours(some_image()), theirs(some_image())) < CLOSE


@pytest.mark.parametrize(("heads", "dim_head"), [(3, 5), (1, 48)])
def test_simple_vit_3d_answers_as_the_reference(heads, dim_head):
    theirs = reference("simple_vit_3d", heads=heads, dim_head=dim_head)
    spec = full_spec(pool=None, heads=heads).network
    ours, complete, _ = build_network(theirs.state_dict(), spec)
    assert set(ours.state_dict()) == set(theirs.state_dict())
    assert complete.pool == "mean"
    with torch.no_grad():
        assert relative_error(ours(some_image()), theirs(some_image())) < CLOSE


def test_cube_with_one_channel_answers_as_the_reference():
    theirs = reference(
        "vit_3d", channels=1, frames=9, image_size=9, frame_patch_size=3, image_patch_size=3
    )
    spec = full_spec(image_size=(9, 9, 9), patch=(3, 3, 3)).network
    ours, _, _ = build_network(theirs.state_dict(), spec)
    image = some_image(1, 1, (9, 9, 9))
    with torch.no_grad():
        assert relative_error(ours(image), theirs(image)) < CLOSE


@pytest.mark.parametrize("family", ["vit_3d", "simple_vit_3d"])
def test_legacy_patch_order_equals_permuted_input_features(family):
    """The older order is undone by moving the input features of the patch norm and projection."""
    theirs = reference(family)
    pf, ph, pw, channels = 2, 3, 4, 2
    places = torch.arange(pf * ph * pw * channels).reshape(ph, pw, pf, channels)
    new_to_legacy = places.permute(2, 0, 1, 3).flatten()
    legacy = {key: value.clone() for key, value in theirs.state_dict().items()}
    for key in ("1.weight", "1.bias", "2.weight"):
        theirs.state_dict()[f"to_patch_embedding.{key}"].copy_(
            legacy[f"to_patch_embedding.{key}"][..., new_to_legacy]
        )
    pool = None if family == "simple_vit_3d" else "cls"
    ours, _, _ = build_network(legacy, full_spec(patch_order="legacy", pool=pool).network)
    wrong, _, _ = build_network(legacy, full_spec(patch_order="new", pool=pool).network)
    with torch.no_grad():
        expected = theirs(some_image())
        assert relative_error(ours(some_image()), expected) < CLOSE
        assert relative_error(wrong(some_image()), expected) > 100 * CLOSE


@pytest.mark.parametrize("patch_norm", [True, False])
def test_older_layouts_answer_as_they_did(patch_norm):
    theirs = scrambled(OlderViT(patch_norm=patch_norm))
    assert any(".0.fn.to_qkv" in key for key in theirs.state_dict())
    ours, _, notes = build_network(theirs.state_dict(), full_spec(patch_order="legacy").network)
    assert any("PreNorm" in note for note in notes)
    assert any("no layer norms" in note for note in notes) is not patch_norm
    with torch.no_grad():
        assert relative_error(ours(some_image()), theirs(some_image())) < CLOSE


@pytest.mark.parametrize("bare", [True, False])
def test_both_forms_of_head(bare):
    """SimpleViT had a layer norm in front of the classifier and none behind the blocks."""
    theirs = reference("simple_vit_3d")
    state = theirs.state_dict()
    if not bare:
        norm = {
            f"linear_head.0.{k}": state.pop(f"transformer.norm.{k}") for k in ("weight", "bias")
        }
        moved = {f"linear_head.1.{k}": state.pop(f"linear_head.{k}") for k in ("weight", "bias")}
        state = {**state, **norm, **moved}
        theirs.linear_head = torch.nn.Sequential(theirs.transformer.norm, theirs.linear_head)
        theirs.transformer.norm = torch.nn.Identity()
    ours, _, _ = build_network(state, full_spec(pool="mean").network)
    with torch.no_grad():
        assert relative_error(ours(some_image()), theirs(some_image())) < CLOSE


def test_class_pooling_reads_the_first_token_only():
    ours, _, _ = build_network(reference("vit_3d").state_dict(), full_spec().network)
    tokens = torch.randn(1, 41, 48)
    assert torch.equal(ours.read_out(tokens), ours.read_out(tokens[:, :1]))


def test_positions_are_zero_padded_waves():
    positions = sincos_positions((2, 3, 4), 20)
    assert positions.shape == (24, 20)
    assert not positions[:, 18:].any()
    x, sixth = 3, 3
    assert torch.allclose(positions[x, :sixth], torch.sin(x / 10_000 ** torch.tensor([0, 0.5, 1])))
