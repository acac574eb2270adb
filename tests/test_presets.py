"""Presets fix the input pipeline, not the sizes; specs are checked field by field."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from g3dvit_napari.core.errors import SpecError
from g3dvit_napari.core.spec import (
    ModelSpec,
    NetworkSpec,
    preset_names,
    read_spec,
    spec_beside,
)
from g3dvit_napari.models.networks.vit3d import Layout, ViT3D
from g3dvit_napari.models.reading.infer import complete
from g3dvit_napari.models.reading.loading import build_handle
from g3dvit_napari.models.reading.vit_keys import ViTFound


def published(patch_edge, tokens_edge, dim=1024):
    """What the weights of a published checkpoint say: 8 heads of 64, cubes, one channel."""
    return ViTFound(
        "vit_3d", Layout(), dim, 6, 2048, 2, 512, False, patch_edge**3, tokens_edge**3, "float32"
    )


def test_the_three_presets():
    assert preset_names() == ["g3dvit-cubes", "neurovit-adni", "neurovit-adni-patch15"]
    for name in preset_names():
        spec = read_spec(name)
        assert spec.name == name
        assert spec.network.patch_order == "legacy"
        assert spec.network.heads == 8
        assert spec.network.dim is None
        assert spec.network.image_size is None
        assert set(spec.missing) <= {"network.image_size", "network.patch"}


@pytest.mark.parametrize("name", ["neurovit-adni", "neurovit-adni-patch15"])
def test_adni_input_is_the_published_one(name):
    rules = read_spec(name).input
    assert rules.orientation == "LAS"
    assert rules.crop_start == (1, 10, 1)
    assert (rules.intensity, rules.intensity_scope) == ("zscore", "crop")
    assert (rules.std_ddof, rules.eps) == (0, 1e-8)
    assert rules.tensor_axes == "zxy"


@pytest.mark.parametrize(
    ("name", "patch", "tokens", "image"),
    [
        ("g3dvit-cubes", 5, 8, 40),
        ("g3dvit-cubes", 9, 10, 90),
        ("neurovit-adni", 9, 10, 90),
        ("neurovit-adni-patch15", 15, 6, 90),
    ],
)
def test_presets_complete_the_published_networks(name, patch, tokens, image):
    draft = complete(published(patch, tokens), read_spec(name).network)
    assert not draft.questions
    assert draft.spec.image_size == (image,) * 3
    assert draft.spec.patch == (patch,) * 3
    assert (draft.spec.heads, draft.spec.dim_head, draft.spec.pool) == (8, 64, "cls")
    assert any("patch_order legacy" in note for note in draft.notes)


def test_a_preset_for_another_patch_is_refused():
    with pytest.raises(SpecError, match=r"3375 values per patch.*729 values per patch"):
        complete(published(15, 6), read_spec("neurovit-adni").network)


def test_a_preset_alone_loads_a_network():
    known = NetworkSpec(
        family="vit_3d", image_size=(12, 12, 12), patch=(3, 3, 3), channels=1, classes=3, dim=20,
        depth=1, heads=8, dim_head=2, mlp_dim=9, prefix_tokens=1, pool="cls", patch_order="legacy",
    )  # fmt: skip
    state = ViT3D(known, Layout()).state_dict()
    handle = build_handle(state, {"name": "cubes.pth"}, read_spec("g3dvit-cubes"), "cpu")
    assert handle.spec.network == known
    assert handle.logits(torch.zeros(1, 1, 12, 12, 12)).shape == (1, 3)


def test_a_spec_survives_yaml(tmp_path):
    spec = read_spec("neurovit-adni")
    path = tmp_path / "again.yml"
    path.write_text(spec.to_yaml(), encoding="utf-8")
    assert read_spec(path) == spec
    assert read_spec(spec) is spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("network: {dimm: 3}", "network.dimm"),
        ("network: {depth: 0}", r"network\.depth: .*found 0"),
        ("input: {orientation: LAZ}", "LAZ"),
        ("input: {orientation: LRS}", "LRS"),
        ("input: {tensor_axes: xxy}", "xxy"),
        ("network: {patch: [1, 2]}", r"network\.patch"),
        ("[1, 2]", "must hold the sections"),
        ("a: [", "not valid YAML"),
    ],
)
def test_wrong_specs_say_where(tmp_path, text, message):
    path = tmp_path / "wrong.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=message):
        read_spec(path)


def test_unknown_presets_suggest_the_nearest():
    with pytest.raises(SpecError, match="did you mean 'neurovit-adni'"):
        read_spec("neurovit-adny")
    with pytest.raises(SpecError, match="no spec file"):
        read_spec("missing.yaml")


def test_triples_turn_from_tensor_to_array_axes():
    spec = ModelSpec.model_validate({"input": {"tensor_axes": "zxy"}})
    assert spec.to_xyz((30, 10, 20)) == (10, 20, 30)


def test_a_training_config_next_to_the_checkpoint_is_no_spec(tmp_path: Path) -> None:
    checkpoint = tmp_path / "model.pth"
    assert spec_beside(checkpoint) is None
    (tmp_path / "model.yaml").write_text("lr: 0.1\nepochs: 3\n")
    assert spec_beside(checkpoint) is None
    (tmp_path / "model.yml").write_text("name: mine\ninput:\n  orientation: LAS\n")
    assert spec_beside(checkpoint) == tmp_path / "model.yml"
    (tmp_path / "model.spec.yaml").write_text("name: mine\n")
    assert spec_beside(checkpoint) == tmp_path / "model.spec.yaml"
