"""The list of metrics in the documentation is the registry's, and each says what fools it."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path

import pytest

from g3dvit_napari.metrics import METRICS

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "docs"))
make_metrics = importlib.import_module("make_metrics")


def test_the_page_is_what_the_metrics_declare() -> None:
    written = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    assert written == make_metrics.page(), "make it again: python docs/make_metrics.py"
    assert f"by [{len(METRICS)} metrics](docs/metrics.md)" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("metric", METRICS)
def test_it_says_its_direction_its_chance_and_what_fools_it(metric: str) -> None:
    text = inspect.getdoc(METRICS[metric].function) or ""
    assert "hance" in text
    assert "What fools it." in text
    if METRICS[metric].direction != "none":
        assert f"{METRICS[metric].direction} is better" in text.lower()
    assert METRICS[metric].reference
