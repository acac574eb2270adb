"""Three buttons and a line of text: what is thought of the subject on show."""

from __future__ import annotations

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QCheckBox, QLineEdit, QPushButton, QSizePolicy, QWidget

from g3dvit_napari.io.ratings import RATINGS
from g3dvit_napari.plugin.controls.section import Section, allow, explain, note, row_of, set_note
from g3dvit_napari.plugin.subjects.table_model import COLOURS

KEYS = {"pass": "1", "unsure": "2", "fail": "3", "": "0"}
_PAUSE_MS = 400
_NONE = "Go to a subject first."
_TIPS = {
    "pass": "The explanation can be used.",
    "unsure": "Look at it again.",
    "fail": "Do not use it.",
    "": "Take the rating back.",
}


class RatingBox(Section):
    """Rates one subject; every change is told at once."""

    rated = Signal(str, str)  # the subject's key; "pass", "unsure", "fail" or "" for none
    noted = Signal(str, str)  # the subject's key; the note
    rater_changed = Signal(str)
    go_on_changed = Signal(bool)
    elsewhere_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Rating", parent)
        self._key = ""
        self.buttons = {value: self._button(value) for value in (*RATINGS, "")}
        self.add_wide(row_of(*self.buttons.values(), spacing=2))
        self.note = QLineEdit()
        self.note.setPlaceholderText("What you saw")
        self.add_row("&Note", self.note, "Saved with the rating, as you type.")
        self.rater = QLineEdit()
        self.add_row("&Rater", self.rater, "Your initials, saved with each rating; may stay empty.")
        self.go_on = QCheckBox("&Go on after rating")
        explain(self.go_on, "Go to the next subject once this one is rated.")
        self.add_wide(self.go_on)
        self.saved = note()
        self.add_wide(self.saved)
        self.elsewhere = QPushButton("Save the ratings to …")
        explain(self.elsewhere, "Choose another file for the ratings of this list.")
        self.elsewhere.hide()
        self.add_wide(self.elsewhere)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(_PAUSE_MS)
        self._pause.timeout.connect(self.flush)
        self._noted = ""
        self.note.textEdited.connect(self._on_typed)
        self.note.editingFinished.connect(self.flush)
        self.rater.editingFinished.connect(self._on_rater)
        self.go_on.toggled.connect(self.go_on_changed)
        self.elsewhere.clicked.connect(self.elsewhere_requested)
        self.show_subject("", "", "")

    def show_subject(self, key: str, rating: str, text: str) -> None:
        """Show what is thought of a subject; no key: of none."""
        self.flush()
        self._key, self._noted = key, text
        for value, button in self.buttons.items():
            allow(button, "" if key else _NONE)
            button.setChecked(bool(value) and value == rating)
        allow(self.note, "" if key else _NONE)
        if self.note.text() != text:
            self.note.setText(text)
            self.note.setCursorPosition(0)  # a long note is read from its start

    def show_saved(self, text: str, failed: bool = False) -> None:
        """Say where the ratings are, or why they are not there."""
        set_note(self.saved, text)
        self.elsewhere.setVisible(failed)

    def press(self, value: str) -> None:
        """Rate as a click on the button does."""
        if self._key:
            self.flush()
            self.rated.emit(self._key, value)

    def flush(self) -> None:
        """Tell a note that was typed and not told yet."""
        self._pause.stop()
        text = self.note.text().strip()
        if self._key and text != self._noted:
            self._noted = text
            self.noted.emit(self._key, text)

    def _button(self, value: str) -> QPushButton:
        button = QPushButton(value.capitalize() or "Clear")
        button.setCheckable(bool(value))
        button.setMinimumWidth(40)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button.setAccessibleName(button.text())
        explain(button, f"{_TIPS[value]} Key: {KEYS[value]}")
        if value:
            button.setStyleSheet(
                f"QPushButton:checked {{ background-color: {COLOURS[value]}; color: white; }}"
            )
        button.clicked.connect(lambda *_, value=value: self.press(value))
        return button

    def _on_typed(self, _text: str) -> None:
        self._pause.start()

    def _on_rater(self) -> None:
        self.rater_changed.emit(self.rater.text().strip())
