"""What a ResNet checkpoint decides, what it leaves open, and how it may be wrapped."""

from __future__ import annotations

import pytest
import torch
from monai_networks import (
    BLOCKS,
    INPUT,
    KERNEL,
    SIZE,
    WIDTHS,
    difference,
    our_resnet,
    resnet_spec,
    scan,
)

from g3dvit_napari.core.errors import CheckpointError, SpecError
from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.io.checkpoint import read_checkpoint
from g3dvit_napari.models.networks.resnet3d import ResNet3D, ResNetLayout
from g3dvit_napari.models.reading.infer import build_network, complete
from g3dvit_napari.models.reading.inspection import inspect_state
from g3dvit_napari.models.reading.layout import read_off
from g3dvit_napari.models.reading.loading import build_handle, module_handle

FACTS = {"name": "model.pth"}


def draft_of(state, **spec):
    return complete(read_off(state, "model.pth"), NetworkSpec(**spec))


@pytest.mark.parametrize(
    "layout",
    [
        ResNetLayout(BLOCKS, WIDTHS, kernel=KERNEL),
        ResNetLayout(BLOCKS, WIDTHS, bottleneck=True, kernel=(3, 3, 3), shortcut_bias=False),
        ResNetLayout((1, 1, 2), (4, 4, 8), kernel=(7, 7, 7), projected=False, shortcut_bias=False),
    ],
)
def test_keys_and_shapes_decide_the_layout(layout):
    found = read_off(our_resnet(layout).state_dict(), "model.pth")
    assert found.layout == layout
    assert (found.channels, found.classes) == (1, 3)


def test_the_rest_is_asked_for():
    state = our_resnet().state_dict()
    questions = {question.name: question for question in draft_of(state).questions}
    assert set(questions) == {"network.stride", "network.max_pool", "network.image_size"}
    assert questions["network.stride"].readings[0].fields == {"stride": (1, 1, 1)}
    with pytest.raises(SpecError, match=r"network\.stride: the stride of the first convolution"):
        build_network(state, NetworkSpec())


@pytest.mark.parametrize(("pooled", "patch"), [(True, (4, 2, 4)), (False, (2, 1, 2))])
def test_the_patch_follows_from_stride_and_pooling(pooled, patch):
    state = our_resnet().state_dict()
    settings = {"stride": (2, 1, 2), "max_pool": pooled, "image_size": SIZE}
    draft = draft_of(state, **settings)
    assert draft.questions == []
    assert draft.spec.patch == patch
    with pytest.raises(SpecError, match="patch is 8 × 8 × 8 in the spec"):
        draft_of(state, **settings, patch=(8, 8, 8))


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "net.resnet.", "_orig_mod."])
def test_prefixes_of_training(tmp_path, prefix):
    network = our_resnet()
    state = {f"{prefix}{key}": value for key, value in network.state_dict().items()}
    other = {"criterion.weight": torch.ones(2)} if prefix else {}
    torch.save({"state_dict": {**state, **other}}, tmp_path / "last.ckpt")
    checkpoint = read_checkpoint(tmp_path / "last.ckpt")
    assert checkpoint.meta["prefix"] == prefix
    ours, _, _ = build_network(checkpoint.state, resnet_spec().network)
    assert difference(ours, network, scan(1)) == 0


def test_files_without_counters_of_batches():
    network = our_resnet()
    state = {k: v for k, v in network.state_dict().items() if "num_batches" not in k}
    ours, _, _ = build_network(state, resnet_spec().network)
    assert difference(ours, network, scan(1)) == 0


def test_half_precision_is_said_and_counters_stay_whole():
    ours, _, notes = build_network(our_resnet().half().state_dict(), resnet_spec().network)
    assert any("float16" in note for note in notes)
    assert ours.bn1.running_mean.dtype == torch.float32
    assert ours.bn1.num_batches_tracked.dtype == torch.int64


def test_what_is_no_classifier_of_this_kind_is_refused():
    state = our_resnet().state_dict()
    encoder = {k: v for k, v in state.items() if not k.startswith("fc")}
    with pytest.raises(CheckpointError, match=r"no classifying layer \(fc\.weight\)"):
        build_network(encoder, resnet_spec().network)
    other_norm = {k: v for k, v in state.items() if "running" not in k and "num_b" not in k}
    with pytest.raises(CheckpointError, match=r"close to MONAI's ResNet.*missing \(bn1\.running"):
        build_network(other_norm, resnet_spec().network)
    flat = {**state, "conv1.weight": state["conv1.weight"][..., 0]}
    with pytest.raises(CheckpointError, match="ResNet, but not MONAI's in 3D"):
        build_network(flat, resnet_spec().network)


def test_inspect_writes_a_spec_that_completes():
    state = our_resnet().state_dict()
    inspection = inspect_state(state, FACTS)
    assert inspection.found["kind of block"] == "basic"
    assert inspection.found["widths"] == "4, 6, 8, 10"
    text = inspection.to_yaml()
    assert "\n  #max_pool: true  # MONAI's default, MedicalNet\n" in text
    assert "\n  #stride: [2, 2, 2]  # MedicalNet\n" in text
    assert inspect_state(state, FACTS, resnet_spec()).complete


def test_a_file_and_a_module_make_a_handle():
    network = our_resnet()
    handle = build_handle(network.state_dict(), FACTS, resnet_spec(), "cpu")
    assert isinstance(handle.network, ResNet3D)
    torch.testing.assert_close(handle.logits(scan()), network(scan()).detach())
    own = module_handle(network, ModelSpec(network=NetworkSpec(image_size=SIZE), input=INPUT))
    assert own.network is network
    assert own.spec.network == handle.spec.network
