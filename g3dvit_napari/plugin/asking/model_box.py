"""The form's first group: which checkpoint, read by which rules, on which device."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog, QWidget

from g3dvit_napari.core.spec import preset_names
from g3dvit_napari.plugin.asking.summary import Summary, in_one_line
from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.fold import Fold
from g3dvit_napari.plugin.controls.section import (
    Section,
    browse_button,
    note,
    side_by_side,
)

CHECKPOINT_ENDINGS = (".pt", ".pth", ".ckpt", ".safetensors")
_FILTER = "Checkpoints (*.pt *.pth *.ckpt *.safetensors);;All files (*)"
_BESIDE = ""  # the spec: whatever lies next to the checkpoint
_BROWSE = "\0browse"
_RECENT = 8


class ModelBox(Section):
    """Choose a checkpoint; see what is in it."""

    model_requested = Signal(str, str, str)  # path, spec ("": next to the file), device

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Network", parent)
        self.files = Choice()
        self.files.offer({"": "Open a file …"})
        self.browse = browse_button("Open a checkpoint")
        self.add_row(
            "&Checkpoint",
            side_by_side(self.files, self.browse),
            "The weights of a 3D Vision Transformer (.pt, .pth, .ckpt, .safetensors).\n"
            "Open one, choose a recent one, or drop a file anywhere on this form.",
        )
        self.specs = Choice()
        self.add_row(
            "&Input rules",
            self.specs,
            "How a volume is brought into the network: orientation, crop, intensity, tensor axes.\n"
            "From the YAML file next to the checkpoint, a preset, or another YAML file.",
        )
        self._offer_specs()
        self.devices = Choice()
        self.devices.offer({"auto": "Automatic", "cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "MPS"})
        self.devices.forbid("mps", "" if sys.platform == "darwin" else "Only on Apple computers.")
        self.add_row(
            "&Device",
            self.devices,
            "Where the network runs. Automatic takes a CUDA GPU when there is one.",
        )
        self.fold = Fold("More of the network", "What it is, how it is fed, where it runs.")
        self.add_wide(self.fold)
        self.summary = Summary()
        self.add_wide(self.summary)
        self.remark = note()
        self.add_wide(self.remark)
        self._unfold()
        self.fold.toggled.connect(self._unfold)
        self.folder = ""
        self._spec_now: str = _BESIDE
        self.browse.clicked.connect(self._on_browse)
        self.files.activated.connect(self._on_file_chosen)
        self.specs.activated.connect(self._on_spec_chosen)
        self.devices.activated.connect(self._request)

    @property
    def path(self) -> str:
        """The chosen checkpoint, or nothing."""
        return str(self.files.value() or "")

    @property
    def recent(self) -> list[str]:
        """The checkpoints in the list, the latest first."""
        return [path for path in self.files.values() if path]

    def offer_recent(self, paths: list[str]) -> None:
        """List checkpoints of earlier sessions that still exist, without choosing one."""
        self._offer_files([path for path in paths if Path(path).is_file()], "")

    def ask_for(self, path: str, spec: str | None = None) -> None:
        """Choose a checkpoint (and a spec) as if the user had done so."""
        if spec is not None:
            self._choose_spec(spec)
        self._offer_files([path, *(known for known in self.recent if known != path)], path)
        self.folder = str(Path(path).parent)
        self._request()

    def show_summary(self, rows: Mapping[str, str], remark: str = "") -> None:
        """Show what the network is, in one line unless unfolded; no rows: no network."""
        self.summary.show_rows(rows)
        self.remark.setText(remark)
        self.fold.show_line(in_one_line(rows))
        self._unfold()

    def _unfold(self, *_: object) -> None:
        """While there is no network, how one is read must be in sight."""
        known = self.summary.known
        unfolded = self.fold.isChecked() or not known
        self.fold.setVisible(known)
        self.show_row(self.specs, unfolded)
        self.show_row(self.devices, unfolded)
        self.summary.setVisible(known and unfolded)
        self.remark.setVisible(bool(self.remark.text()) and unfolded)

    def _offer_files(self, paths: list[str], chosen: str) -> None:
        names = {path: Path(path).name for path in paths[:_RECENT]}
        self.files.offer({"": "Open a file …"} | names, chosen)
        for index in range(1, self.files.count()):
            path = self.files.itemData(index)
            self.files.setItemData(index, path, Qt.ItemDataRole.ToolTipRole)

    def _offer_specs(self, chosen: str = _BESIDE) -> None:
        options = {_BESIDE: "File next to it"} | {name: name for name in preset_names()}
        if chosen not in options:
            options[chosen] = Path(chosen).name
        self.specs.offer(options | {_BROWSE: "YAML file …"}, chosen)

    def _choose_spec(self, spec: str) -> None:
        self._spec_now = spec
        self._offer_specs(spec)

    def _on_browse(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open a checkpoint", self.folder, _FILTER)
        if path:
            self.ask_for(path)

    def _on_file_chosen(self, _index: int) -> None:
        if self.path:
            self.ask_for(self.path)

    def _on_spec_chosen(self, _index: int) -> None:
        spec = str(self.specs.value())
        if spec == _BROWSE:
            spec, _ = QFileDialog.getOpenFileName(
                self, "Open a model spec", self.folder, "Model specs (*.yaml *.yml)"
            )
            spec = spec or self._spec_now
        self._choose_spec(spec)
        self._request()

    def _request(self, *_: object) -> None:
        if self.path:
            self.model_requested.emit(self.path, self._spec_now, str(self.devices.value()))
