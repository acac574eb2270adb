"""The threshold slider in a real window: nothing is uploaded, nothing flickers, and it is quick."""

from __future__ import annotations

import time

import numpy as np
import pytest
from made_heads import head
from qtpy.QtWidgets import QApplication
from vispy.gloo.texture import BaseTexture

from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin.picture.layers import to_layer_data
from g3dvit_napari.plugin.widget import open_form

pytestmark = [pytest.mark.window, pytest.mark.usefixtures("api")]
DEFAULT = Threshold("keep", 5.0, "patches")


@pytest.fixture
def uploads(monkeypatch) -> list[tuple[int, ...]]:
    """Return the shapes of the data that went to the graphics card; colour tables are none."""
    seen: list[tuple[int, ...]] = []
    original = BaseTexture.set_data

    def watched(texture, data, *arguments, **named):
        if "Scaled" in type(texture).__name__:  # as vispy names the textures of images and volumes
            seen.append(np.shape(data))
        return original(texture, data, *arguments, **named)

    monkeypatch.setattr(BaseTexture, "set_data", watched)
    return seen


@pytest.fixture
def form(qtbot, make_napari_viewer):
    """The form as it is first opened, with the published method's map on show."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(880, 560)
    data, keywords = to_layer_data(head())
    viewer.add_image(data, **keywords)
    form = open_form(viewer)
    with qtbot.waitSignal(form.controller.model_changed):
        form.load_checkpoint("/d/vit.pth")
    with qtbot.waitSignal(form.controller.explained):
        form.compute()
    form.controller.jump_to_peak()
    form.form.threshold._pause.setInterval(60_000)  # held until the test lets go
    assert form.controller.explanation.request.threshold == DEFAULT
    return form


def photograph(form) -> np.ndarray:
    for _ in range(5):
        QApplication.processEvents()
        time.sleep(0.01)
    return form._viewer.screenshot(canvas_only=True, flash=False)


def move(form, *amounts: float) -> np.ndarray:
    """Move the slider and return the picture that follows it."""
    for amount in amounts:
        form.form.threshold.slider.setValue(float(amount))
        QApplication.processEvents()
        time.sleep(0.01)
    time.sleep(0.1)  # the last move waits for its frame
    return photograph(form)


def release(qtbot, form) -> np.ndarray:
    """Wait until the threshold has settled and return the picture that stays."""
    lanes, pause = form.controller.lanes, form.form.threshold._pause
    pause.start(0)
    qtbot.waitUntil(lambda: not pause.isActive())
    qtbot.waitUntil(lambda: lanes.at_rest)
    assert form.controller.explanation.request.threshold == form.form.threshold.threshold()
    return photograph(form)


@pytest.mark.parametrize("ndisplay", [2, 3])
def test_press_twenty_moves_release_upload_nothing(qtbot, form, uploads, ndisplay) -> None:
    form._viewer.dims.ndisplay = ndisplay
    at_rest = photograph(form)
    uploads.clear()
    assert not np.array_equal(move(form, *np.linspace(6.0, 40.0, 19)), at_rest)
    assert np.array_equal(move(form, DEFAULT.amount), at_rest)  # the same cut, the same picture:
    assert np.array_equal(release(qtbot, form), at_rest)  # held and at rest
    assert uploads == []
    form.controller.set_display("resolution", "patches")
    photograph(form)
    assert uploads  # an upload would have been seen


def test_saved_map_is_uploaded_once_the_slider_rests(qtbot, form, uploads) -> None:
    form.form.view.switches["resolution"].button("saved").click()
    at_rest = photograph(form)
    uploads.clear()
    assert np.array_equal(move(form, 10.0, 20.0, 30.0), at_rest)
    assert uploads == []
    assert not np.array_equal(release(qtbot, form), at_rest)
    assert len(uploads) == 1
