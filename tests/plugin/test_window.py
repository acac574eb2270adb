"""The form in a real window, driven as a person does: clicks, keys, dropped files, closing."""

from __future__ import annotations

import gc
import threading
import time

import numpy as np
import pytest
from made_heads import head
from napari.utils.io import imsave
from patience import rest
from pointer import click
from pulse import STALL_MS, Pulse
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin.demo import run_demo
from g3dvit_napari.plugin.picture.layers import to_layer_data
from g3dvit_napari.plugin.settings import PLUGIN
from g3dvit_napari.plugin.widget import TITLE, open_form

pytestmark = pytest.mark.window


@pytest.fixture
def window(make_napari_viewer):
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 860)
    return viewer


def load(qtbot, widget, path: str) -> None:
    with qtbot.waitSignal(widget.controller.model_changed, timeout=60_000):
        widget.load_checkpoint(path)
    rest(qtbot, widget)


def compute(qtbot, widget) -> None:
    with qtbot.waitSignal(widget.controller.explained, timeout=60_000):
        click(qtbot, widget.form.run.button)
    rest(qtbot, widget)


def photograph(viewer, path) -> np.ndarray:
    for _ in range(10):
        QApplication.processEvents()
        time.sleep(0.01)
    picture = viewer.screenshot(canvas_only=False, flash=False)
    imsave(str(path), picture)
    return picture


def add_head(viewer):
    data, keywords = to_layer_data(head())
    return viewer.add_image(data, **keywords)


def test_from_files_to_a_saved_map(qtbot, window, tiny_files, screenshots, monkeypatch) -> None:
    window.open(str(tiny_files / "scan.nii.gz"), plugin=PLUGIN)
    # As a drop on the canvas does it; a checkpoint makes no layer.
    assert window.open(str(tiny_files / "vit.pth"), plugin=None) == []
    widget = open_form(window)
    qtbot.waitUntil(lambda: widget.controller.model is not None, timeout=60_000)
    photograph(window, screenshots / "form_ready.png")
    compute(qtbot, widget)
    assert widget.form.run.result.text().startswith("Predicted ")
    assert len(window.layers) == 2

    methods = widget.form.question.methods
    with qtbot.waitSignal(widget.controller.explained, timeout=20_000):  # it follows by itself
        methods.setFocus()
        qtbot.keyClicks(methods, "HiRes")
    rest(qtbot, widget)
    assert widget.controller.explanation.request.method == methods.value() == "hires_cam"

    slider = widget.form.threshold.slider
    with qtbot.waitSignal(widget.controller.explained):
        slider.setFocus()
        qtbot.keyClick(slider, Qt.Key.Key_PageUp)
    rest(qtbot, widget)
    assert widget.controller.explanation.request.threshold == Threshold("keep", 10.0, "voxels")

    for name, value in [("resolution", "patches"), ("edge", "faded")]:
        click(qtbot, widget.form.view.switches[name].button(value))
    click(qtbot, widget.form.looks.views.button("volume"))
    click(qtbot, widget.form.view.peak)
    photograph(window, screenshots / "form_volume.png")
    assert window.dims.ndisplay == 3
    out = tiny_files / "out"
    monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getExistingDirectory", lambda *_: str(out))
    with qtbot.waitSignal(widget.controller.saved):
        click(qtbot, widget.form.view.save)
    assert len(list(out.glob("*.nii.gz"))) == 3
    assert len(list(out.glob("*.json"))) == 1


def test_form_opens_once_and_quickly(qtbot, window) -> None:
    started = time.thread_time()
    widget = open_form(window)
    assert time.thread_time() - started < 0.6
    assert open_form(window) is widget
    dock, inner = window.window.add_plugin_dock_widget(PLUGIN, TITLE)
    assert inner is widget
    dock.resize(280, 700)
    qtbot.wait(20)
    assert widget.form.minimumSizeHint().width() <= 280


def test_menu_entry_opens_the_form(window) -> None:
    from napari._app_model import get_app_model

    get_app_model().commands.execute_command("g3dvit-napari.open_form").result()
    assert any(TITLE in name for name in window.window.dock_widgets)


def test_sample_data_open_with_their_checkpoint(qtbot, window, tiny_files, monkeypatch) -> None:
    files = (str(tiny_files / "scan.nii.gz"), str(tiny_files / "vit.pth"))
    monkeypatch.setattr("g3dvit_napari.plugin.contributions.sample_files", lambda _name: files)
    for name in ("brain", "cubes"):
        (layer,) = window.open_sample(PLUGIN, name)
        assert layer.name.startswith("scan")
    widget = open_form(window)
    qtbot.waitUntil(lambda: widget.controller.model is not None, timeout=60_000)
    rest(qtbot, widget)
    assert widget.form.model.path == files[1]


def test_saved_layer_keeps_its_place(window, tiny_files) -> None:
    import nibabel as nib

    (layer,) = window.open(str(tiny_files / "scan.nii.gz"), plugin=PLUGIN)
    (path,) = layer.save(str(tiny_files / "again.nii.gz"), plugin=PLUGIN)
    first, again = nib.load(tiny_files / "scan.nii.gz"), nib.load(path)
    assert np.allclose(first.affine, again.affine, atol=1e-5)
    assert np.array_equal(first.get_fdata(), again.get_fdata())


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("how", ["window", "dock"])
def test_closing_in_the_middle_of_a_run(qtbot, window, api, how, ahead) -> None:
    add_head(window)
    widget = open_form(window)
    load(qtbot, widget, "/d/vit.pth")

    def slow(*_) -> None:
        api.steps, api.pause = 1000, 0.01

    if ahead:  # the first answer is quick; closed while the other class is fetched
        widget.form.question.methods.choose("libra_grad")
        widget.controller.explained.connect(slow)
    else:
        slow()
    click(qtbot, widget.form.run.button)
    qtbot.waitUntil(lambda: len(api.of("explain")) == 1 + ahead, timeout=20_000)
    lanes = widget.controller.lanes
    if how == "window":
        window.close()
    else:
        dock, _ = window.window.add_plugin_dock_widget(PLUGIN, TITLE)
        window.window.remove_dock_widget(dock)
    del widget
    gc.collect()
    qtbot.waitUntil(lambda: api.stopped == 1, timeout=3000)
    qtbot.waitUntil(lambda: lanes.at_rest)
    if how == "dock":
        api.steps = 1
        again = open_form(window)  # a new form in the same window
        load(qtbot, again, "/d/vit.pth")
        compute(qtbot, again)
        assert len(window.layers) == 2


def busy_python(seconds: float) -> None:
    """Hold the interpreter as pure Python does, and let numpy work as PyTorch does."""
    end = time.perf_counter() + seconds
    matrix = np.ones((120, 120))
    while time.perf_counter() < end:
        sum(range(2000))
        matrix @ matrix


def test_window_stays_awake_while_a_network_runs(qtbot, window, api) -> None:
    add_head(window)
    widget = open_form(window)
    load(qtbot, widget, "/d/vit.pth")
    compute(qtbot, widget)
    api.steps, api.pause, api.work = 500, 0.02, busy_python
    pulse, stalls = Pulse(), []
    for _ in range(8):  # a busy machine stalls now and then, a mistake of ours every time
        before = len(api.of("explain"))
        widget.controller.explain(window.layers[0], "mean", widget.form.request())
        qtbot.waitUntil(lambda before=before: len(api.of("explain")) > before)
        qtbot.wait(50)
        ends = time.perf_counter() + 0.6  # within the run: showing the result is napari's drawing
        stalls.append(pulse.longest_ms(qtbot, lambda ends=ends: time.perf_counter() > ends))
        assert widget.form.run.button.text() == "Cancel"
        widget.controller.cancel()
        rest(qtbot, widget)
        if stalls[-1] < STALL_MS:
            break
    assert min(stalls) < STALL_MS
    assert threading.get_ident() not in api.threads


@pytest.mark.usefixtures("api")
def test_everything_of_ours_in_the_gui_thread_is_short(qtbot, window) -> None:
    """The answer to a finished run: layer, colours, words; without napari's drawing."""
    add_head(window)
    widget = open_form(window)
    load(qtbot, widget, "/d/vit.pth")
    compute(qtbot, widget)
    controller, times = widget.controller, []
    show = type(controller)._on_explained

    def timed(*arguments) -> None:
        started = time.thread_time()
        show(*arguments)
        times.append((time.thread_time() - started) * 1000)

    controller._explanations.succeeded.disconnect()
    controller._explanations.succeeded.connect(lambda found: timed(controller, found))
    for _ in range(5):
        compute(qtbot, widget)
    assert len(times) == 5
    assert np.median(times) < STALL_MS


def test_demo_leaves_pictures_and_results(
    make_napari_viewer, tiny_files, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr("napari.Viewer", lambda **_: make_napari_viewer(show=True))
    files = (str(tiny_files / "scan.nii.gz"), str(tiny_files / "vit.pth"))
    monkeypatch.setattr("g3dvit_napari.plugin.contributions.sample_files", lambda _name: files)
    said: list[str] = []
    assert run_demo(tmp_path / "out", headless=True, say=said.append) == 0
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"slices.png", "volume.png", "window.png"} <= written
    assert sum(name.endswith(".nii.gz") for name in written) == 3
    assert sum(name.endswith(".json") for name in written) == 1
    assert len(said) == len(written)


def test_demo_says_what_went_wrong(make_napari_viewer, tiny_files, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("napari.Viewer", lambda **_: make_napari_viewer(show=True))
    files = (str(tiny_files / "scan.nii.gz"), str(tiny_files / "none.pth"))
    monkeypatch.setattr("g3dvit_napari.plugin.contributions.sample_files", lambda _name: files)
    assert run_demo(tmp_path, headless=True) == 1
    assert "none.pth" in caplog.text
