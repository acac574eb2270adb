"""Controls of single pages that are remembered between windows, as `recall` does for the form."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeAlias

from qtpy.QtWidgets import QSpinBox

from g3dvit_napari.plugin.controls.amount import AmountSlider
from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.switch import Switch
from g3dvit_napari.plugin.settings import Settings

Control: TypeAlias = Switch | Choice | QSpinBox | AmountSlider


def keep(settings: Settings, category: str, controls: Mapping[str, Control]) -> None:
    """Set controls as they were left, and write down what is chosen from now on."""
    for key, control in controls.items():
        kept, write = settings.read(category, key), partial(_write, settings, category, key)
        if isinstance(control, Switch | Choice):
            control.choose(kept)
        else:
            control.setValue(kept)
        _changed(control).connect(partial(write, control))
        if isinstance(control, AmountSlider):
            control.sliderReleased.connect(partial(write, control))


def _changed(control: Control) -> Any:
    if isinstance(control, Switch):
        return control.changed
    return control.currentIndexChanged if isinstance(control, Choice) else control.valueChanged


def _write(settings: Settings, category: str, key: str, control: Control, *_: object) -> None:
    """Write how a control stands; a slider once it is let go: each time a file is written."""
    if not (isinstance(control, AmountSlider) and control.isSliderDown()):
        settings.write(category, key, control.value())
