"""Imports pytorch-grad-cam without what it draws and resizes pictures with.

It asks for torchvision, OpenCV and ttach at its import; its formulas, which are all that is looked
at here, use none of them.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

import pytest

NAME = "pytorch_grad_cam"
FOR_PICTURES = (
    "ttach",
    "cv2",
    "torchvision",
    "torchvision.transforms",
    "torchvision.transforms.functional",
)


class Absent(ModuleType):
    """Stands for a module that is not there: has every name, and does nothing."""

    __path__: list[str] = []  # noqa: RUF012 # a package, so that parts of it are looked for

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {"__init__": lambda *_, **__: None})


def pytorch_grad_cam() -> Any:
    """Return the library; where it is not installed, the test module is skipped with a reason."""
    if importlib.util.find_spec(NAME) is None:
        pytest.skip("pip install --no-deps grad-cam runs these", allow_module_level=True)
    absent = [n for n in FOR_PICTURES if n.partition(".")[0] not in _installed()]
    sys.modules.update({name: Absent(name) for name in absent})
    try:
        return importlib.import_module(NAME)
    finally:
        for name in absent:
            del sys.modules[name]


def _installed() -> set[str]:
    roots = {name.partition(".")[0] for name in FOR_PICTURES}
    return {root for root in roots if importlib.util.find_spec(root) is not None}
