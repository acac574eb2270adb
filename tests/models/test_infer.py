"""What the weights decide, what they leave open, and what contradicts them."""

from __future__ import annotations

import math

import pytest
import torch
from reference_networks import full_spec, tiny

from g3dvit_napari.core.errors import CheckpointError, SpecError
from g3dvit_napari.core.spec import NetworkSpec
from g3dvit_napari.models.networks.vit3d import Layout
from g3dvit_napari.models.reading.infer import build_network, complete
from g3dvit_napari.models.reading.layout import read_off
from g3dvit_napari.models.reading.readings import (
    divisors,
    head_readings,
    is_sensible,
    patch_readings,
    plane_readings,
    triples,
)
from g3dvit_napari.models.reading.vit_keys import ViTFound


def found(**changes):
    known = {
        "family": "vit_3d",
        "layout": Layout(),
        "dim": 1024,
        "depth": 6,
        "mlp_dim": 2048,
        "classes": 2,
        "inner": 512,
        "single_head": False,
        "patch_voxels": 9**3,
        "patches": 1000,
        "dtype": "float32",
    }
    return ViTFound(**{**known, **changes})


def asked(draft):
    return {question.name for question in draft.questions}


def test_shapes_decide_the_sizes():
    facts = read_off(tiny().state_dict(), "model.pth")
    assert (facts.dim, facts.depth, facts.mlp_dim, facts.classes) == (48, 2, 31, 7)
    assert (facts.inner, facts.patch_voxels, facts.patches) == (15, 48, 40)
    assert facts.family == "vit_3d"
    assert facts.layout == Layout(patch_norm=True, final_norm=False, head_norm=True)


def test_simple_family_hides_its_number_of_patches():
    facts = read_off(tiny("simple_vit_3d").state_dict(), "model.pth")
    assert facts.family == "simple_vit_3d"
    assert facts.patches is None
    assert facts.layout == Layout(patch_norm=True, final_norm=True, head_norm=False)
    draft = complete(facts, NetworkSpec(patch=(2, 3, 4), heads=3))
    assert asked(draft) == {"network.image_size"}


def test_cubes_are_taken_and_said():
    draft = complete(found(), NetworkSpec(heads=8, pool="cls", channels=1))
    assert draft.spec.patch == (9, 9, 9)
    assert draft.spec.image_size == (90, 90, 90)
    assert draft.spec.dim_head == 64
    assert not draft.questions
    assert sum("only cube" in note for note in draft.notes) == 2


def test_a_cube_with_a_likely_rival_is_asked_for():
    """512 values are 8 x 8 x 8, or two channels of 8 x 8 x 4 ..."""
    draft = complete(found(patch_voxels=512), NetworkSpec(heads=8, pool="cls"))
    assert "network.patch" in asked(draft)
    assert complete(found(patch_voxels=512), NetworkSpec(channels=1)).spec.patch == (8, 8, 8)


def test_non_cubes_are_asked_for_with_readings():
    facts = read_off(tiny().state_dict(), "model.pth")
    draft = complete(facts, NetworkSpec())
    assert asked(draft) == {"network.patch", "network.image_size", "network.heads", "network.pool"}
    readings = {question.name: question.readings for question in draft.questions}
    assert {"patch": (2, 3, 4), "channels": 2} in [r.fields for r in readings["network.patch"]]
    assert {"heads": 3, "dim_head": 5} in [r.fields for r in readings["network.heads"]]
    with pytest.raises(SpecError, match=r"--write-spec\n(- .*\n)*- network\.heads"):
        build_network(tiny().state_dict(), NetworkSpec())


def test_image_size_and_channels_may_decide_the_patch():
    facts = read_off(tiny().state_dict(), "model.pth")
    draft = complete(facts, NetworkSpec(image_size=(10, 12, 8), channels=2))
    fitting = [r.fields["patch"] for q in draft.questions[:1] for r in q.readings]
    assert (2, 3, 4) in fitting
    assert all(math.prod(patch) == 24 for patch in fitting)
    draft = complete(found(patch_voxels=5**3, patches=1), NetworkSpec(image_size=(5, 5, 5)))
    assert draft.spec.patch == (5, 5, 5)


def test_no_projection_means_one_head():
    draft = complete(found(single_head=True, inner=1024), NetworkSpec(channels=1, pool="cls"))
    assert (draft.spec.heads, draft.spec.dim_head) == (1, 1024)
    with pytest.raises(SpecError, match="heads is 8 in the spec, but 1"):
        complete(found(single_head=True, inner=1024), NetworkSpec(heads=8))


def test_heads_are_never_guessed():
    draft = complete(found(), NetworkSpec(channels=1, pool="cls"))
    assert asked(draft) == {"network.heads"}
    assert draft.questions[0].readings[0].fields == {"heads": 8, "dim_head": 64}
    assert "vit-pytorch" in draft.questions[0].readings[0].remark
    assert complete(found(), NetworkSpec(dim_head=32)).spec.heads == 16


def test_patch_order_defaults_to_legacy_and_says_why():
    draft = complete(found(), NetworkSpec())
    assert draft.spec.patch_order == "legacy"
    assert any("1.16.2" in note and "spec is silent" in note for note in draft.notes)
    draft = complete(found(), NetworkSpec(patch_order="new"))
    assert draft.spec.patch_order == "new"
    assert any("as the spec says" in note for note in draft.notes)


@pytest.mark.parametrize(
    ("fields", "both"),
    [
        ({"dim": 512}, ("512", "1024")),
        ({"depth": 5}, ("5", "6")),
        ({"mlp_dim": 100}, ("100", "2048")),
        ({"classes": 3}, ("3", "2")),
        ({"family": "simple_vit_3d"}, ("simple_vit_3d", "vit_3d")),
        ({"prefix_tokens": 0}, ("0", "1")),
        ({"heads": 7}, ("7", "512")),
        ({"heads": 8, "dim_head": 32}, ("32", "512")),
        ({"patch": (5, 5, 5), "channels": 1}, ("125", "729")),
        ({"channels": 2}, ("channels 2", "729")),
        ({"image_size": (81, 90, 90), "patch": (9, 9, 9)}, ("81 × 90 × 90", "1000")),
        ({"image_size": (91, 109, 91)}, ("91 × 109 × 91", "729")),
        ({"family": "module"}, ("module", "vit_3d")),
    ],
)
def test_contradictions_name_both_values(fields, both):
    with pytest.raises(SpecError) as error:
        complete(found(), NetworkSpec(**fields))
    for value in both:
        assert value in str(error.value)


def test_mean_pooling_is_all_a_simple_vit_knows():
    facts = found(family="simple_vit_3d", patches=None)
    with pytest.raises(SpecError, match="pool is cls in the spec, but mean"):
        complete(facts, NetworkSpec(pool="cls"))


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("layers1.0.blocks.0.attn.relative_position_bias_table", "Swin"),
        ("blocks.0.attn.out_proj.weight", "MONAI"),
        ("vit.embeddings.patch_embeddings.projection.weight", "Hugging Face"),
        ("encoder.layers.encoder_layer_0.self_attention.in_proj_weight", "torchvision"),
        ("patch_embed.proj.weight", "timm"),
        ("layer1.0.conv1.weight", "ResNet"),
        ("features.denseblock1.denselayer1.norm1.weight", "DenseNet"),
        ("down.0.conv.weight", "convolutional"),
        ("fc.weight", "no network that is known"),
    ],
)
def test_other_families_are_named(key, name):
    with pytest.raises(CheckpointError, match=rf"{name}.*network\.family: module"):
        build_network({key: torch.zeros(2, 2)}, NetworkSpec())


def test_flat_networks_are_refused():
    """vit-pytorch's 2D ViT shares nearly every key with the 3D one."""
    state = tiny().state_dict()
    newer = {**state, "pos_embedding": state["pos_embedding"][0], "cls_token": torch.zeros(1, 48)}
    with pytest.raises(CheckpointError, match="2D ViT"):
        build_network(newer, NetworkSpec())
    facts = found(layout=Layout(final_norm=True), patch_voxels=3 * 16 * 16, patches=14 * 14)
    with pytest.raises(CheckpointError, match="14 × 14 patches of 16 × 16 pixels, 3 channels"):
        complete(facts, NetworkSpec())
    older = complete(found(patch_voxels=3 * 16 * 16, patches=14 * 14), NetworkSpec())
    assert any("2D" in note for note in older.notes)


def test_networks_with_more_or_less_parts_are_refused():
    state = tiny().state_dict()
    registers = {**state, "register_tokens": torch.zeros(4, 48)}
    with pytest.raises(CheckpointError, match="1 not part of it \\(register_tokens\\)"):
        build_network(registers, full_spec().network)
    del state["transformer.layers.1.1.net.4.weight"]
    with pytest.raises(CheckpointError, match="1 missing"):
        build_network(state, full_spec().network)


def test_an_encoder_without_head_is_refused():
    state = {k: v for k, v in tiny().state_dict().items() if "mlp_head" not in k}
    with pytest.raises(CheckpointError, match="no classifying layer"):
        build_network(state, full_spec().network)


def test_broken_weights_are_refused():
    state = tiny().state_dict()
    state["transformer.layers.1.1.net.4.weight"][3, 4] = torch.nan
    with pytest.raises(CheckpointError, match=r"not finite in 1 tensors \(transformer\.layers\.1"):
        build_network(state, full_spec().network)


def test_building_copies_weights_and_draws_no_random_numbers():
    state = tiny().half().state_dict()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    network, _, notes = build_network(state, full_spec().network)
    assert torch.equal(before, torch.get_rng_state())
    assert any("float16" in note for note in notes)
    first = network.state_dict()["cls_token"]
    assert first.dtype == torch.float32
    first.zero_()
    assert state["cls_token"].any()
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())


def test_whole_number_readings():
    assert divisors(12) == [1, 2, 3, 4, 6, 12]
    assert len(triples(12)) == len(set(triples(12))) == 18
    assert triples(1000)[0] == (10, 10, 10)
    assert [t for t in triples(1000) if is_sensible(t)] == [(10, 10, 10)]
    assert patch_readings(3375, 1)[0] == (1, (15, 15, 15))
    assert head_readings(512, 1024, projected=True)[0] == (8, 64)
    assert (1, 48) not in head_readings(48, 48, projected=True)
    assert (1, 48) in head_readings(48, 48, projected=False)
    assert plane_readings(1000, 729) == ""
