"""The list of methods in the documentation is the registry's, and every method has its picture."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from PIL import Image

from g3dvit_napari.methods import METHODS

DOCS = Path(__file__).parents[1] / "docs"
sys.path.append(str(DOCS))
make_methods = importlib.import_module("make_methods")


def test_the_page_is_what_the_methods_declare() -> None:
    written = (DOCS / "methods.md").read_text("utf-8")
    assert written == make_methods.page(), "make it again: python docs/make_methods.py --text"


@pytest.mark.parametrize("method", METHODS)
def test_it_has_a_formula_and_a_picture(method: str) -> None:
    formula = make_methods.formula_of(METHODS[method])
    assert formula.startswith("r_n = ")
    assert formula.count("(") == formula.count(")")
    picture = Image.open(DOCS / "images" / "methods" / f"{method}.png")
    assert picture.size == (720, 270)
    assert len(set(picture.convert("L").tobytes())) > 20


def test_there_are_no_pictures_of_methods_that_are_gone() -> None:
    names = {path.stem for path in (DOCS / "images" / "methods").glob("*.png")}
    assert names == set(METHODS)
