"""The views of one map: planes, slab, volume, cut-away; and the page they are chosen on."""

from __future__ import annotations

import numpy as np

from pictures.stage import Picture, beside, click, open_window, photograph

NAMES = ("looks", "look_page")
SHOTS = ("axial", "coronal", "sagittal"), ("slab", "volume", "cut_away")


def make() -> dict[str, Picture]:
    """Return the pictures by name."""
    viewer, widget = open_window()
    box = widget.form.looks
    widget.form.turn_to("Look")
    rows = []
    for names in SHOTS:
        shots = []
        for name in names:
            switch = box.planes if name in SHOTS[0] else box.views
            if name == "slab":
                click(box.planes.button("axial"))
            click(switch.button(name))
            shots.append(photograph(viewer, canvas_only=True))
        rows.append(beside(shots))
    width = min(row.shape[1] for row in rows)
    pictures = {"looks": np.vstack([row[:, :width] for row in rows])}
    pictures["look_page"] = photograph(viewer)
    viewer.close()
    return pictures
