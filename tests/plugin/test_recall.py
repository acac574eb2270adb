"""What the form remembers between starts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_heads import head
from npe2 import PluginManifest
from patience import rest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractSlider

import g3dvit_napari
from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin import settings as settings_module
from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.switch import Switch
from g3dvit_napari.plugin.form import ExplainForm
from g3dvit_napari.plugin.picture.layers import series_layer_data
from g3dvit_napari.plugin.places.places_box import PlacesBox
from g3dvit_napari.plugin.recall import recall, remember
from g3dvit_napari.plugin.settings import DEFAULTS, PLUGIN, Settings
from g3dvit_napari.plugin.widget import ExplainWidget

MANIFEST = Path(g3dvit_napari.__file__).with_name("napari.yaml")


@pytest.fixture
def kept(plugin_settings, npe2pm):  # noqa: ARG001
    """napari's own settings of this plugin, in a folder of the test."""
    from napari.settings import get_plugin_settings

    npe2pm.register(PluginManifest.from_file(MANIFEST))
    return get_plugin_settings(PLUGIN)


def made(qtbot) -> ExplainForm:
    form = ExplainForm()
    qtbot.addWidget(form)
    return form


def changed(qtbot, tmp_path) -> ExplainForm:
    form = made(qtbot)
    form.threshold.choose(Threshold("value", 0.25, "voxels"))
    form.threshold.choose(Threshold("keep", 8.0, "voxels"))
    form.view.choose({"convention": "radiological", "edge": "faded"})
    form.model.devices.choose("cpu")
    form.question.wanted_method = "libra_grad"
    form.run.live.setChecked(False)
    for name in ("a.pth", "b.pth"):
        (tmp_path / name).touch()
        form.model.ask_for(str(tmp_path / name))
    form.volume.folder = "/scans"
    return form


def check_same(form: ExplainForm, tmp_path) -> None:
    assert form.threshold.threshold() == Threshold("keep", 8.0, "voxels")
    assert form.view.switches["convention"].value() == "radiological"
    assert form.view.switches["edge"].value() == "faded"
    assert form.model.devices.value() == "cpu"
    assert form.question.method == "libra_grad"
    assert not form.run.live.isChecked()
    assert form.model.recent == [str(tmp_path / "b.pth"), str(tmp_path / "a.pth")]
    assert form.model.path == ""
    assert (form.model.folder, form.volume.folder) == (str(tmp_path), "/scans")


def test_form_comes_back_as_it_was_left(qtbot, kept, tmp_path) -> None:
    remember(changed(qtbot, tmp_path), Settings())
    assert "radiological" in kept.config_path.read_text()
    asked: list[object] = []
    form = made(qtbot)
    form.model.model_requested.connect(lambda *args: asked.append(args))
    form.threshold.moved.connect(asked.append)
    recall(form, Settings())
    check_same(form, tmp_path)
    assert asked == []  # remembering requests nothing


def switches(widget: ExplainWidget) -> dict[str, Switch | Choice]:
    (series,) = (found for found in widget.features if hasattr(found, "follower"))
    frames, box = series.frames, series.view.box
    return {
        "peaks": widget.findChild(PlacesBox).shows,
        "same": frames.classes,
        "common": box.scales,
        "all": frames.frames,
        "one": box.lines,
    }


def test_pages_come_back_as_they_were_left(qtbot, kept, viewer, api) -> None:  # noqa: ARG001
    first = ExplainWidget(viewer)
    qtbot.addWidget(first)
    before = switches(first)
    assert {name: control.value() for name, control in before.items()} == {k: k for k in before}
    wanted = {"peaks": "regions", "same": "each", "common": "own"}
    for name, value in wanted.items():
        before[name].setEnabled(True)  # without a series they rest
        before[name].button(value).setEnabled(True)
        qtbot.mouseClick(before[name].button(value), Qt.MouseButton.LeftButton)
    for name, key in (("all", Qt.Key.Key_Up), ("one", Qt.Key.Key_Down)):
        before[name].setEnabled(True)
        qtbot.keyClick(before[name], key)
    first.controller.close()
    assert kept.time.classes == "each"
    again = ExplainWidget(viewer)
    qtbot.addWidget(again)
    after = {name: control.value() for name, control in switches(again).items()}
    assert after == {**wanted, "all": "every", "one": "all"}
    (series,) = (found for found in again.features if hasattr(found, "follower"))
    assert series.follower.scale == "own"  # not only shown
    places = again.findChild(PlacesBox)
    assert places.tables.currentWidget() is places.regions
    again.controller.close()


def choose(qtbot, control, steps: int) -> None:
    """Move a list, a number or a slider by the arrow keys, as a user may."""
    control.setEnabled(True)
    down = isinstance(control, Choice)  # further down a list, but up in numbers
    key = Qt.Key.Key_Down if down else Qt.Key.Key_Up
    for _ in range(steps):
        qtbot.keyClick(control, key)


def shown(widget: ExplainWidget) -> dict[str, object]:
    looks, export, compare = widget.form.looks, widget.form.export, widget.form.compare
    controls = {
        "thickness": looks.thickness,
        "side": looks.side,
        "depth": looks.depth,
        "pace": looks.pace,
        "background": export.backgrounds,
        "seconds": export.seconds,
        "frames": export.frames,
        "movie_px": export.movie_px,
        "kinds": compare.kinds,
        "seed": compare.seed,
    }
    return {name: control.value() for name, control in controls.items()} | {"size": export.size}


@pytest.fixture
def windows(qtbot, viewer, api):  # noqa: ARG001
    """Returns a form as in a new window; the one before is closed."""
    opened: list[ExplainWidget] = []

    def open_window() -> ExplainWidget:
        for widget in opened[-1:]:
            widget.controller.close()
        opened.append(ExplainWidget(viewer))
        qtbot.addWidget(opened[-1])
        return opened[-1]

    yield open_window
    opened[-1].controller.close()


def test_look_and_export_come_back_as_they_were_left(qtbot, kept, windows) -> None:
    first = windows()
    looks, export = first.form.looks, first.form.export
    for control in (looks.thickness, looks.side, looks.depth, looks.pace):
        choose(qtbot, control, 3)
    for control in (export.backgrounds, export.seconds, export.frames, export.movie_px):
        choose(qtbot, control, 2)
    choose(qtbot, export.sizes, 1)
    left = shown(first)
    assert (left["thickness"], left["side"], left["depth"], left["pace"]) == (23, "front", 3, 15)
    assert (left["background"], left["seconds"], left["frames"]) == ("white", 8, 74)
    assert (left["movie_px"], left["size"]) == (482, "4")
    again = windows()
    assert shown(again) == left
    assert again.looks.turntable.seconds == 15  # not only shown
    choose(qtbot, again.form.export.width_px, 1)
    pixels = again.form.export.size_px
    assert kept.export.size == f"{pixels[0]} x {pixels[1]}"
    last = windows().form.export
    assert (last.sizes.value(), last.size_px) == (0, pixels)


def test_a_size_that_is_none_changes_nothing(qtbot, kept, windows) -> None:  # noqa: ARG001
    kept.export.size = "as large as can be"
    assert windows().form.export.size == "2"
    kept.export.size = "3840 x 2160"
    assert windows().form.export.sizes.value() == (3840, 2160)


def test_a_slider_is_written_down_once_it_is_let_go(kept, windows) -> None:
    widget = windows()
    (slider,) = {*widget.form.looks.thickness.findChildren(QAbstractSlider)}
    slider.setSliderDown(True)
    slider.setValue(31)
    assert kept.looks.thickness == 20
    slider.setSliderDown(False)
    assert kept.looks.thickness == 31


def load(qtbot, widget: ExplainWidget) -> None:
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    rest(qtbot, widget)


def test_compare_comes_back_as_it_was_left(qtbot, kept, anatomy, windows) -> None:  # noqa: ARG001
    first = windows()
    load(qtbot, first)
    box = first.form.compare
    usual = box.marks
    box.list.setCurrentRow(next(i for i in range(99) if box.list.item(i).text() == usual[0]))
    qtbot.keyClick(box.list, Qt.Key.Key_Space)
    assert box.marks == usual[1:]
    for steps in (1, 3):  # the classes, then random weights
        choose(qtbot, box.kinds, steps)
        if box.kind == "classes":
            with qtbot.waitSignal(first.controller.comparison.changed, timeout=10_000):
                qtbot.mouseClick(box.go, Qt.MouseButton.LeftButton)
            rest(qtbot, first)
            own = first.form.difference.scale.button("own")
            qtbot.mouseClick(own, Qt.MouseButton.LeftButton)
            first.controller.end_comparison()
    choose(qtbot, box.seed, 4)
    again = windows()
    load(qtbot, again)
    box = again.form.compare
    assert (box.kind, box.seed.value()) == ("randomised", 4)
    assert again.controller.comparison.scales["classes"] == "own"
    assert again.controller.comparison.scales["layers"] == "common"
    box.kinds.setFocus()
    qtbot.keyClick(box.kinds, Qt.Key.Key_Home)
    assert (box.kind, box.marks) == ("methods", usual[1:])


def test_a_short_series_does_not_change_the_step_for_long_ones(qtbot, kept, viewer, windows):
    volume = head()
    for count in (4, 12):
        frames = np.stack([volume.data.transpose()] * count)
        data, keywords = series_layer_data(frames, volume, 2.0)
        viewer.add_image(data, **{**keywords, "name": f"of {count}"})
    long = viewer.layers["of 12"]
    first = windows()
    first.choose_layer(long)
    (series,) = (found for found in first.features if hasattr(found, "follower"))
    choose(qtbot, series.frames.step, 5)
    again = windows()
    again.choose_layer(viewer.layers["of 4"])
    (series,) = (found for found in again.features if hasattr(found, "follower"))
    assert series.frames.step.value() == 3
    again.choose_layer(long)
    assert (series.frames.step.value(), kept.time.step) == (7, 7)


def test_otsu_is_remembered(qtbot, kept) -> None:
    form = made(qtbot)
    form.threshold.choose(Threshold("otsu", 0.0, "voxels"))
    remember(form, Settings())
    again = made(qtbot)
    recall(again, Settings())
    assert again.threshold.threshold().kind == "otsu"
    assert kept.overlay.threshold == "otsu"


def test_without_napari_they_last_as_long_as_the_process(qtbot, tmp_path) -> None:
    settings = Settings()
    remember(changed(qtbot, tmp_path), settings)
    form = made(qtbot)
    recall(form, settings)
    check_same(form, tmp_path)


@pytest.fixture
def real(monkeypatch):
    """Undo the fixture that keeps the settings of the person who runs the tests out."""
    monkeypatch.undo()
    return monkeypatch


def test_older_napari_has_no_plugin_settings(real) -> None:
    real.delattr("napari.settings.get_plugin_settings")
    assert settings_module._kept_by_napari() is None


def test_plugin_without_manifest_has_none(real) -> None:
    def unknown(plugin):
        raise KeyError(plugin)

    real.setattr("napari.settings.get_plugin_settings", unknown)
    assert settings_module._kept_by_napari() is None
    assert Settings().read("overlay", "keep") == 5.0


def test_defaults_are_those_of_the_manifest(kept) -> None:
    for category, values in DEFAULTS.items():
        found = getattr(kept, category)
        assert {key: getattr(found, key) for key in values} == values
        assert set(values) == set(type(found).model_fields) & set(values)


def test_value_that_the_page_refuses_is_not_remembered(kept) -> None:
    settings = Settings()
    settings.write("overlay", "keep", 700.0)
    assert kept.overlay.keep == 5.0
