"""A folder of subjects in a real window: opened, run, gone through by keys, rated, found again."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from patience import rest
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QWidget

from g3dvit_napari.plugin.picture.layers import volume_of
from g3dvit_napari.plugin.settings import PLUGIN
from g3dvit_napari.plugin.subjects.columns import COLUMNS
from g3dvit_napari.plugin.widget import TITLE, open_form

pytestmark = pytest.mark.window
NAMES = [column.title for column in COLUMNS]
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def folder(tiny_files: Path) -> Path:
    """Three volumes, the second of other values and place, and one that is none."""
    scan, folder = nib.load(tiny_files / "scan.nii.gz"), tiny_files / "study"
    folder.mkdir()
    for number in (1, 2, 3):
        values = np.random.default_rng(number).integers(0, 900, scan.shape).astype(np.int16)
        affine = scan.affine.copy()
        affine[:3, 3] += 2.0 * (number == 2)
        nib.Nifti1Image(values, affine).to_filename(folder / f"sub-0{number}_T1w.nii.gz")
    (folder / "sub-04_T1w.nii.gz").write_bytes(b"<html>not found</html>")
    return folder


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 860)
    return viewer


def open_page(qtbot, window, folder: Path):
    widget = open_form(window)
    widget.form.turn_to("QA")
    with qtbot.waitSignal(widget.controller.model_changed, timeout=60_000):
        widget.load_checkpoint(str(folder.parent / "vit.pth"))
    page = widget.subjects.page
    with qtbot.waitSignal(widget.subjects.list_opened, timeout=10_000):
        page.open.menu().actions()[0].trigger()
    rest(qtbot, widget)
    return widget, page


def column(page, title: str) -> list[str]:
    rows = page.table.rows
    place = NAMES.index(title)
    return [rows.data(rows.index(row, place)) for row in range(rows.rowCount())]


def ratings(folder: Path) -> list[dict[str, str]]:
    with (folder / "g3dvit_ratings.tsv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def canvas_of(qtbot, widget) -> QWidget:
    """Return what napari draws on, in a window that has the keys."""
    main = widget.window()
    main.activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is main)
    return next(w for w in main.findChildren(QWidget) if type(w).__name__ == "CanvasBackendDesktop")


def press(qtbot, widget, target, key) -> None:
    """Press a key, and wait for what comes of it."""
    qtbot.keyClick(target, key)
    qtbot.waitUntil(lambda: not widget.subjects.visits.is_waiting)
    rest(qtbot, widget)


def names(window) -> list[str]:
    return [layer.name.split(" (")[0] for layer in window.layers]


def test_made_up_subjects_are_written_and_listed(qtbot, window, folder, monkeypatch) -> None:
    place = folder.parent / "made up"
    monkeypatch.setattr(
        "qtpy.QtWidgets.QFileDialog.getExistingDirectory", lambda *_, **__: str(place)
    )
    page = open_form(window).subjects.page
    (action,) = (one for one in page.open.menu().actions() if "Made-up" in one.text())
    action.trigger()
    qtbot.waitUntil(lambda: len(column(page, "Subject")) == 9, timeout=30_000)
    assert column(page, "Subject")[::8] == ["sub-01", "sub-09"]
    assert (place / "subjects.tsv").is_file()


def test_a_folder_from_list_to_ratings(qtbot, window, folder, screenshots, monkeypatch) -> None:
    monkeypatch.setattr(
        "qtpy.QtWidgets.QFileDialog.getExistingDirectory", lambda *_, **__: str(folder)
    )
    own = window.add_image(np.ones((21, 22, 23)), name="mine", units=("mm",) * 3)
    widget, page = open_page(qtbot, window, folder)
    assert column(page, "Subject") == ["sub-01", "sub-02", "sub-03", "sub-04"]
    with qtbot.waitSignal(widget.subjects.run_ended, timeout=60_000):
        qtbot.mouseClick(page.run_all, LEFT)
    rest(qtbot, widget)
    assert column(page, "Map") == ["ok", "ok", "ok", "failed"]
    assert names(window) == ["mine"]  # a run shows nothing
    hint = page.table.rows.index(3, NAMES.index("Map"))
    assert "web page" in page.table.rows.data(hint, Qt.ItemDataRole.ToolTipRole)

    canvas = canvas_of(qtbot, widget)
    press(qtbot, widget, canvas, Qt.Key.Key_PageDown)
    map_name = f"{widget.controller.explanation.target_name} | G3D-ViT"
    assert names(window) == ["mine", "sub-01_T1w", map_name]
    window.dims.set_point((0, 1, 2), (2.0, -3.0, 4.0))
    point = window.dims.point
    press(qtbot, widget, canvas, Qt.Key.Key_1)  # rated, and on to the next
    assert names(window) == ["mine", "sub-02_T1w", map_name]
    assert np.allclose(window.dims.point, point, atol=2.0)  # the nearest slice of the next
    kept = widget.subjects.ledger.map_of("sub-02_T1w.nii.gz")
    assert np.array_equal(
        kept.over(volume_of(window.layers[1])).relevance.data,
        widget.controller.explanation.relevance.data,
        equal_nan=True,
    )

    qtbot.mouseClick(page.rating.note, LEFT)
    qtbot.keyClicks(page.rating.note, "2 spots")  # a digit in a note is no rating
    press(qtbot, widget, page.rating.note, Qt.Key.Key_Return)
    assert [row["rating"] for row in ratings(folder)] == ["pass", "n/a"]
    qtbot.mouseClick(page.rating.buttons["fail"], LEFT)
    press(qtbot, widget, canvas, Qt.Key.Key_PageDown)
    assert names(window) == ["mine"]  # sub-04 cannot be shown
    assert "web page" in page.state.text()
    window.screenshot(str(screenshots / "unreadable.png"), canvas_only=False, flash=False)

    first, second = ratings(folder)
    assert (first["path"], first["rating"]) == ("sub-01_T1w.nii.gz", "pass")
    assert (second["rating"], second["note"]) == ("fail", "2 spots")
    assert first["method"] == "g3dvit"
    assert first["status"] == "ok"
    assert first["predicted"] == column(page, "Prediction")[0].rsplit(" ", 2)[0]
    assert window.layers[0] is own
    assert own.data.sum() == own.data.size

    dock, _ = window.window.add_plugin_dock_widget(PLUGIN, TITLE)
    window.window.remove_dock_widget(dock)
    again, page = open_page(qtbot, window, folder)  # as at the next start
    assert column(page, "●") == ["P", "F", "", ""]
    assert column(page, "Note")[1] == "2 spots"
    assert "2 rated" in page.about.text()
    del again


def test_the_page_fits_into_a_narrow_dock(qtbot, window) -> None:
    widget = open_form(window)
    widget.form.turn_to("QA")
    dock, _ = window.window.add_plugin_dock_widget(PLUGIN, TITLE)
    dock.resize(280, 700)
    qtbot.wait(20)
    page = widget.subjects.page
    assert page.widget().minimumSizeHint().width() <= 280
    assert widget.form.minimumSizeHint().width() <= 280


@pytest.fixture
def bids(folder: Path) -> Path:
    """The first two volumes of the folder as a BIDS dataset, with a derivative that is no input."""
    root = folder.parent / "dataset"
    for number in (1, 2):
        name = f"sub-0{number}_T1w.nii.gz"
        for place in (root, root / "derivatives" / "other"):
            (place / f"sub-0{number}" / "anat").mkdir(parents=True)
            (place / f"sub-0{number}" / "anat" / name).write_bytes((folder / name).read_bytes())
    about = {"Name": "two", "BIDSVersion": "1.9.0"}
    (root / "dataset_description.json").write_text(json.dumps(about), encoding="utf-8")
    return root


def choose_in_menu(qtbot, button, number: int) -> None:
    """Click a button, and then an entry of the menu that it opens."""
    menu = button.menu()

    def click() -> None:
        place = menu.actionGeometry(menu.actions()[number]).center()
        qtbot.mouseClick(menu, LEFT, pos=place)

    QTimer.singleShot(300, click)
    qtbot.mouseClick(button, LEFT)  # returns when the menu has closed


def drop(target: QWidget, path: Path) -> tuple[bool, bool]:
    """Drag a file over a widget and let it go; return whether each was accepted."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    where, copy = target.rect().center(), Qt.DropAction.CopyAction
    none = Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(where), copy, mime, LEFT, none)
    QApplication.sendEvent(target, enter)
    dropped = QDropEvent(QPointF(where), copy, mime, LEFT, none)
    QApplication.sendEvent(target, dropped)
    return enter.isAccepted(), dropped.isAccepted()


def test_a_dataset_is_opened_from_the_menu_and_by_a_drop(
    qtbot, window, bids, monkeypatch, screenshots
) -> None:
    monkeypatch.setattr(
        "qtpy.QtWidgets.QFileDialog.getExistingDirectory", lambda *_, **__: str(bids)
    )
    widget = open_form(window)
    with qtbot.waitSignal(widget.controller.model_changed, timeout=60_000):
        widget.load_checkpoint(str(bids.parent / "vit.pth"))
    widget.form.turn_to("QA")
    page = widget.subjects.page
    with qtbot.waitSignal(widget.subjects.list_opened, timeout=10_000):
        choose_in_menu(qtbot, page.open, 1)
    assert widget.subjects.ledger.listed.kind == "bids"
    assert column(page, "Subject") == ["sub-01", "sub-02"]
    with qtbot.waitSignal(widget.subjects.run_ended, timeout=60_000):
        qtbot.mouseClick(page.run_all, LEFT)
    rest(qtbot, widget)
    predictions = column(page, "Prediction")
    press(qtbot, widget, canvas_of(qtbot, widget), Qt.Key.Key_PageDown)
    press(qtbot, widget, canvas_of(qtbot, widget), Qt.Key.Key_2)
    saved = bids / "derivatives" / "g3dvit-qa" / "ratings.tsv"
    assert "unsure" in saved.read_text(encoding="utf-8")

    widget.form.turn_to("Explain")
    with qtbot.waitSignal(widget.subjects.list_opened, timeout=10_000):
        assert drop(widget.form, bids) == (True, True)
    rest(qtbot, widget)
    assert page.isVisible()  # a drop turns to the list
    assert widget.subjects.ledger.listed.kind == "bids"
    # what was rated is known again at once, by the same checkpoint
    assert column(page, "Prediction") == [f"{predictions[0]} (file)", "–"]
    assert widget.subjects.ledger.outcomes == {}
    qtbot.wait(100)
    window.window._qt_window.grab().save(str(screenshots / "qa_from_file.png"))

    other = torch.load(bids.parent / "vit.pth", weights_only=True)
    other = {name: values + 0.01 * (values.ndim == 1) for name, values in other.items()}
    torch.save(other, bids.parent / "other.pth")
    (bids.parent / "other.spec.yaml").write_bytes((bids.parent / "vit.spec.yaml").read_bytes())
    with qtbot.waitSignals([widget.controller.model_changed], timeout=60_000):
        assert drop(widget.form, bids.parent / "other.pth") == (True, True)
    rest(qtbot, widget)
    assert column(page, "Prediction") == ["–", "–"]
