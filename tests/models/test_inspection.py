"""What inspect shows, and the spec it writes."""

from __future__ import annotations

import json

import pytest
from reference_networks import full_spec, tiny

from g3dvit_napari.core.errors import SpecError
from g3dvit_napari.core.spec import read_spec
from g3dvit_napari.models.reading.inspection import inspect_state

FACTS = {"name": "model.pth", "notes": ("prefix 'module.' stripped",), "stored": {"n_heads": 3}}


def test_the_written_spec_reads_back(tmp_path):
    inspection = inspect_state(tiny().state_dict(), FACTS)
    path = tmp_path / "model.spec.yaml"
    path.write_text(inspection.to_yaml(), encoding="utf-8")
    assert read_spec(path) == inspection.spec
    assert not inspection.complete


def test_taking_the_hashes_off_completes_the_spec(tmp_path):
    state = tiny().state_dict()
    text = inspect_state(state, FACTS, read_with(tmp_path, image_size=[10, 12, 8])).to_yaml()
    for line in (
        "patch: [2, 3, 4]  # channels 2",
        "heads: 3  # dim_head 5",
        "pool: cls  # vit-pytorch's default",
        "orientation: LAS  # SPM, CONN, FSL: x runs to the left",
        "intensity: zscore",
        "tensor_axes: zxy  # slices first, as NeuroViT does",
    ):
        assert f"\n  #{line}\n" in text
        text = text.replace(f"\n  #{line}\n", f"\n  {line}\n")
    path = tmp_path / "edited.yaml"
    path.write_text(text, encoding="utf-8")
    edited = inspect_state(state, FACTS, read_spec(path))
    assert edited.complete
    assert edited.spec.network.patch == (2, 3, 4)
    assert edited.spec.network.channels == 2
    assert edited.spec.network.dim_head == 5
    assert "DECIDE" not in edited.to_yaml()


def read_with(folder, **network):
    path = folder / "start.yaml"
    path.write_text(json.dumps({"name": "model", "network": network}), encoding="utf-8")
    return read_spec(path)


def test_everything_is_told():
    inspection = inspect_state(tiny().state_dict(), FACTS)
    assert inspection.notes[0] == "prefix 'module.' stripped"
    assert any("1.16.2" in note for note in inspection.notes)
    assert any("n_heads = 3" in note for note in inspection.notes)
    assert inspection.spec.name == "model"
    plain = json.loads(json.dumps(inspection.to_dict()))
    assert plain["complete"] is False
    assert plain["found"]["values per patch"] == 48
    assert {question["name"] for question in plain["questions"]} == {
        "network.patch",
        "network.image_size",
        "network.heads",
        "network.pool",
        "input.orientation",
        "input.intensity",
        "input.tensor_axes",
    }


def test_fitting_presets_are_named():
    cubes = {"channels": 1, "image_size": (12, 12, 12), "heads": 8, "dim_head": 2}
    inspection = inspect_state(tiny(patch=(4, 4, 4), **cubes).state_dict(), FACTS)
    assert inspection.presets == ("g3dvit-cubes",)
    adni = inspect_state(tiny(patch=(3, 3, 3), **cubes).state_dict(), FACTS)
    assert adni.presets == ("g3dvit-cubes",)


def test_a_complete_spec_leaves_nothing_open():
    inspection = inspect_state(tiny().state_dict(), FACTS, full_spec())
    assert inspection.complete
    assert inspection.questions == ()


def test_a_wrong_spec_is_refused():
    with pytest.raises(SpecError, match=r"dim is 64 in the spec, but 48"):
        inspect_state(tiny().state_dict(), FACTS, full_spec(dim=64))
