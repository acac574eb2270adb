"""What a Swin checkpoint decides, what it leaves open, and how it may be wrapped."""

from __future__ import annotations

import pytest
import torch
from monai_networks import (
    DEPTHS,
    DIM,
    HEADS,
    INPUT,
    PATCH,
    SIZE,
    WINDOW,
    difference,
    our_swin,
    scan,
    swin_spec,
)

from g3dvit_napari.core.errors import CheckpointError, SpecError
from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.io.checkpoint import read_checkpoint
from g3dvit_napari.models.networks.swin3d import Swin3D, SwinLayout
from g3dvit_napari.models.reading.infer import build_network, complete
from g3dvit_napari.models.reading.inspection import inspect_state
from g3dvit_napari.models.reading.layout import canonical, read_off
from g3dvit_napari.models.reading.loading import build_handle, module_handle

FACTS = {"name": "model.pth"}


def without_index(network: Swin3D) -> dict[str, torch.Tensor]:
    return {k: v for k, v in network.state_dict().items() if not k.endswith("position_index")}


def draft_of(state, **spec):
    return complete(read_off(canonical(state)[0], "model.pth"), NetworkSpec(**spec))


def test_keys_and_shapes_decide_nearly_everything():
    found = read_off(our_swin().state_dict(), "model.pth")
    assert found.layout == SwinLayout(DEPTHS, HEADS)
    assert (found.dim, found.mlp_dim, found.channels, found.classes) == (DIM, 3 * DIM, 1, 3)
    assert (found.patch, found.windows) == (PATCH, (WINDOW,))
    draft = draft_of(our_swin().state_dict())
    assert draft.spec.window == WINDOW
    assert (draft.spec.depth, draft.spec.pool, draft.spec.prefix_tokens) == (7, "mean", 0)
    assert [q.name for q in draft.questions] == ["network.merging", "network.image_size"]
    said = [reading.fields["merging"] for reading in draft.questions[0].readings]
    assert said == ["mergingv2", "merging", "merging-legacy"]


def test_a_single_stage_that_merges_nothing_asks_for_no_order():
    network = our_swin(SwinLayout((1,), (2,), last_merge=False), merging=None)
    draft = draft_of(network.state_dict(), image_size=SIZE)
    assert draft.questions == []


def test_without_the_index_the_window_is_asked_for():
    state = without_index(our_swin())
    draft = draft_of(state)
    assert "network.window" in {question.name for question in draft.questions}
    assert WINDOW in read_off(state, "model.pth").windows
    ours, _, _ = build_network(state, swin_spec(window=WINDOW).network)
    assert difference(ours, our_swin(), scan()) == 0


def test_without_the_index_a_cube_is_taken_and_said():
    draft = draft_of(without_index(our_swin(window=(4, 4, 4))))
    assert draft.spec.window == (4, 4, 4)
    assert any("only cube" in note for note in draft.notes)


def test_a_flat_window_may_lie_three_ways():
    """(1, 3, 4) and (3, 1, 4) give the same index; then it is asked for."""
    draft = draft_of(our_swin(window=(1, 3, 4)).state_dict())
    (question,) = [q for q in draft.questions if q.name == "network.window"]
    assert {r.fields["window"] for r in question.readings} == {(1, 3, 4), (3, 1, 4), (3, 4, 1)}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"window": (2, 3, 4)}, "window is 2 × 3 × 4 in the spec.*fits 4 × 3 × 2"),
        ({"patch": (4, 4, 4)}, "patch is 4 × 4 × 4 in the spec, but 2 × 3 × 2"),
        ({"pool": "cls"}, "pool is cls"),
        ({"family": "vit_3d"}, "family is vit_3d in the spec, but swin_3d"),
        ({"family": "module"}, "handed over in Python"),
    ],
)
def test_contradictions_name_both_values(fields, message):
    with pytest.raises(SpecError, match=message):
        draft_of(our_swin().state_dict(), **fields)


@pytest.mark.parametrize("head", ["head", "fc", "classifier"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.", "model.module._orig_mod."])
@pytest.mark.parametrize("encoder", ["", "swin.", "backbone.encoder."])
def test_wrappers_of_training_and_of_the_encoder(tmp_path, prefix, encoder, head):
    """Distributed, compiled and Lightning prefixes; the encoder inside a classifier or not."""
    network = our_swin()
    state = {
        f"{prefix}{encoder if key.startswith(('patch', 'layers')) else ''}"
        f"{key.replace('head.', f'{head}.')}": value
        for key, value in network.state_dict().items()
    }
    content = {"state_dict": {**state, "loss.weight": torch.ones(2)}, "epoch": 3}
    torch.save({"pytorch-lightning_version": "2", **content}, tmp_path / "last.ckpt")
    checkpoint = read_checkpoint(tmp_path / "last.ckpt")
    assert checkpoint.meta["prefix"] == prefix
    stray = () if prefix else ("loss.weight",)
    state = {k: v for k, v in checkpoint.state.items() if k not in stray}
    ours, _, _ = build_network(state, swin_spec().network)
    assert difference(ours, network, scan(1)) == 0


def test_names_of_selfsupervised_weights():
    network = our_swin()
    state = {k.replace("mlp.linear", "mlp.fc"): v for k, v in network.state_dict().items()}
    ours, _, _ = build_network(state, swin_spec().network)
    assert difference(ours, network, scan(1)) == 0


def test_what_is_no_classifier_of_this_kind_is_refused():
    state = our_swin().state_dict()
    encoder = {k: v for k, v in state.items() if not k.startswith("head")}
    with pytest.raises(CheckpointError, match=r"no classifying layer \(head\.weight\)"):
        build_network(encoder, swin_spec().network)
    second = {**state, "layers1c.0.conv.weight": torch.ones(2)}
    with pytest.raises(CheckpointError, match=r"close to MONAI's SwinTransformer.*layers1c"):
        build_network(second, swin_spec().network)
    del state["layers2.0.blocks.1.norm2.bias"]
    with pytest.raises(CheckpointError, match="1 missing"):
        build_network(state, swin_spec().network)


def test_flat_networks_are_refused():
    state = our_swin().state_dict()
    state["patch_embed.proj.weight"] = state["patch_embed.proj.weight"][..., 0]
    with pytest.raises(CheckpointError, match="Swin Transformer, but not MONAI's in 3D"):
        build_network(state, swin_spec().network)


def test_broken_weights_are_refused():
    state = our_swin().state_dict()
    state["layers1.0.blocks.0.norm1.weight"][0] = torch.inf
    with pytest.raises(CheckpointError, match="not finite in 1 tensors"):
        build_network(state, swin_spec().network)


def test_inspect_writes_a_spec_that_completes():
    state = our_swin().state_dict()
    inspection = inspect_state(state, FACTS)
    assert inspection.found["blocks"] == "2 + 2 + 1 + 2"
    assert inspection.found["heads"] == "2, 1, 4, 2"
    assert inspection.found["window"] == "4 × 3 × 2"
    text = inspection.to_yaml()
    line = "merging: merging-legacy  # MONAI's default before 1.5"
    assert f"\n  #{line}\n" in text
    assert "DECIDE merging" in text
    assert inspect_state(state, FACTS, swin_spec()).complete


def test_a_file_and_a_module_make_a_handle():
    network = our_swin()
    handle = build_handle(network.state_dict(), FACTS, swin_spec(), "cpu")
    assert isinstance(handle.network, Swin3D)
    torch.testing.assert_close(handle.logits(scan()), network(scan()).detach())
    own = module_handle(network, swin_spec())
    assert own.network is network
    assert own.spec.network == handle.spec.network


def test_a_module_needs_its_image_size():
    with pytest.raises(SpecError, match=r"network\.image_size"):
        module_handle(our_swin(), ModelSpec(input=INPUT))
