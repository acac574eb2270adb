"""The prediction as bars, the likeliest class first; the chosen class is in colour."""

from __future__ import annotations

import html
from collections.abc import Sequence
from math import isnan
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from g3dvit_napari.core.chance import in_percent
from g3dvit_napari.core.types import Prediction
from g3dvit_napari.plugin.controls.section import allow, explain, note, set_note
from g3dvit_napari.plugin.prediction.bar_row import (
    NUMBER,
    PREDICTED,
    ROW,
    SHARE,
    VALUE,
    BarRow,
)

_HEADER = 22  # pixels: that of the history beside it
TOP, MOST_ROWS = 3, 8  # classes at first; rows in sight when all are listed
_TIP = "What the network says about this volume. Click a class, or use the arrow keys, to explain."
_PRESSES = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)
_STYLE = "QListWidget, QListWidget::item { background: transparent; border: none; padding: 0px; }"


class ClassList(QListWidget):
    """The classes in sight. A class that is already chosen can be pressed again."""

    pressed_again = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._before = -1
        self.setItemDelegate(BarRow(self))
        self.setStyleSheet(_STYLE)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Prediction")
        explain(self, _TIP)

    def mousePressEvent(self, event: Any) -> None:
        """Note what was chosen before: choosing another one tells by itself."""
        self._before = self.currentRow()
        super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: Any) -> None:
        """Press the chosen class again."""
        super().mouseReleaseEvent(event)
        row = self.indexAt(event.pos()).row()
        if row >= 0 and row == self._before:
            self.pressed_again.emit()

    def keyPressEvent(self, event: Any) -> None:
        """Enter and Space press the chosen class."""
        if event.key() in _PRESSES and self.currentRow() >= 0:
            self.pressed_again.emit()
        else:
            super().keyPressEvent(event)


class PredictionBars(QWidget):
    """One bar per class. A network without probabilities shows its values as numbers."""

    class_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.list = ClassList()
        self.more = QPushButton()
        self.more.setCheckable(True)
        self.more.setFlat(True)
        self.note = note()
        self._names: tuple[str, ...] = ()
        self._prediction: Prediction | None = None
        self._chosen: int | None = None  # None: the predicted class
        self._lay_out()
        self.offer(())
        self.more.toggled.connect(self._fill)
        self.list.currentRowChanged.connect(self._on_row)
        self.list.pressed_again.connect(self._tell)

    def _lay_out(self) -> None:
        title = QLabel("Prediction")
        title.setFixedHeight(_HEADER)
        title.setStyleSheet("font-weight: 600; letter-spacing: 0.5px; padding: 0px;")
        self.header = QHBoxLayout()  # the history stands here, too
        self.header.setSpacing(4)
        self.header.addWidget(title)
        self.header.addWidget(self.more)
        self.header.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 6, 12, 6)
        layout.setSpacing(4)
        layout.addLayout(self.header)
        layout.addWidget(self.list)
        layout.addWidget(self.note)

    @property
    def prediction(self) -> Prediction | None:
        """What is shown; None while it is not known."""
        return self._prediction

    def offer(self, names: Sequence[str]) -> None:
        """List a network's classes, whose probabilities are not known yet; none: hide."""
        self._names, self._prediction = tuple(names), None
        self.more.setVisible(len(names) > TOP)
        set_note(self.note, "")
        self.setVisible(bool(names))
        self._fill()

    def show_prediction(self, prediction: Prediction) -> None:
        """Show what the network says."""
        if prediction is not self._prediction:
            self._prediction = prediction
            set_note(self.note, "")
            self._fill()

    def show_note(self, text: str) -> None:
        """Say why there is no prediction."""
        set_note(self.note, text)

    def choose(self, number: int | None, reason: str = "") -> None:
        """Mark a class without telling anyone, None for the predicted one.

        A reason says why no class can be chosen.
        """
        allow(self.list, reason)
        self._chosen = number
        if self._in_sight() != self.numbers():
            self._fill()
        self._mark()

    def numbers(self) -> list[int]:
        """Return the classes in sight, from top to bottom."""
        return [self.list.item(row).data(NUMBER) for row in range(self.list.count())]

    def _marked(self) -> int | None:
        known = self._prediction
        return known.predicted if self._chosen is None and known is not None else self._chosen

    def _in_sight(self) -> list[int]:
        """The likeliest classes, the chosen one always among them."""
        order = list(range(len(self._names)))
        if self._prediction is not None:
            logits = self._prediction.logits
            order.sort(key=lambda number: -logits[number])
        if self.more.isChecked() or len(order) <= TOP:
            return order
        marked = self._marked()
        first = order[:TOP]
        return first if marked is None or marked in first else [*order[: TOP - 1], marked]

    def _fill(self, *_: object) -> None:
        blocked = self.list.blockSignals(True)
        self.list.clear()
        numbers = self._in_sight()
        for number in numbers:
            self.list.addItem(self._item(number))
        self.list.blockSignals(blocked)
        self._mark()
        self.list.setFixedHeight(ROW * max(min(len(numbers), MOST_ROWS), 1))
        count = len(self._names)
        self.more.setText("Fewer" if self.more.isChecked() else f"All {count}")
        explain(self.more, f"List the likeliest classes only, or all {count}.")
        self.more.setAccessibleName("All classes")

    def _mark(self) -> None:
        numbers, marked = self.numbers(), self._marked()
        blocked = self.list.blockSignals(True)
        self.list.setCurrentRow(numbers.index(marked) if marked in numbers else -1)
        self.list.blockSignals(blocked)
        self.list.viewport().update()

    def _item(self, number: int) -> QListWidgetItem:
        name, known = self._names[number], self._prediction
        item = QListWidgetItem(name)
        item.setData(NUMBER, number)
        share, value = measure(known, number)
        item.setData(SHARE, share)
        item.setData(VALUE, value)
        predicted = known is not None and len(self._names) > 1 and number == known.predicted
        item.setData(PREDICTED, predicted)
        facts = [f"Logit {known.logits[number]:.4g}"] if known is not None else ["Not known yet"]
        lines = [name, *([value] if share else []), *facts, *(["Predicted"] if predicted else [])]
        item.setToolTip("<qt>" + "<br>".join(html.escape(line) for line in lines) + "</qt>")
        spoken = ", ".join(filter(None, [name, value, "predicted" if predicted else ""]))
        item.setData(Qt.ItemDataRole.AccessibleTextRole, spoken)
        return item

    def _on_row(self, row: int) -> None:
        if row >= 0:
            self._chosen = self.numbers()[row]
            self._tell()

    def _tell(self) -> None:
        self.class_chosen.emit(self.numbers()[self.list.currentRow()])


def measure(prediction: Prediction | None, number: int) -> tuple[float, str]:
    """Return how much of a bar is filled, and the number beside it; a mere value fills nothing."""
    if prediction is None:
        return 0.0, "…"
    chance = prediction.probabilities[number]
    if isnan(chance):
        return 0.0, f"{prediction.logits[number]:.4g}"
    return chance, in_percent(chance)
