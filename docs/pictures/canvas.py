"""The canvas alone: planes, volume, resolutions, conventions."""

from __future__ import annotations

from typing import Any, get_args

import napari
import numpy as np

from g3dvit_napari import api
from g3dvit_napari.core.types import Explanation, Threshold
from g3dvit_napari.io.samples import sample_path
from g3dvit_napari.plugin.picture.layers import to_layer_data
from g3dvit_napari.plugin.picture.map_layers import ROLES
from g3dvit_napari.plugin.picture.orientation import Convention
from g3dvit_napari.plugin.picture.overlay import Overlay
from g3dvit_napari.plugin.picture.sides import Sides
from pictures.stage import METHOD, THRESHOLD, Picture, beside
from pictures.stage import photograph as photograph_window

METHODS = (METHOD, "libra_grad")
NAMES = (
    *(f"{m}_{kind}" for m in METHODS for kind in ("planes", "volume", "smooth_and_patches")),
    "conventions",
    "cut_on_patches",
)
CANVAS = (900, 800)
CUT = Threshold("value", 0.3, "patches")  # where smooth and saved are plainly two pictures
PLANES = {"axial": (0, 1, 2), "coronal": (1, 0, 2), "sagittal": (2, 0, 1)}


def make() -> dict[str, Picture]:
    """Return the pictures by name."""
    volume = api.load_volume(sample_path("brain.nii.gz"))
    model = api.load_model(sample_path("brain_vit.pth"))
    maps = {
        method: api.explain(
            volume, model, method, threshold=THRESHOLD if method == METHOD else None
        )
        for method in METHODS
    }
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*CANVAS)
    data, keywords = to_layer_data(volume)
    overlay, sides = Overlay(viewer, viewer.add_image(data, **keywords)), Sides(viewer)
    sides.turn("neurological")
    sides.write()
    pictures = {}
    for method, explanation in maps.items():
        overlay.show(explanation)
        overlay.jump_to_peak()
        pictures |= views(viewer, overlay, method)
    overlay.show(maps["libra_grad"])
    pictures["conventions"] = conventions(viewer, sides)
    pictures["cut_on_patches"] = details(viewer, overlay, api.rethreshold(maps[METHOD], CUT))
    overlay.close()
    viewer.close()
    return pictures


def views(viewer: Any, overlay: Overlay, method: str) -> dict[str, Picture]:
    """Return the three planes, the volume, and smooth beside patches, for what is shown."""
    planes = []
    for order in PLANES.values():
        viewer.dims.order = order
        viewer.reset_view()
        planes.append(photograph(viewer))
    viewer.dims.order = PLANES["axial"]
    viewer.reset_view()
    pair = [photograph(viewer)]
    overlay.set_resolution("patches")
    pair.append(photograph(viewer))
    overlay.set_view("volume")
    solid = [photograph(viewer)]
    overlay.set_resolution("smooth")
    solid.insert(0, photograph(viewer))
    overlay.set_view("slices")
    return {
        f"{method}_planes": beside(planes),
        f"{method}_volume": solid[0],
        f"{method}_smooth_and_patches": np.vstack([beside(pair), beside(solid)]),
    }


def conventions(viewer: Any, sides: Sides) -> Picture:
    """Return one slice in both conventions, side by side."""
    pair = []
    for convention in get_args(Convention):
        sides.turn(convention)
        pair.append(photograph(viewer))
    sides.turn("neurological")
    return beside(pair)


def details(viewer: Any, overlay: Overlay, explanation: Explanation) -> Picture:
    """Return one slice of a map smooth, in patches and as saved, side by side."""
    overlay.show(explanation)
    for resolution in ROLES:  # a new layer's name may widen the list, and narrow the canvas
        overlay.set_resolution(resolution)
    pictures = []
    for resolution in ROLES:
        overlay.set_resolution(resolution)
        pictures.append(photograph(viewer))
    return beside(pictures)


def photograph(viewer: Any) -> Picture:
    """Return the canvas."""
    return photograph_window(viewer, canvas_only=True)
