"""The foot of the form: compute, progress, cancel, and the answer in two lines."""

from __future__ import annotations

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from g3dvit_napari.plugin.asking.answer import Answer
from g3dvit_napari.plugin.controls.section import allow, explain, note, set_note, words

_SCALE = 1000
_BUTTON = "font-weight: 600; font-size: 12px; padding: 0px 2px;"  # "many passes" in 280 px
PATIENCE_MS = 150  # what takes no longer is not announced: it would only flicker
_AMBER, _RED = "rgb(208, 136, 24)", "rgb(224, 82, 72)"  # readable on dark and on light

DEVICE_TIP = (
    "Where the network runs, and how much memory is free there; looked up every few seconds.\n"
    "A time is that of the last run with this network, method and parameters on this computer."
)


class RunBar(QWidget):
    """Always visible below the scrolled groups."""

    compute_requested = Signal()
    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.button = QPushButton("Compute")
        self.button.setMinimumHeight(30)
        self.button.setStyleSheet(_BUTTON)
        self.button.setAccessibleName("Compute or cancel")
        self.live = QCheckBox("Follow")
        self.live.setAccessibleName("Follow changes")
        self.live.setChecked(True)
        explain(
            self.live,
            "Compute as soon as class, method or a parameter changes.\n"
            "The network's pass over the volume is kept, so this is quick.\n"
            "Methods of many passes wait for the button.",
        )
        self.bar = QProgressBar()
        self.bar.setRange(0, _SCALE)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(4)
        self.stage, self.standing = note(), note()
        self.result, self.warning = Answer(), words()
        self.device = note()
        self.device.setAccessibleName("Device")
        explain(self.device, DEVICE_TIP)
        self._lay_out()
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE_MS)
        self._patience.timeout.connect(self._look_busy)
        self._words = ""
        self._busy = False
        self._offer = "Compute"
        self._reason = ""
        self.show_reason("Choose a checkpoint and a volume first.")
        self.show_result("")
        self.button.clicked.connect(self._on_clicked)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(8)
        top.addWidget(self.button, 1)
        top.addWidget(self.live)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 6, 12, 10)
        layout.setSpacing(6)
        layout.addLayout(top)
        below = (self.stage, self.standing, self.result, self.warning, self.device)
        for widget in (self.bar, *below):
            layout.addWidget(widget)
        self.bar.hide()

    def show_busy(self, busy: bool) -> None:
        """Turn "Compute" into "Cancel", when it takes a while, and back."""
        self.show_progress(0.0, "")
        if busy:
            self._patience.start()
        else:
            self._patience.stop()
            self._look_busy(False)

    def show_reason(self, reason: str) -> None:
        """Say why nothing can be computed yet; empty: it can."""
        self._reason = reason
        self._adapt()

    def show_offer(self, costly: bool) -> None:
        """Say on the button that the chosen method runs the network many times."""
        self._offer = "Compute (many passes)" if costly else "Compute"
        if not self._busy:
            self.button.setText(self._offer)

    def show_standing(self, text: str) -> None:
        """Say that the map on show answers another question than the form asks."""
        set_note(self.standing, text)

    def show_progress(self, fraction: float, stage: str) -> None:
        """Show how far the work is, and what is being done."""
        self.bar.setValue(round(_SCALE * min(max(fraction, 0.0), 1.0)))
        self._words = f"{stage} …" if stage and not stage.endswith("…") else stage
        if self._busy:
            set_note(self.stage, self._words)

    def _look_busy(self, busy: bool = True) -> None:
        self._busy = busy
        self.button.setText("Cancel" if busy else self._offer)
        self.bar.setVisible(busy)
        set_note(self.stage, self._words)
        self._adapt()

    def show_result(self, text: str, warning: str = "", failed: bool = False) -> None:
        """Show the answer, and a plain sentence when the map must not be trusted."""
        self.result.show_text(text)
        self.warning.setText(warning)
        self.warning.setStyleSheet(f"color: {_RED if failed else _AMBER}; padding: 0px;")
        self.warning.setVisible(bool(warning))

    def show_device(self, state: str, duration: str = "") -> None:
        """Show where it is computed, and how long the question at hand took last time."""
        set_note(self.device, " · ".join(filter(None, (state, duration))))

    def _adapt(self) -> None:
        tip = "Stop at the next step." if self._busy else "Explain the chosen class (Ctrl+Return)."
        explain(self.button, tip)
        allow(self.button, "" if self._busy else self._reason)

    def _on_clicked(self) -> None:
        (self.cancel_requested if self._busy else self.compute_requested).emit()
