"""The note for whoever opens the form for the first time: three steps, and a sample to try."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from g3dvit_napari.core.errors import G3DViTError
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.controls.section import allow, explain, words
from g3dvit_napari.plugin.settings import Settings

if TYPE_CHECKING:
    from g3dvit_napari.plugin.form import ExplainForm

SAMPLE = "brain"
STEPS = (
    "Open a scan: File → Open, or drop it on the canvas.",
    "Drop the checkpoint of a 3D ViT on the canvas, too.",
    "Press Compute.",
)
_FRAME = "FirstSteps { background: rgba(90, 120, 230, 45); border-radius: 4px; }"


class FirstSteps(QFrame):
    """Quiet, and gone for good once it was dismissed."""

    sample_requested = Signal()
    dismissed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setStyleSheet(_FRAME)
        heading = QLabel("New here? Three steps")
        heading.setStyleSheet("font-weight: 600; padding: 0px;")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 8)
        layout.setSpacing(4)
        layout.addWidget(heading)
        for number, step in enumerate(STEPS, start=1):
            line = words()
            line.setText(f"{number}. {step}")
            line.setStyleSheet("padding: 0px;")
            layout.addWidget(line)
        self.sample = QPushButton("Try the sample")
        explain(self.sample, "Open a made-up brain with a lesion, and a network that finds it.")
        self.close_button = QPushButton("Got it")
        explain(self.close_button, "Hide this note for good.")
        buttons = QHBoxLayout()
        buttons.setContentsMargins(0, 4, 0, 0)
        for button in (self.sample, self.close_button):
            button.setAccessibleName(button.text())
            buttons.addWidget(button, 1)
        layout.addLayout(buttons)
        self.sample.clicked.connect(self._on_sample)
        self.close_button.clicked.connect(self._on_dismissed)

    def offer_sample(self, reason: str = "") -> None:
        """Let the sample be opened, or say why not."""
        allow(self.sample, reason)

    def _on_sample(self) -> None:
        self.sample_requested.emit()

    def _on_dismissed(self) -> None:
        self.dismissed.emit()


class Welcome(QObject):
    """Shows the note until it was dismissed or something was explained; remembers that."""

    def __init__(self, form: ExplainForm, controller: Controller, settings: Settings) -> None:
        super().__init__()
        self._form, self._controller, self._settings = form, controller, settings
        steps = self._steps = form.first_steps
        steps.setVisible(not settings.read("display", "hint_seen"))
        steps.sample_requested.connect(self._on_sample)
        steps.dismissed.connect(self._on_seen)
        controller.explained.connect(self._on_seen)
        controller.failed.connect(self._on_failed)

    def attach(self) -> None:
        """Nothing of the viewer matters here."""

    def detach(self) -> None:
        """Let the sample be tried again in the next window."""
        self._steps.offer_sample()

    def _on_sample(self) -> None:
        from g3dvit_napari.plugin import contributions

        try:
            volume, checkpoint = contributions.sample_files(SAMPLE)
        except G3DViTError as error:
            self._form.run.show_result("", str(error), failed=True)
            return
        self._steps.offer_sample("The sample is open: press Compute.")
        self._controller.open_volume(volume)
        self._form.model.ask_for(checkpoint, spec="")

    def _on_seen(self, _found: object = None) -> None:
        if not self._steps.isHidden():
            self._steps.hide()
            self._settings.write("display", "hint_seen", True)

    def _on_failed(self, _message: str) -> None:
        self._steps.offer_sample()
