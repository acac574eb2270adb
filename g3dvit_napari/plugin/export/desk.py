"""What stands behind the controls of export: pictures taken here, files written outside."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from napari.utils.notifications import show_info
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog

from g3dvit_napari.core.errors import ExportError
from g3dvit_napari.core.types import Explanation
from g3dvit_napari.io.sidecar import provenance_text
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.controls.section import allow
from g3dvit_napari.plugin.export import files
from g3dvit_napari.plugin.export.export_box import FLAT, ExportBox
from g3dvit_napari.plugin.export.roll import Roll
from g3dvit_napari.plugin.export.stills import photograph, screen_size
from g3dvit_napari.plugin.lane import Report
from g3dvit_napari.plugin.remembered import keep
from g3dvit_napari.plugin.settings import Settings

SOFTWARE = "g3dvit-napari"
BUSY = "One is being saved."


class ExportDesk(QObject):
    """Saves the canvas as a picture, and one turn of it as a movie."""

    saved = Signal(object)  # Path

    def __init__(self, viewer: Any, controller: Controller, box: ExportBox) -> None:
        super().__init__()
        self._viewer, self._controller, self._box = viewer, controller, box
        self.folder = ""
        self._settings: Settings | None = None
        self._roll: Roll | None = None
        self._lane = controller.lanes.add("saving the picture", self._on_written)
        self._lane.busy_changed.connect(self._on_busy_changed)
        box.movies.forbid("mp4", files.why_no_mp4())
        box.picture_requested.connect(self._on_picture_requested)
        box.movie_requested.connect(self._on_movie_requested)

    def attach(self) -> None:
        """Follow the size of the canvas and what it shows."""
        self._viewer.canvas.events.size.connect(self._on_canvas_changed)
        self._viewer.dims.events.ndisplay.connect(self._on_canvas_changed)
        self._on_canvas_changed()

    def detach(self) -> None:
        """Stop what is on its way, and following."""
        self._stop()
        self._viewer.canvas.events.size.disconnect(self._on_canvas_changed)
        self._viewer.dims.events.ndisplay.disconnect(self._on_canvas_changed)

    def recall(self, settings: Settings) -> None:
        """Set the controls as they were left, and remember them from now on."""
        box, self._settings = self._box, settings
        box.choose_size(settings.read("export", "size"))
        keep(settings, "export", {"background": box.backgrounds, "movie": box.movies})
        keep(settings, "export", {"seconds": box.seconds, "frames": box.frames})
        keep(settings, "export", {"movie_width": box.movie_px})
        if files.why_no_mp4():
            box.movies.choose("gif")
        self.folder = settings.read("files", "picture_folder")
        box.size_changed.connect(self._on_size_changed)

    def save_picture(self, path: Path) -> None:
        """Write the canvas as a PNG of the size that the form says."""
        try:
            pixels = photograph(self._viewer, *self._box.size_px, self._box.backgrounds.value())
        except ExportError as error:
            self._controller.lanes.failed.emit(str(error))
            return
        words = words_of(self._controller.explanation)
        self._lane.submit(partial(files.write_png, path, pixels, words))

    def save_turntable(self, path: Path) -> None:
        """Write one turn of the volume as a movie."""
        box = self._box
        size, background = box.movie_size_px, box.backgrounds.value()
        take = partial(photograph, self._viewer, *size, background)
        roll = self._roll = Roll(self._viewer, box.frames.value(), take, box)
        pause = box.seconds.value() / roll.count
        words = words_of(self._controller.explanation)["Description"]
        kind: files.Movie = "mp4" if path.suffix.lower() == ".mp4" else "gif"

        def write(report: Report) -> Path:
            frames: Iterator[Any] = roll.frames(report)
            return files.write_movie(path, kind, frames, pause, words)

        self._lane.submit(write)
        roll.start()

    def _on_picture_requested(self) -> None:
        path = self._ask("Save the picture", "png")
        if path is not None:
            self.save_picture(path)

    def _on_movie_requested(self) -> None:
        path = self._ask("Save the turntable", self._box.movies.value())
        if path is not None:
            self.save_turntable(path)

    def _ask(self, title: str, ending: str) -> Path | None:
        kinds = f"{ending.upper()} (*.{ending})"
        chosen, _ = QFileDialog.getSaveFileName(self._box, title, self.folder, kinds)
        if not chosen:
            return None
        path = Path(chosen)
        self.folder = str(path.parent)
        if self._settings is not None:
            self._settings.write("files", "picture_folder", self.folder)
        return path if path.suffix.lower() == f".{ending}" else Path(f"{path}.{ending}")

    def _stop(self) -> None:
        if self._roll is not None:
            self._roll.stop()
            self._roll.deleteLater()
        self._roll = None

    def _on_size_changed(self) -> None:
        if self._settings is not None:
            self._settings.write("export", "size", self._box.size)

    def _on_written(self, path: Path) -> None:
        show_info(f"Saved {path.name} in {path.parent}")
        self.saved.emit(path)

    def _on_busy_changed(self, busy: bool) -> None:
        if not busy:
            self._stop()
        allow(self._box.picture, BUSY if busy else "")
        self._on_canvas_changed()

    def _on_canvas_changed(self, event: object = None) -> None:
        del event
        if self._roll is None:  # each frame changes the size for a moment
            self._box.show_screen(screen_size(self._viewer))
        flat = FLAT if int(self._viewer.dims.ndisplay) != 3 else ""
        self._box.offer_movie(BUSY if self._lane.busy else flat)


def words_of(explanation: Explanation | None) -> dict[str, str]:
    """Return what a picture says about itself: in a sentence, and in full."""
    if explanation is None:
        return {"Software": SOFTWARE, "Description": "A view of a volume."}
    checkpoint = explanation.provenance.get("checkpoint") or {}
    threshold = explanation.request.threshold
    sentence = (
        f"{explanation.request.method} relevance of class {explanation.target_name!r}, network "
        f"{checkpoint.get('name', '?')} (SHA-256 {checkpoint.get('sha256', '?')}), threshold "
        f"{threshold.kind} {threshold.amount:g} on {threshold.stage}"
    )
    full = provenance_text(explanation)
    return {"Software": SOFTWARE, "Description": sentence, "Explanation": full}
