"""Controls for a method's own parameters, made from its registry entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QLineEdit, QSpinBox, QWidget

from g3dvit_napari.core.registry import Entry, Parameter
from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.section import Rows, allow

_Control = tuple[QWidget, Callable[[], Any]]
_WIDEST = 2**31 - 1


class ParameterControls(Rows):
    """One row per parameter; rebuilt when another method is chosen.

    `above` is the control that the Tab key reaches before them.
    """

    changed = Signal(bool)  # whether more may follow at once, as while a number is set

    def __init__(self, above: QWidget | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._above = above
        self._read: dict[str, Callable[[], Any]] = {}
        self._remembered: dict[str, Any] = {}

    def offer(self, entry: Entry, blocks: int, values: Mapping[str, Any] | None = None) -> None:
        """Show the parameters of `entry`, as they were left or with `values`.

        `blocks` is the depth of the network.
        """
        self._remembered |= {**self.values(), **(values or {})}
        self.clear()
        self._read = {}
        above = self._above
        for parameter in entry.parameters:
            value = self._remembered.get(parameter.name, parameter.default)
            control, read = self._control(parameter, value, blocks)
            self.add_row(_label(parameter.name), control, parameter.help or entry.summary)
            self._read[parameter.name] = read
            if above is not None:
                QWidget.setTabOrder(above, control)  # else it comes last in the whole window
            above = control
            if parameter.name == "block" and blocks == 1:
                allow(control, "The network has a single block.")
        self.setVisible(bool(self._read))

    def values(self) -> dict[str, Any]:
        """Return the chosen values by parameter name."""
        return {name: read() for name, read in self._read.items()}

    def remember(self, values: dict[str, Any]) -> None:
        """Use these values instead of the defaults when a method is offered next."""
        self._remembered |= values

    def _control(self, parameter: Parameter, value: Any, blocks: int) -> _Control:
        if parameter.name == "block":
            return self._choice(_block_options(blocks), value)
        if parameter.choices:
            return self._choice({c: _label(str(c)) for c in parameter.choices}, value)
        if parameter.annotation is bool or isinstance(parameter.default, bool):
            return self._check(bool(value))
        if parameter.annotation is int or isinstance(parameter.default, int):
            return self._spin(QSpinBox(), parameter, int(value))
        if parameter.annotation is float or isinstance(parameter.default, float):
            return self._spin(_decimal(), parameter, float(value))
        return self._text(str(value))

    def _choice(self, options: dict[Any, str], value: Any) -> _Control:
        choice = Choice()
        choice.offer(options, value)
        choice.currentIndexChanged.connect(self._on_changed)
        return choice, choice.value

    def _check(self, value: bool) -> _Control:
        box = QCheckBox()
        box.setChecked(value)
        box.toggled.connect(self._on_changed)
        return box, box.isChecked

    def _spin(self, spin: Any, parameter: Parameter, value: float) -> _Control:
        limits = parameter.limits
        whole = isinstance(spin, QSpinBox)
        low, high = limits.get("min", -_WIDEST), limits.get("max", _WIDEST)
        step = limits.get("step", 1 if whole else 0.1)
        convert = int if whole else float
        spin.setRange(convert(low), convert(high))
        spin.setSingleStep(convert(step))
        spin.setValue(value)
        spin.setKeyboardTracking(False)
        spin.valueChanged.connect(self._on_number)
        return spin, spin.value

    def _text(self, value: str) -> _Control:
        line = QLineEdit(value)
        line.editingFinished.connect(self._on_changed)
        return line, line.text

    def _on_changed(self, *_: object) -> None:
        self.changed.emit(False)

    def _on_number(self, *_: object) -> None:
        self.changed.emit(True)


def _decimal() -> QDoubleSpinBox:
    spin = QDoubleSpinBox()
    spin.setDecimals(3)
    return spin


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _block_options(blocks: int) -> dict[int, str]:
    """The last block first: it is the one nearest to the decision."""
    names = {-1: f"last ({blocks})"}
    return names | {number: str(number + 1) for number in range(blocks - 2, -1, -1)}
