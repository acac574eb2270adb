"""The stages of any network: every weight in one of them, drawn anew on request and no others."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from probed_networks import BUILDERS, GLOBAL, RESNET
from torch import Tensor

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.randomised import randomised
from g3dvit_napari.models.stages import stages_of


@pytest.fixture(scope="module", params=BUILDERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(name: str) -> ModelHandle:
    return BUILDERS[name]()


def tensors(model: ModelHandle) -> dict[str, Tensor]:
    network = model.network
    both = (*network.named_parameters(), *network.named_buffers())
    return {name: value.clone() for name, value in both}


def differing(one: dict[str, Tensor], two: dict[str, Tensor]) -> set[str]:
    return {name for name in one if not torch.equal(one[name], two[name])}


def test_every_tensor_is_in_one_stage_and_the_head_comes_first(model: ModelHandle) -> None:
    stages = stages_of(model)
    assert list(stages)[: model.blocks + 1] == [
        "head",
        *(f"block {n}" for n in reversed(range(model.blocks))),
    ]
    assert sorted(name for found in stages.values() for name in found) == sorted(tensors(model))


def test_the_stages_are_what_they_are_called(name: str, model: ModelHandle) -> None:
    stages = stages_of(model)
    if name in RESNET:
        assert stages["head"] == {"fc.weight", "fc.bias"}
        assert "conv1.weight" in stages["block 0"]
        assert "patch embedding" not in stages
        return
    assert any("patch" in tensor for tensor in stages["patch embedding"])
    assert any("head" in tensor for tensor in stages["head"])
    assert not any("head" in t for s in stages if s != "head" for t in stages[s])
    if name in GLOBAL and name != "simple_vit_3d":
        tokens = {"cls_token", "token", "front"}
        assert len(stages["class token"] & tokens) == 1
        assert not stages["class token"] - tokens
    if name in GLOBAL and name not in ("simple_vit_3d", "odd"):
        (positions,) = stages["position embedding"]
        assert positions.endswith(("where", "pos_embedding", "position_embeddings"))
    if name.startswith("torch"):  # weights that are used without their module
        assert "encoder.layers.0.self_attn.out_proj.weight" in stages["block 0"]
        assert "other weights" not in stages


def test_only_the_stages_asked_for_are_drawn(model: ModelHandle) -> None:
    before, stages = tensors(model), stages_of(model)
    everything = differing(before, tensors(randomised(model, 3)))
    found = {
        stage: differing(before, tensors(randomised(model, 3, stages=[stage]))) for stage in stages
    }
    for stage, drawn in found.items():
        assert drawn == everything & stages[stage]
    assert set().union(*found.values()) == everything
    assert differing(before, tensors(model)) == set()


def test_a_stage_gets_the_same_weights_whichever_others_are_drawn(model: ModelHandle) -> None:
    names = list(stages_of(model))
    alone = tensors(randomised(model, 3, stages=names[:1]))
    together = tensors(randomised(model, 3, stages=names))
    everything = tensors(randomised(model, 3))
    for tensor in stages_of(model)[names[0]]:
        assert torch.equal(alone[tensor], together[tensor])
    assert differing(together, everything) == set()


def test_layers_of_one_shape_get_different_weights(model: ModelHandle) -> None:
    made = tensors(randomised(model, 3))
    random = [t for t in made.values() if t.is_floating_point() and t.numel() > 8 and t.std() > 0]
    alike = [(one, two) for one, two in combinations(random, 2) if one.shape == two.shape]
    assert not any(torch.equal(one, two) for one, two in alike)


def test_an_unknown_stage_and_two_ways_at_once(tiny_model: ModelHandle) -> None:
    with pytest.raises(MethodError, match="position embeding"):
        randomised(tiny_model, stages=["position embeding"])
    with pytest.raises(MethodError, match="leave one of them out"):
        randomised(tiny_model, down_to=0, stages=["head"])


def test_a_draw_of_blocks_is_a_draw_of_their_stages(tiny_model: ModelHandle) -> None:
    by_block = tensors(randomised(tiny_model, 1, down_to=1))
    by_stage = tensors(randomised(tiny_model, 1, stages=["head", "block 1"]))
    assert differing(by_block, by_stage) == set()
