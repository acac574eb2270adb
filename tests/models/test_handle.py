"""The handle: passes that leave the network as found, a remembered pass, devices."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from reference_networks import INPUT, SIZE, full_spec, some_image, tiny
from torch import nn

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.errors import G3DViTError, MethodError, SpecError
from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.models.as_found.quiet import quiet
from g3dvit_napari.models.handle import (
    ModelHandle,
    names_of_classes,
    output_of,
    resolve_device,
)
from g3dvit_napari.models.passes import forward
from g3dvit_napari.models.probing.anatomy import Site
from g3dvit_napari.models.reading.loading import build_handle


@pytest.fixture
def handle():
    return build_handle(tiny().state_dict(), {"name": "m"}, full_spec(), "cpu")


class Pass:
    """A pass that remembers which run it came from, whoever asks."""

    def __init__(self, made: object) -> None:
        self.made = made

    def asked(self, *_: Any) -> Pass:
        return Pass(self.made)


class Seen(list):
    """Counts the passes that are really run."""

    def __call__(self, _handle, image, _tick):
        self.append(image)
        return Pass(object())


@pytest.fixture
def passes(monkeypatch):
    seen = Seen()
    monkeypatch.setattr(forward, "run_forward", seen)
    return seen


def test_what_it_says_of_itself(handle):
    assert handle.offers >= {"features", "attention", "global attention"}
    assert (handle.blocks, handle.prefix_tokens, handle.classes) == (2, 1, 7)
    assert handle.image_shape == (1, 2, 10, 12, 8)
    assert handle.class_names == tuple(f"class {k}" for k in range(7))
    rows = handle.summary()
    assert rows["patch"] == "2 × 3 × 4"
    assert rows["patches"] == "5 × 4 × 2"
    assert rows["device"] == "cpu"
    assert rows["parameters"] == f"{sum(p.numel() for p in handle.network.parameters()):,}"


def test_tokens_lie_on_the_grid_last_axis_fastest(handle):
    site = handle.site(-1)
    assert (site.name, site.prefix, site.tokens) == ("transformer.layers.1.0.norm", 1, 41)
    assert (site.cells.shape, site.cells.first) == ((5, 4, 2), (0.5, 1.0, 1.5))
    with pytest.raises(MethodError, match=r"2 blocks.*got 2"):
        handle.site(2)


def test_sites_know_three_layouts():
    cells = Cells.tiling((2, 3, 4), (5, 5, 5))
    values = torch.arange(48.0).reshape(1, 24, 2)
    for layout, shape in {
        "b n d": (1, 24, 2), "b f h w d": (1, 2, 3, 4, 2), "b d f h w": (1, 2, 2, 3, 4)
    }.items():  # fmt: skip
        site = Site("norm", layout, 0, cells)
        assert site.shaped(values).shape == shape
        assert torch.equal(site.flat(site.shaped(values)), values)
    assert site.shaped(values)[0, 1, 1, 2, 3] == values[0, 1 * 12 + 2 * 4 + 3, 1]


def test_the_same_content_is_run_once(handle, passes):
    image = some_image(1)
    first = handle.forward(image)
    assert handle.forward(image.clone()).made is first.made
    assert len(passes) == 1
    other = image.clone()
    other[0, 0, 0, 0, 0] += 1
    assert handle.forward(other) is not first
    handle.forward(image)
    assert len(passes) == 3


def test_written_weights_make_a_new_pass(handle, passes):
    handle.forward(some_image(1))
    with torch.no_grad():
        handle.network.cls_token.add_(1)
    handle.forward(some_image(1))
    handle.forget()
    handle.forward(some_image(1))
    assert len(passes) == 3


def test_a_cancelled_pass_is_not_remembered(handle, monkeypatch):
    def stop(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(forward, "run_forward", stop)
    with pytest.raises(KeyboardInterrupt):
        handle.forward(some_image(1))
    monkeypatch.setattr(forward, "run_forward", seen := Seen())
    handle.forward(some_image(1))
    assert len(seen) == 1


@pytest.mark.parametrize("shape", [(1, 1, *SIZE), (1, 2, 12, 10, 8), SIZE])
def test_images_of_another_shape_are_refused(handle, shape):
    with pytest.raises(SpecError, match=r"\(b, 2, 10, 12, 8\)"):
        handle.logits(torch.zeros(shape))


def test_network_is_left_as_found(handle):
    network = nn.Sequential(handle.network, nn.Dropout(0.5))
    network.train()
    network[1].eval()
    parameters = list(network.parameters())
    parameters[0].requires_grad_(True)
    flags = [p.requires_grad for p in parameters]
    modes = [m.training for m in network.modules()]
    with quiet(network):
        assert not any(m.training for m in network.modules())
        assert not any(p.requires_grad for p in parameters)
    with pytest.raises(RuntimeError), quiet(network):
        network(torch.zeros(1))
    assert [p.requires_grad for p in parameters] == flags
    assert [m.training for m in network.modules()] == modes


def test_logits_have_no_graph_and_match_the_network(handle):
    logits = handle.logits(some_image().double())
    assert not logits.requires_grad
    assert torch.equal(logits, handle.network(some_image()))


def test_outputs_that_are_no_logits_are_refused(handle):
    assert handle.checked_logits((torch.zeros(1, 7), "hidden")).shape == (1, 7)
    for output in (torch.zeros(1, 6), torch.zeros(7), {"logits": 1}):
        with pytest.raises(SpecError, match=r"\(b, 7\)"):
            handle.checked_logits(output)


def test_class_names_must_fit():
    assert names_of_classes(full_spec(classes=2)) == ("class 0", "class 1")
    spec = ModelSpec(network={"classes": 2}, input=INPUT, class_names=("AD", "CN", "MCI"))
    with pytest.raises(SpecError, match=r"3 classes .*2 logits"):
        names_of_classes(spec)
    twice = spec.model_copy(update={"class_names": ("AD", "AD")})
    with pytest.raises(SpecError, match="must differ"):
        names_of_classes(twice)


def test_devices_by_name():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type in {"cpu", "cuda"}
    assert resolve_device(torch.device("cpu")).type == "cpu"
    for name in ("gpu", "cuda:x", "tpu:0"):
        with pytest.raises(G3DViTError, match="choose auto, cpu"):
            resolve_device(name)
    with pytest.raises(G3DViTError, match="torch sees"):
        resolve_device("cuda:99")


def test_moving_forgets_the_pass(handle, passes):
    handle.forward(some_image(1))
    assert handle.to("cpu") is handle
    handle.forward(some_image(1))
    assert len(passes) == 2


def test_foreign_networks_without_a_place_for_tokens_offer_nothing():
    spec = ModelSpec(network=NetworkSpec(image_size=(2, 3, 4), classes=2))
    plain = nn.Sequential(nn.Flatten(), nn.Linear(24, 2))
    silent = ModelHandle(plain, spec, torch.device("cpu"), ("a", "b"))
    assert (silent.offers, silent.blocks) == (frozenset(), 0)


@pytest.mark.parametrize(
    ("network", "names", "output"),
    [
        ({"classes": 1}, ("class 0", "class 1"), "binary"),
        ({"classes": 1, "output": "binary"}, ("class 0", "class 1"), "binary"),
        ({"classes": 1, "output": "regression"}, ("value",), "regression"),
        ({"classes": 3}, ("class 0", "class 1", "class 2"), "classes"),
    ],
)
def test_a_single_logit_is_a_yes_no_head_or_a_value(network, names, output):
    spec = ModelSpec(network=network)
    assert (names_of_classes(spec), output_of(spec.network)) == (names, output)


@pytest.mark.parametrize(
    "network", [{"classes": 1, "output": "classes"}, {"classes": 2, "output": "binary"}]
)
def test_an_output_that_does_not_fit_the_logits_is_refused(network):
    with pytest.raises(SpecError, match=r"network\.output"):
        names_of_classes(ModelSpec(network=network))
