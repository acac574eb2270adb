"""The page of places: peaks with their slices, and regions of a made-up label image."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from g3dvit_napari.core.head import head_mask
from g3dvit_napari.core.types import Threshold, Volume
from g3dvit_napari.io.nifti import read_volume, write_volume
from g3dvit_napari.io.samples import sample_path
from g3dvit_napari.plugin.places.desk import PlacesDesk
from g3dvit_napari.plugin.places.places_box import PlacesBox
from pictures.stage import Picture, open_window, photograph, wait

NAMES = ("places_peaks", "places_regions")
METHOD, SHOWN = "grad_cam", Threshold("value", 0.3, "voxels")
_LOBES = ("frontal", "central", "posterior")


def make() -> dict[str, Picture]:
    """Return the pictures by name."""
    viewer, widget = open_window(method=METHOD)
    widget.form.threshold.choose(SHOWN)
    widget.controller.settle(SHOWN)
    widget.form.turn_to("Places")
    (desk,) = (f for f in widget.features if isinstance(f, PlacesDesk))
    (box,) = widget.findChildren(PlacesBox)
    wait(lambda: widget.controller.lanes.at_rest and box.peaks.rows)
    click_row(box.peaks, 1)
    hover(viewer)
    pictures = {"places_peaks": photograph(viewer)}
    with tempfile.TemporaryDirectory() as folder:
        desk.read_atlas(str(write_regions(Path(folder))))
        wait(lambda: widget.controller.lanes.at_rest and box.regions.rows)
    box.regions.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    click_row(box.regions, 0)
    hover(viewer)
    pictures["places_regions"] = photograph(viewer)
    viewer.close()
    return pictures


def click_row(table: Any, row: int) -> None:
    """Click a row of a table as a user does."""
    place = table.visualRect(table.model().index(row, 1)).center()
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)


def hover(viewer: Any) -> None:
    """Bring the mouse to where the slices are."""
    widgets = QApplication.allWidgets()
    canvas = next(w for w in widgets if "CanvasBackend" in type(w).__name__ and w.isVisible())
    wait(lambda: False, 0.3)
    camera, (_, y, x) = viewer.scene.camera, viewer.dims.point
    right = canvas.width() / 2 + (x - camera.center[2]) * camera.zoom
    down = canvas.height() / 2 - (y - camera.center[1]) * camera.zoom
    QTest.mouseMove(canvas, QPoint(5, 5))
    wait(lambda: False, 0.1)
    QTest.mouseMove(canvas, QPoint(round(right), round(down)))


def write_regions(folder: Path) -> Path:
    """Write boxes of both sides of the sample's head as a BIDS label image with its names."""
    volume = read_volume(sample_path("brain.nii.gz"))
    labels, names = regions_of(volume)
    path = folder / "desc-boxes_dseg.nii.gz"
    write_volume(volume.like(labels.astype(np.float32)), path)
    lines = ["index\tname", *(f"{number}\t{name}" for number, name in names.items())]
    (folder / "desc-boxes_dseg.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def regions_of(volume: Volume) -> tuple[Any, dict[int, str]]:
    """Return labels (x y z) of boxes inside the head, and their names."""
    inside = head_mask(volume.data)
    voxels = np.argwhere(inside)
    middle = -volume.affine[0, 3] / volume.affine[0, 0]
    low, high = voxels.min(axis=0), voxels.max(axis=0) + 1
    x, y, z = np.indices(volume.shape)
    third = np.clip(3 * (high[1] - y - 1) // (high[1] - low[1]), 0, 2)
    upper = (z >= (low[2] + high[2]) / 2).astype(int)
    side = (x > middle).astype(int)
    labels = np.where(inside, 1 + side + 2 * upper + 4 * third, 0)
    names = {
        1 + s + 2 * u + 4 * t: f"{'LR'[s]} {_LOBES[t]} {('lower', 'upper')[u]}"
        for s in range(2)
        for u in range(2)
        for t in range(3)
    }
    return labels, names
