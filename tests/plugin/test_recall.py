"""What the form remembers between starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from npe2 import PluginManifest
from qtpy.QtCore import Qt

import g3dvit_napari
from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin import settings as settings_module
from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.controls.switch import Switch
from g3dvit_napari.plugin.form import ExplainForm
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
