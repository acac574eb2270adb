"""One file, one entry: facts and parameters are read from the function itself."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Annotated, Literal

import pytest

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.registry import Entry, Registry


def blur(
    run: object,
    targets: tuple[int, ...],
    *,
    pooling: Literal["mean", "max"] = "mean",
    width: Annotated[float, {"min": 0.0, "max": 2.0}] = 0.5,
    block: int = -1,
) -> None:
    """Blur the map.

    Parameters
    ----------
    pooling
        How values are pooled
        over features.
    width : float
        In patches.
    """


@pytest.fixture
def entry() -> Entry:
    registry = Registry("method", "json", Entry)  # a package without files that register anything
    registry.register("Blur", signed=True, needs={"norm"})(blur)
    return registry["blur"]


def test_parameters_come_from_the_signature(entry: Entry) -> None:
    pooling, width, block = entry.parameters
    assert (pooling.name, pooling.default, pooling.choices) == ("pooling", "mean", ("mean", "max"))
    assert pooling.help == "How values are pooled over features."
    assert (width.limits, width.annotation, width.help) == (
        {"min": 0.0, "max": 2.0},
        float,
        "In patches.",
    )
    assert block.annotation is int
    assert entry.summary == "Blur the map."
    assert entry.needs == {"norm"}


def test_values_are_converted_and_checked(entry: Entry) -> None:
    assert entry.checked({"width": "1.5", "block": "2"}) == {
        "pooling": "mean",
        "width": 1.5,
        "block": 2,
    }
    for given, message in [
        ({"width": 3}, "width must be between 0.0 and 2.0, got 3.0"),
        ({"width": "wide"}, "width must be a float, got 'wide'"),
        ({"pooling": "mea"}, "no pooling option named 'mea'; did you mean 'mean'"),
        ({"poling": "mean"}, "no parameter of blur named 'poling'; did you mean 'pooling'"),
    ]:
        with pytest.raises(MethodError, match=message):
            entry.checked(given)


def test_a_name_can_be_taken_once() -> None:
    registry = Registry("method", "json", Entry)
    registry.register("Blur")(blur)
    with pytest.raises(ValueError, match="two methods are named 'blur'"):
        registry.register("Blur again")(blur)


def test_unknown_name_suggests_the_nearest() -> None:
    registry = Registry("method", "json", Entry)
    registry.register("Blur")(blur)
    with pytest.raises(MethodError, match="no method named 'blurr'; did you mean 'blur'"):
        registry["blurr"]


def test_saving_a_file_is_the_whole_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "probe_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "sharpen.py").write_text(
        "import probe_registry\n"
        "@probe_registry.REGISTRY.register('Sharpen')\n"
        "def sharpen(run, targets, *, amount: int = 3):\n    '''Sharpen.'''\n"
    )
    module = types.ModuleType("probe_registry")
    module.REGISTRY = Registry("method", "probe_package", Entry)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "probe_registry", module)
    monkeypatch.syspath_prepend(tmp_path)
    registry: Registry = module.REGISTRY  # type: ignore[attr-defined]
    assert list(registry) == ["sharpen"]
    assert len(registry) == 1
    assert registry["sharpen"].parameters[0].default == 3
