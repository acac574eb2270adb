"""Controls of single pages that are remembered between windows, as `recall` does for the form."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.switch import Switch
from g3dvit_napari.plugin.settings import Settings


def keep(settings: Settings, category: str, controls: Mapping[str, Switch | Choice]) -> None:
    """Set controls as they were left, and write down what is chosen from now on."""
    for key, control in controls.items():
        control.choose(settings.read(category, key))
        changed = control.changed if isinstance(control, Switch) else control.currentIndexChanged
        changed.connect(partial(_write, settings, category, key, control))


def _write(
    settings: Settings, category: str, key: str, control: Switch | Choice, *_: object
) -> None:
    settings.write(category, key, control.value())
