"""A copy with new weights: another network of the same kind, and the first one untouched."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from g3dvit_napari import api
from g3dvit_napari.core.errors import MethodError, SpecError
from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec
from g3dvit_napari.io.samples import sample_path
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.randomised import SPREAD, randomised

FAMILIES = ("vit", "swin", "resnet")
# What is left as found when all from the last block on is drawn anew.
BEFORE_THE_LAST = {
    "vit": ("to_patch_embedding", "pos_embedding", "cls_token", "transformer.layers.0"),
    "swin": ("patch_embed", "layers1", "layers2.0.blocks.0"),
    "resnet": ("conv1", "bn1", "layer1", "layer2"),
}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(family: str) -> ModelHandle:
    return api.load_model(sample_path(f"brain_{family}.pth"), device="cpu")


def weights(model: ModelHandle) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.network.state_dict().items()}


def differing(one: dict[str, Any], two: dict[str, Any]) -> set[str]:
    return {name for name in one if not torch.equal(one[name], two[name])}


def image_of(model: ModelHandle) -> torch.Tensor:
    return torch.randn(model.image_shape, generator=torch.Generator().manual_seed(3))


def test_the_network_is_left_as_found_bit_for_bit(model: ModelHandle) -> None:
    before, mode, image = weights(model), model.network.training, image_of(model)
    logits, state = model.logits(image), torch.random.get_rng_state()
    randomised(model, 1)
    randomised(model, 1, down_to=0)
    assert differing(before, weights(model)) == set()
    assert model.network.training == mode
    assert torch.equal(model.logits(image), logits)
    assert torch.equal(torch.random.get_rng_state(), state)
    hooks = (m._forward_hooks or m._forward_pre_hooks for m in model.network.modules())
    assert not any(hooks)


def test_a_seed_makes_one_copy(model: ModelHandle) -> None:
    one, same, other = randomised(model, 1), randomised(model, 1), randomised(model, 2)
    assert differing(weights(one), weights(same)) == set()
    assert differing(weights(one), weights(other))
    image = image_of(model)
    assert not torch.allclose(one.logits(image), model.logits(image))
    assert not torch.allclose(one.logits(image), other.logits(image))


def test_every_weight_is_drawn_as_its_layer_type_is(model: ModelHandle) -> None:
    made, before = randomised(model, 0).network, weights(model)
    ours = [
        name
        for name, _ in made.named_parameters()
        if torch.equal(before[name], made.state_dict()[name])
    ]
    assert ours == []
    for module in made.modules():
        if isinstance(module, nn.LayerNorm | nn.BatchNorm3d) and module.weight is not None:
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()
        if isinstance(module, nn.BatchNorm3d):
            assert (module.running_mean == 0).all()
            assert (module.running_var == 1).all()
        if isinstance(module, nn.Linear):  # uniform within 1 / sqrt(inputs)
            bound = module.in_features**-0.5
            assert 0.9 * bound < module.weight.abs().max() <= bound
            assert abs(module.weight.std().item() / (bound / 3**0.5) - 1) < 0.2
    for name, value in made.named_parameters():
        if name in ("pos_embedding", "cls_token") or "position_bias" in name:
            assert value.std().item() == pytest.approx(SPREAD, rel=0.3)


def test_from_the_head_down_to_a_block(family: str, model: ModelHandle) -> None:
    before, blocks = weights(model), model.blocks
    drawn = [differing(before, weights(randomised(model, 0, down_to=b))) for b in range(blocks)]
    assert all(larger > smaller for larger, smaller in pairwise(drawn))
    assert drawn[-1] == differing(before, weights(randomised(model, 0, down_to=-1)))
    kept = set(before) - drawn[-1]
    for start in BEFORE_THE_LAST[family]:
        found = {name for name in before if name == start or name.startswith(f"{start}.")}
        assert found
        assert found <= kept
    assert {name for name in before if "head" in name or name.startswith("fc")} <= drawn[-1]
    if family == "vit":
        assert {name for name in drawn[-1] if "transformer" in name} == {
            name for name in before if name.startswith("transformer.layers.2.")
        }


def test_a_block_that_is_not_there(model: ModelHandle) -> None:
    with pytest.raises(MethodError, match="block must be between"):
        randomised(model, 0, down_to=model.blocks)


def test_the_copy_can_be_explained_and_says_what_it_is(tiny_model: Any, tiny_volume: Any) -> None:
    made = api.randomised(tiny_model, 4)
    one = api.explain(tiny_volume, tiny_model, "grad_cam", "AD")
    two = api.explain(tiny_volume, made, "grad_cam", "AD")
    assert one.patch_map.shape == two.patch_map.shape
    assert not np.allclose(one.patch_map.data, two.patch_map.data)
    assert "randomised: all weights, seed 4" in two.provenance["checkpoint"]["notes"]
    assert "notes" not in tiny_model.checkpoint


class _Own(nn.Module):
    """A network of the user's own: a norm of its own kind, a constant on a tensor with a graph."""

    class OwnNorm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.bias = (nn.Parameter(torch.full((4,), v)) for v in (3.0, 5.0))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            shape = (1, -1, 1, 1, 1)
            return x * self.weight.view(shape) + self.bias.view(shape)

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(1, 4, 3, stride=2)
        self.norm = self.OwnNorm()
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.conv(x)).relu().mean((2, 3, 4)))


@pytest.fixture
def own() -> ModelHandle:
    network = NetworkSpec(family="module", image_size=(12, 10, 11), channels=1, classes=2)
    rules = InputSpec(orientation="RAS", intensity="zscore", tensor_axes="zyx", fit="crop-pad")
    return api.load_model(_Own(), ModelSpec(name="own", network=network, input=rules), "cpu")


def test_a_network_of_the_users_own(own: ModelHandle) -> None:
    made = randomised(own, 0)
    assert (made.network.norm.weight == 1).all()
    assert (made.network.norm.bias == 0).all()
    assert not torch.equal(made.network.conv.weight, own.network.conv.weight)
    assert (own.network.norm.weight == 3).all()


def test_a_network_that_cannot_be_copied(own: ModelHandle) -> None:
    own.network.kept = own.network.conv.weight * 2  # has a graph: torch refuses to copy it
    with pytest.raises(SpecError, match="cannot be copied"):
        randomised(own)
