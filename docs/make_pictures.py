"""Make the pictures of the documentation from the sample data: `python docs/make_pictures.py`.

Opens real napari windows, so it needs a display; `xvfb-run` will do. Writes docs/images/*.png.
"""

from __future__ import annotations

import argparse
import logging
import time
import warnings
from pathlib import Path
from typing import Any

import napari
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from qtpy.QtWidgets import QApplication

from g3dvit_napari import api
from g3dvit_napari.core.types import Explanation, Threshold
from g3dvit_napari.io.samples import sample_path
from g3dvit_napari.plugin.picture.layers import to_layer_data
from g3dvit_napari.plugin.picture.map_layers import ROLES
from g3dvit_napari.plugin.picture.overlay import Overlay
from g3dvit_napari.plugin.widget import open_form

FOLDER = Path(__file__).parent / "images"
WINDOW = (1400, 900)
CANVAS = (900, 800)
COMPARED = ["g3dvit", "grad_cam", "libra_grad", "generic_attention", "occlusion", "saliency"]
PATIENCE = 300.0  # seconds
METHOD, THRESHOLD = "g3dvit", Threshold("keep", 5.0, "patches")
CUT = Threshold("value", 0.3, "patches")  # where smooth and saved are plainly two pictures
LARGEST = 400_000  # bytes per picture
PLANES = {"axial": (0, 1, 2), "coronal": (1, 0, 2), "sagittal": (2, 0, 1)}

Picture = NDArray[np.uint8]
_log = logging.getLogger("make_pictures")


def main() -> None:
    """Make all pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=None, help="checkpoint (default: the sample's)")
    parser.add_argument("--only", nargs="*", help="names of the pictures to write")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the pictures")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    warnings.filterwarnings("ignore", message=".*(PyQt5|System theme).*")
    checkpoint = given.model or str(sample_path("brain_vit.pth"))
    given.out.mkdir(parents=True, exist_ok=True)
    pictures = {**canvas_pictures(checkpoint), **window_pictures(checkpoint)}
    for name, picture in pictures.items():
        if given.only is None or name in given.only:
            save(picture, given.out / f"{name}.png")


def canvas_pictures(checkpoint: str) -> dict[str, Picture]:
    """Return pictures of the canvas alone: planes, volume, methods, resolutions."""
    volume = api.load_volume(sample_path("brain.nii.gz"))
    model = api.load_model(checkpoint)
    maps = {method: api.explain(volume, model, method) for method in ("g3dvit", "libra_grad")}
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*CANVAS)
    data, keywords = to_layer_data(volume)
    overlay = Overlay(viewer, viewer.add_image(data, **keywords))
    pictures = {}
    for method, explanation in maps.items():
        overlay.show(explanation)
        overlay.jump_to_peak()
        pictures |= views(viewer, overlay, method)
    pictures["conventions"] = conventions(viewer, overlay, maps["libra_grad"])
    pictures["cut_on_patches"] = details(viewer, overlay, api.rethreshold(maps["g3dvit"], CUT))
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


def beside(pictures: list[Picture], height: int = 10_000) -> Picture:
    """Put pictures side by side, cut to the lowest: sliders change the canvas by some pixels."""
    height = min(height, *(p.shape[0] for p in pictures))
    return np.hstack([p[(p.shape[0] - height) // 2 :][:height] for p in pictures])


def conventions(viewer: Any, overlay: Overlay, explanation: Explanation) -> Picture:
    """Return one slice in both conventions, side by side."""
    overlay.show(explanation)
    pair = []
    for convention in ("neurological", "radiological"):
        overlay.set_convention(convention)  # type: ignore[arg-type]
        pair.append(photograph(viewer))
    overlay.set_convention("neurological")
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


def window_pictures(checkpoint: str) -> dict[str, Picture]:
    """Return the whole window with the form, in slices and as a volume."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*WINDOW)
    form = open_form(viewer)
    controller = form.controller
    controller.open_volume(str(sample_path("brain.nii.gz")))
    form.load_checkpoint(checkpoint, spec="")
    wait(lambda: viewer.layers and controller.model is not None)
    form.form.question.methods.choose(METHOD)  # whatever was remembered from another day
    form.form.threshold.choose(THRESHOLD)
    form.compute()
    wait(lambda: controller.explanation is not None)
    controller.jump_to_peak()
    pictures = {"window_slices": photograph(viewer, canvas_only=False)}
    viewer.dims.ndisplay = 3
    pictures["window_volume"] = photograph(viewer, canvas_only=False)
    viewer.dims.ndisplay = 2
    form.form.threshold.choose(THRESHOLD)
    layer = viewer.layers[0]
    controller.compare(layer, "mean", form.form.request(), COMPARED)
    wait(lambda: controller.comparison.shown)
    pictures["comparison"] = photograph(viewer, canvas_only=False)
    controller.end_comparison()
    viewer.close()
    return pictures


def photograph(viewer: Any, *, canvas_only: bool = True) -> Picture:
    """Return the canvas or the window as it looks once everything has settled."""
    wait(lambda: False, 0.5)
    picture: Picture = viewer.screenshot(canvas_only=canvas_only, flash=False)[..., :3]
    return picture


def wait(done: Any, seconds: float = PATIENCE) -> None:
    """Let the window live until something is done."""
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def save(picture: Picture, path: Path) -> None:
    """Write a PNG below 400 kB; in 256 dithered colours only where full ones take more."""
    image = Image.fromarray(picture)
    image.save(path, optimize=True)
    if path.stat().st_size > LARGEST:
        image = image.quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
        image.save(path, optimize=True)
    _log.info("%s: %d kB, %d x %d", path.name, path.stat().st_size // 1000, *image.size)


if __name__ == "__main__":
    main()
