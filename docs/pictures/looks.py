"""The views of one map: planes, slab, volume, cut-away; and the page they are chosen on."""

from __future__ import annotations

import numpy as np

from g3dvit_napari.plugin.export.stills import photograph as photograph_canvas
from g3dvit_napari.plugin.picture.marks_box import OFF_AT_FIRST
from g3dvit_napari.plugin.picture.turntable import turn_camera
from g3dvit_napari.plugin.widget import ExplainWidget
from pictures.stage import Picture, click, open_window, photograph, wait

NAMES = ("looks", "crosshair", "look_page", "turntable")
SHOTS = ("axial", "coronal", "sagittal"), ("slab", "volume", "cut_away")
SHOT = (450, 440)
FRAMES, FRAME, CLOSER = 30, (360, 330), 1.3


def make() -> dict[str, Picture]:
    """Return the pictures by name."""
    return {
        "looks": looks(),
        "crosshair": crosshair(),
        "look_page": look_page(),
        "turntable": turntable(),
    }


def looks() -> Picture:
    """Return six views of one map."""
    viewer, widget = open_window(size=(1120, 600))
    box = widget.form.looks
    as_new(widget)
    widget.controller.set_display("caption", False)  # six times the same words
    rows = []
    for names in SHOTS:
        shots = []
        for name in names:
            if name == "slab":
                click(box.planes.button("axial"))
            click((box.planes if name in SHOTS[0] else box.views).button(name))
            wait(lambda: False, 0.5)
            shots.append(photograph_canvas(viewer, *SHOT))
        rows.append(np.hstack(shots))
    viewer.close()
    return np.vstack(rows)


def crosshair() -> Picture:
    """Return the three planes with crosshair, contour, and a ring around the peak."""
    viewer, widget = open_window(size=(1120, 600))
    as_new(widget)
    widget.controller.set_display("caption", False)
    click(widget.form.view.peak)
    widget.form.marks.marks["crosshair"].setChecked(True)
    shots = []
    for name in SHOTS[0]:
        click(widget.form.looks.planes.button(name))
        wait(lambda: False, 0.5)
        shots.append(photograph_canvas(viewer, *SHOT))
    as_new(widget)
    viewer.close()
    return np.hstack(shots)


def look_page() -> Picture:
    """Return the window with the page Look and the cut-away."""
    viewer, widget = open_window()
    as_new(widget)
    widget.form.turn_to("Look")
    click(widget.form.looks.views.button("cut_away"))
    picture = photograph(viewer)
    viewer.close()
    return picture


def turntable() -> Picture:
    """Return the frames (n h w c) of one turn of the cut-away."""
    viewer, widget = open_window(size=(1120, 900))
    as_new(widget)
    widget.controller.set_display("caption", False)
    click(widget.form.looks.views.button("cut_away"))
    viewer.scene.camera.zoom *= CLOSER
    frames = []
    for _ in range(FRAMES):
        wait(lambda: False, 0.1)
        frames.append(photograph_canvas(viewer, *FRAME)[..., :3])
        turn_camera(viewer.scene.camera, 360 / FRAMES)
    viewer.close()
    return np.stack(frames)


def as_new(widget: ExplainWidget) -> None:
    """Forget how the last user liked to look."""
    click(widget.form.view.switches["edge"].button("hard"))
    for name, mark in widget.form.marks.marks.items():
        mark.setChecked(name not in OFF_AT_FIRST)
