"""Coarse products that a process has asked for never reach a map, and are there again after it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from operator import attrgetter

import pytest
import torch
from coarse_arithmetic import Watch, coarse_arithmetic, settings
from other_networks import OTHERS
from torch import backends

from g3dvit_napari import api
from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.types import Volume
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.as_found.capture import block_index
from g3dvit_napari.models.as_found.precision import full_precision
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.running import with_pass

NEWER = pytest.mark.skipif(
    not hasattr(backends, "fp32_precision"), reason="this torch has no newer names"
)
OPERATIONS = ("cuda.matmul", "mkldnn.matmul", "cudnn.conv", "cudnn.rnn")


def precisions() -> dict[str, str]:
    """Return what each operation does with float32."""
    return {name: attrgetter(name)(backends).fp32_precision for name in OPERATIONS}


@pytest.fixture
def as_before() -> Iterator[None]:
    """Set everything again as it was."""
    everywhere, before = backends.fp32_precision, precisions()
    yield
    backends.fp32_precision = everywhere
    for name, precision in before.items():
        attrgetter(name)(backends).fp32_precision = precision


@pytest.mark.parametrize("name", OTHERS)
def test_products_of_any_network_are_exact(name: str) -> None:
    model = OTHERS[name]()
    image = torch.randn(model.image_shape, generator=torch.Generator().manual_seed(4))[0].numpy()
    quick = [m for m in METHODS if METHODS[m].cost == "one pass" and not api.why_not(m, model)]
    with coarse_arithmetic(), Watch() as watch:
        for method in quick:
            with_pass(model, image, None, lambda run, m=method: METHODS[m].function(run, (0, 2)))
    assert watch.seen > {"convolution", "convolution_backward"}
    assert not watch.coarse


def test_products_of_metrics_are_exact(tiny_volume: Volume, tiny_model: ModelHandle) -> None:
    metrics = ["deletion", "class_sensitivity", "model_randomisation", "input_shift"]
    with coarse_arithmetic(), Watch() as watch:
        api.evaluate(tiny_volume, tiny_model, ["g3dvit"], metrics=metrics)
    assert watch.seen
    assert not watch.coarse


def test_settings_come_back_after_an_error(tiny_model: ModelHandle) -> None:
    with coarse_arithmetic():
        with pytest.raises(MethodError), full_precision():
            block_index(9, tiny_model.blocks)
        assert settings() == ("medium", True)


def test_the_last_thread_brings_settings_back() -> None:
    entered, leave = threading.Event(), threading.Event()
    found: list[tuple[str, bool]] = []

    def work() -> None:
        with full_precision():
            entered.set()
            leave.wait(10)
            found.append(settings())

    with coarse_arithmetic():
        thread = threading.Thread(target=work)
        with full_precision():
            thread.start()
            assert entered.wait(10)
        assert settings() == ("highest", False)  # the other thread still computes
        leave.set()
        thread.join()
        assert settings() == ("medium", True)
    assert found == [("highest", False)]


@NEWER
@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize("name", [*OPERATIONS, ""])
def test_torchs_newer_names_are_heard_and_set_again(name: str) -> None:
    place = attrgetter(name)(backends) if name else backends
    place.fp32_precision = "bf16" if name.startswith("mkldnn") else "tf32"
    before = precisions()
    with full_precision():
        assert set(precisions().values()) <= {"none", "ieee"}
    assert precisions() == before


@NEWER
@pytest.mark.usefixtures("as_before")
def test_what_was_inherited_still_is() -> None:
    for name in OPERATIONS:
        attrgetter(name)(backends).fp32_precision = "none"
    backends.fp32_precision = "tf32"
    with full_precision():
        assert set(precisions().values()) == {"ieee"}
    backends.fp32_precision = "ieee"
    assert precisions()["cuda.matmul"] == "ieee"
