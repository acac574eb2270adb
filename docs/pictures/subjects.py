"""The page "QA": a list of made-up subjects, gone through and rated."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import nibabel as nib
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget

from pictures.stage import Picture, click, open_window, photograph, wait

sys.path.insert(0, str(Path(__file__).parents[2]))
from sample_data import brain

NAMES = ("qa_list",)
WIDTH = 770
COUNT, DAMAGED = 9, 4  # subjects; of these, the number of the one whose file is none
RATED = ("pass", "pass", "unsure", "pass")
REMARK = "lesion larger than the map; look again"


def make() -> dict[str, Picture]:
    """Return the pictures by name."""
    viewer, widget = open_window()
    viewer.layers.clear()
    widget.form.turn_to("QA")
    make_room(widget)
    with tempfile.TemporaryDirectory() as folder:
        widget.subjects.open_list(str(write_study(Path(folder))))
        wait(lambda: widget.subjects.ledger.subjects)
        go_through(widget)
        widget.controller.jump_to_peak()
        picture = photograph(viewer)
        viewer.close()
    return {"qa_list": picture}


def make_room(widget: Any) -> None:
    """Give the form the width of its table, and the canvas what napari's own lists take."""
    dock = widget
    while not isinstance(dock, QDockWidget):
        dock = dock.parentWidget()
    window = dock.parentWidget()
    for other in window.findChildren(QDockWidget):
        if other is not dock:
            other.hide()
    wait(lambda: False, 0.2)
    window.resizeDocks([dock], [WIDTH], Qt.Orientation.Horizontal)


def go_through(widget: Any) -> None:
    """Run the list, rate the first subjects, and go back to the one in doubt."""
    page = widget.subjects.page
    click(page.run_all)
    wait(lambda: len(widget.subjects.ledger.outcomes) == COUNT)
    settle(widget)
    page.rating.go_on.setChecked(True)
    click(page.next)
    for rating in RATED:
        settle(widget)
        if rating == "unsure":
            page.rating.note.setText(REMARK)
        click(page.rating.buttons[rating])
    doubtful = RATED.index("unsure")
    for _ in range(len(RATED) - doubtful):
        settle(widget)
        click(page.previous)
    settle(widget)


def settle(widget: Any) -> None:
    """Wait until the subject that was gone to is on show."""
    wait(lambda: False, 0.3)
    wait(lambda: widget.controller.lanes.at_rest)


def write_study(folder: Path) -> Path:
    """Write subjects and a table of them with the true classes; return the table."""
    draws, lines = brain.Brain(), ["participant_id\tpath\tlabel"]
    for number in range(COUNT):
        label = 1 + number % 2
        name = f"sub-{number + 1:02d}_T1w.nii.gz"
        if number != DAMAGED:
            data = draws.draw("held out", number, label).data
            nib.Nifti1Image(data, brain.AFFINE).to_filename(folder / name)
        else:
            (folder / name).write_bytes(b"<html>404 not found</html>")
        lines.append(f"sub-{number + 1:02d}\t{name}\t{brain.CLASSES[label]}")
    table = folder / "held_out.tsv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table
