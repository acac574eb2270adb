"""A mask to choose: a Labels layer of the viewer, or a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from g3dvit_napari.plugin.asking.volume_box import VOLUME_ENDINGS
from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.section import browse_button


class MaskChoice(QWidget):
    """A drop-down list of layers and files, and a button for further files."""

    changed = Signal()

    def __init__(self, what: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._what, self._files = what, dict[str, str]()  # path: name
        self._layers: Mapping[str, str] = {}
        self.folder = ""
        self.choice, self.browse = Choice(), browse_button(f"Choose a file with {what}")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.choice, 1)
        layout.addWidget(self.browse)
        self.setFocusProxy(self.choice)
        self.choice.activated.connect(self._on_chosen)
        self.browse.clicked.connect(self._on_browse)
        self.offer_layers({})

    @property
    def key(self) -> str:
        """The id of a layer, or a path; empty: no mask."""
        return str(self.choice.value() or "")

    def offer_layers(self, layers: Mapping[str, str]) -> None:
        """Offer layers by key and name beside the files; what is chosen stays while it is there."""
        before, self._layers = self.key, layers
        self.choice.offer({"": "none", **layers, **self._files}, before)
        if self.key != before:
            self.changed.emit()

    def choose_file(self, path: str) -> None:
        """Choose a file."""
        self._files[path] = Path(path).name
        self.folder = str(Path(path).parent)
        self.choice.offer({"": "none", **self._layers, **self._files}, path)
        self.changed.emit()

    def forget(self) -> None:
        """Choose nothing, and offer nothing."""
        self._files = {}
        self.offer_layers({})

    def _on_chosen(self, *_: object) -> None:
        self.changed.emit()

    def _on_browse(self) -> None:
        endings = " ".join(f"*{ending}" for ending in VOLUME_ENDINGS)
        path, _ = QFileDialog.getOpenFileName(
            self, f"Choose {self._what}", self.folder, f"Masks ({endings})"
        )
        if path:
            self.choose_file(path)
