"""The guide to adding a method is followed to the letter, and what it promises comes true."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from g3dvit_napari import api
from g3dvit_napari.cli import main
from g3dvit_napari.core.registry import Entry

GUIDE = (Path(__file__).parents[1] / "docs/add_a_method.md").read_text("utf-8")


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    """The method of the guide, saved where the guide says (but in another folder) and imported."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
    (path,) = re.findall(r"`(g3dvit_napari/methods/\w+/\w+\.py)`", GUIDE)
    name = path.removesuffix(".py").replace("/", ".")
    file = tmp_path / Path(path).name
    file.write_text(code, encoding="utf-8")
    len(api.METHODS)  # the folder itself is read first
    monkeypatch.setattr(api.METHODS, "_entries", dict(api.METHODS))
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return api.METHODS[Path(path).stem]


def test_the_map_is_the_formula(entry: Entry, tiny_model: Any, tiny_volume: Any) -> None:
    found = api.explain(tiny_volume, tiny_model, entry.name, target=1, power=3.0)
    run = tiny_model.forward(torch.from_numpy(found.scaled.placement.to_tensor())[None])
    g = run.gradients([1])[0, tiny_model.prefix_tokens :].double().numpy()
    wanted = np.array([sum(abs(x) ** 3 for x in token) ** (1 / 3) for token in g])
    tokens = found.scaled.placement.tokens_of(found.patch_map)
    np.testing.assert_allclose(tokens.ravel(), wanted, rtol=1e-5)
    assert found.status == "ok"


def test_it_is_in_the_list_and_its_parameter_is_a_flag(
    entry: Entry, tiny_files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert entry.family == "cam"
    with pytest.raises(SystemExit):
        main(["methods"])
    listed = capsys.readouterr().out
    assert "gradient_size  Gradient size" in listed
    assert "--power" in listed
    words = ["explain", tiny_files / "scan.nii.gz", "--model", tiny_files / "vit.pth"]
    words += ["--out", tiny_files / "out", "--method", "gradient_size", "--power", "4"]
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in words])
    assert stopped.value.code == 0
    assert len(list((tiny_files / "out").glob("*gradientSize*"))) == 3


def test_afterwards_nothing_is_left_of_it() -> None:
    assert "gradient_size" not in api.METHODS
