"""The form's second group: which volume, and which frame of a series."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.section import (
    Section,
    allow,
    browse_button,
    note,
    set_note,
    side_by_side,
)

VOLUME_ENDINGS = (".nii", ".nii.gz", ".mgh", ".mgz")
_FILTER = "Volumes (*.nii *.nii.gz *.mgh *.mgz);;All files (*)"
_NOTHING, _NONE_CHOSEN = "None yet", "None"


class VolumeBox(Section):
    """Choose an image layer or open a file."""

    volume_changed = Signal()
    file_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Volume", parent)
        self.layers = Choice()
        self.browse = browse_button("Open a volume")
        self.add_row(
            "&Layer",
            side_by_side(self.layers, self.browse),
            "The volume to explain: any image layer of the viewer, or a file\n"
            "(.nii, .nii.gz, .mgh, .mgz). Files can also be dropped on this form.",
        )
        self.frames = Choice()
        self.frames.offer({"mean": "Mean of all frames", "current": "Frame now shown"})
        self.add_row(
            "&Frame",
            self.frames,
            "What the network sees of a 4-D series: the mean over time,\n"
            "or the frame that the viewer's time slider shows when you compute.",
        )
        self.remark = note()
        self.add_wide(self.remark)
        self.folder = ""
        self._names: dict[str, str] = {}
        self._emptied = False  # by `choose_none`, and nothing was chosen since
        self.offer_layers({}, None)
        self.show_series(0)
        self.layers.currentIndexChanged.connect(self._on_changed)
        self.frames.currentIndexChanged.connect(self._on_changed)
        self.browse.clicked.connect(self._on_browse)

    @property
    def layer(self) -> str | None:
        """The key of the chosen layer."""
        return self.layers.value()

    @property
    def frame(self) -> str:
        """What is taken of a series: "mean" or "current"."""
        return str(self.frames.value())

    def offer_layers(self, names: dict[str, str], chosen: str | None) -> None:
        """List the image layers by key and name."""
        before, self._names = self.layer, names
        self._emptied = self._emptied and bool(names) and before is None and chosen not in names
        options: dict[str | None, str] = {}
        if self._emptied or not names:
            options[None] = _NONE_CHOSEN if names else _NOTHING
        self.layers.offer(options | dict(names), chosen if chosen in names else before)
        allow(self.layers, "" if names else "Open a volume first: a file or any image layer.")
        if self.layer != before:
            self.volume_changed.emit()

    def choose_none(self) -> None:
        """Choose no layer, whatever layers come and go, until one is chosen."""
        blocked = self.layers.blockSignals(True)
        was_one = self.layer is not None
        self.layers.setCurrentIndex(-1)
        self.layers.blockSignals(blocked)
        self._emptied = True
        self.offer_layers(self._names, None)
        if was_one:
            self.volume_changed.emit()

    def choose_frame(self, frame: str) -> None:
        """Show what is taken of a series, without telling anyone."""
        blocked = self.frames.blockSignals(True)
        self.frames.choose(frame)
        self.frames.blockSignals(blocked)

    def show_series(self, frames: int) -> None:
        """Offer the frames of a series; 0 frames: the volume is 3-D."""
        allow(self.frames, "" if frames else "This volume is 3-D: it has a single frame.")
        self.show_row(self.frames, frames > 0)

    def show_remark(self, text: str) -> None:
        """Show what the file's header leaves in doubt."""
        set_note(self.remark, text)

    def _on_browse(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a volume", self.folder, _FILTER)
        if path:
            self.folder = str(Path(path).parent)
            self.file_requested.emit(path)

    def _on_changed(self, _index: int) -> None:
        self.volume_changed.emit()
