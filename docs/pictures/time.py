"""The page "Time": a lesion that fades in over a series."""

from __future__ import annotations

from typing import Any

import napari
import numpy as np
from napari.layers import Layer
from napari.utils.notifications import notification_manager
from numpy.typing import NDArray
from scipy import ndimage

from g3dvit_napari import api
from g3dvit_napari.core.types import Threshold
from g3dvit_napari.io.samples import sample_path
from g3dvit_napari.plugin.picture.layers import series_layer_data, to_layer_data
from g3dvit_napari.plugin.widget import ExplainWidget, open_form
from pictures.stage import WINDOW, Picture, click, photograph, wait

NAMES = ("time",)
FRAMES, SECONDS, NOISE = 24, 2.0, 6.0
METHOD, THRESHOLD, PEAK = "libra_grad", Threshold("value", 0.15, "voxels"), 14
TRUTH = "lesion"


def make() -> dict[str, Picture]:
    """Return the pictures by name."""
    with notification_manager.notification_ready.blocker():  # advice about the Qt binding
        viewer = napari.Viewer(show=True)
    viewer.window.resize(*WINDOW)
    widget = open_form(viewer)
    series = add_series(viewer)
    widget.choose_layer(series)
    widget.load_checkpoint(str(sample_path("brain_vit.pth")), spec="")
    wait(lambda: widget.controller.model is not None)
    pictures = {"time": time_course(viewer, widget)}
    viewer.close()
    return pictures


def add_series(viewer: Any) -> Layer:
    """Add the sample brain as a series in which its lesion fades in, and where the lesion is."""
    brain = api.load_volume(sample_path("brain.nii.gz"))
    truth = api.load_volume(sample_path("brain_lesion.nii.gz"))
    frames = fading(brain.data, truth.data > 0)
    data, keywords = series_layer_data(frames.transpose(0, 3, 2, 1), brain, SECONDS)
    series = viewer.add_image(data, **keywords | {"name": "fading_lesion"})
    marked, place = to_layer_data(truth)
    placing = {name: place[name] for name in ("scale", "translate", "units", "axis_labels")}
    viewer.add_labels(marked.astype(np.uint8), name=TRUTH, visible=False, **placing)
    return series


def fading(brain: NDArray[Any], lesion: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return frames (t x y z): the other side's tissue where the lesion is, more and more of it."""
    soft = np.clip(1.6 * ndimage.gaussian_filter(lesion.astype(float), 1.0), 0, 1)
    healthy = brain * (1 - soft) + ndimage.gaussian_filter(brain[::-1].astype(float), 0.6) * soft
    random = np.random.default_rng(0)
    shares = np.linspace(0, 1, FRAMES) ** 2
    inside = brain > 0
    return np.stack(
        [
            healthy * (1 - share) + brain * share + inside * random.normal(0, NOISE, brain.shape)
            for share in shares
        ]
    ).astype(np.float32)


def time_course(viewer: Any, widget: ExplainWidget) -> Picture:
    """Return the window with every frame explained, one of them on show."""
    form, controller = widget.form, widget.controller
    (desk,) = (found for found in widget.features if hasattr(found, "follower"))
    form.question.methods.choose(METHOD)
    form.threshold.choose(THRESHOLD)
    form.turn_to("Time")
    click(desk.frames.go)
    wait(lambda: desk.course is not None and len(desk.course.numbers) == FRAMES)
    box = desk.view.box
    box.lines.setCurrentIndex(box.lines.values().index("all"))
    box.regions.setCurrentIndex(box.regions.findText(TRUTH))
    click(box.overlays.button("frames"))
    click(form.view.switches["edge"].button("hard"))
    box.plot.frame_asked.emit(PEAK)
    wait(lambda: controller.lanes.at_rest and desk.course.shares, 20)
    wait(lambda: False, 1.0)
    controller.jump_to_peak()
    return photograph(viewer)
