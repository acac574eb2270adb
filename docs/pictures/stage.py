"""What all pictures share: a window with the sample brain explained in it, a camera, patience."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import napari
import numpy as np
from napari.utils.notifications import notification_manager
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from g3dvit_napari.core.types import Threshold
from g3dvit_napari.io.samples import sample_path
from g3dvit_napari.plugin.widget import ExplainWidget, open_form

WINDOW = (1400, 900)
PATIENCE = 300.0  # seconds
METHOD, THRESHOLD = "g3dvit", Threshold("keep", 5.0, "patches")
Picture = NDArray[np.uint8]


def open_window(
    sample: str = "brain", method: str = METHOD, size: tuple[int, int] = WINDOW
) -> tuple[Any, ExplainWidget]:
    """Return a viewer and its form, with a sample volume explained and the slices at its peak."""
    with notification_manager.notification_ready.blocker():  # advice about the Qt binding
        viewer = napari.Viewer(show=True)
    viewer.window.resize(*size)
    widget = open_form(viewer)
    controller = widget.controller
    controller.open_volume(str(sample_path(f"{sample}.nii.gz")))
    widget.load_checkpoint(str(sample_path(f"{sample}_vit.pth")), spec="")
    wait(lambda: viewer.layers and controller.model is not None)
    widget.form.question.methods.choose(method)  # whatever was remembered from another day
    widget.form.threshold.choose(THRESHOLD)
    widget.compute()
    wait(lambda: controller.explanation is not None and controller.lanes.at_rest)
    click(widget.form.view.switches["edge"].button("hard"))
    controller.jump_to_peak()
    return viewer, widget


def photograph(viewer: Any, *, canvas_only: bool = False) -> Picture:
    """Return the window or the canvas as it looks once everything has settled."""
    wait(lambda: False, 0.5)
    picture: Picture = viewer.screenshot(canvas_only=canvas_only, flash=False)[..., :3]
    return picture


def click(button: Any) -> None:
    """Press a button as a user does."""
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def wait(done: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Let the window live until something is done."""
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def beside(pictures: list[Picture], height: int = 10_000) -> Picture:
    """Put pictures side by side, cut to the lowest: sliders change the canvas by some pixels."""
    height = min(height, *(p.shape[0] for p in pictures))
    return np.hstack([p[(p.shape[0] - height) // 2 :][:height] for p in pictures])
