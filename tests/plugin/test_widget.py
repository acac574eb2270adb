"""Form and controller wired together over a viewer's model, with a stand-in for the facade."""

from __future__ import annotations

import pytest
from made_heads import head
from patience import rest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QWidget

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin.picture.layers import series_layer_data, to_layer_data
from g3dvit_napari.plugin.widget import ExplainWidget

pytestmark = pytest.mark.usefixtures("api")


@pytest.fixture
def widget(qtbot, viewer):
    widget = ExplainWidget(viewer)
    qtbot.addWidget(widget)
    yield widget
    widget.controller.close()
    rest(qtbot, widget)


def add_head(viewer, **how):
    data, keywords = to_layer_data(head(**how))
    return viewer.add_image(data, **keywords)


@pytest.fixture
def ready(qtbot, viewer, widget):
    """A widget with a volume and a network."""
    add_head(viewer)
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    rest(qtbot, widget)
    return widget


def press(qtbot, widget) -> None:
    with qtbot.waitSignal(widget.controller.explained):
        qtbot.mouseClick(widget.form.run.button, Qt.MouseButton.LeftButton)
    rest(qtbot, widget)


def test_button_says_what_is_missing(qtbot, viewer, widget) -> None:
    button = widget.form.run.button
    assert "a checkpoint and a volume" in button.toolTip()
    add_head(viewer)
    assert "Choose a checkpoint first" in button.toolTip()
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    assert button.isEnabled()


def test_from_click_to_answer(qtbot, viewer, ready, api) -> None:
    press(qtbot, ready)
    assert len(viewer.layers) == 2
    assert ready.form.run.result.text().startswith("Predicted lesion (p = 95.0 %)")
    call = api.of("explain")[0]
    assert (call["method"], call["target"], call["pooling"]) == ("g3dvit", None, "mean")
    assert ready.form.run.button.text() == "Compute"


def test_layers_are_followed(viewer, widget) -> None:
    first, second = add_head(viewer), add_head(viewer)
    names = widget.form.volume.layers
    assert widget.form.volume.layer == str(first.unique_id)
    second.name = "second"
    assert "second" in [names.itemText(i) for i in range(names.count())]
    viewer.add_points([[0, 0, 0]])
    assert names.count() == 2
    viewer.layers.remove(first)
    assert widget.form.volume.layer == str(second.unique_id)
    viewer.layers.clear()
    assert not names.isEnabled()


def test_maps_are_no_volumes(qtbot, ready, viewer) -> None:
    press(qtbot, ready)
    assert ready.form.volume.layers.count() == 1
    assert len(viewer.layers) == 2


def test_the_first_choice_asks_and_changes_are_followed(qtbot, ready, api) -> None:
    qtbot.wait(400)
    assert not api.of("explain")  # nobody has asked for anything
    with qtbot.waitSignal(ready.controller.explained):
        ready.form.question.targets.choose(0)
    rest(qtbot, ready)
    with qtbot.waitSignal(ready.controller.explained):
        ready.form.question.targets.choose(1)
    rest(qtbot, ready)
    assert [call["target"] for call in api.of("explain")] == [0, 1]
    ready.form.run.live.setChecked(False)
    ready.form.question.targets.choose(0)
    qtbot.wait(400)
    assert len(api.of("explain")) == 2


def test_costly_methods_wait_for_the_button(qtbot, ready, api) -> None:
    press(qtbot, ready)
    ready.form.question.methods.choose("occlusion")
    qtbot.wait(400)
    assert len(api.of("explain")) == 1
    press(qtbot, ready)
    assert api.of("explain")[1]["size"] == 3


def test_method_brings_its_own_stage(ready) -> None:
    assert ready.form.threshold.threshold().stage == "patches"
    ready.form.question.methods.choose("libra_grad")
    assert ready.form.threshold.threshold().stage == "voxels"
    ready.form.question.methods.choose("g3dvit")
    assert ready.form.threshold.threshold().stage == "patches"
    ready.form.threshold.stages.button("voxels").click()
    ready.form.threshold.stages.button("patches").click()
    ready.form.question.methods.choose("libra_grad")
    assert ready.form.threshold.threshold().stage == "patches"  # what a person chose stays


def test_slider_moves_the_gate_and_settles(qtbot, ready, api) -> None:
    press(qtbot, ready)
    before = ready.controller.overlay.cut
    with qtbot.waitSignal(ready.controller.explained):
        ready.form.threshold.slider.setValue(25.0)
        qtbot.wait(60)
        assert ready.controller.overlay.cut < before
        assert not api.of("rethreshold")
    assert ready.controller.explanation.request.threshold == Threshold("keep", 25.0, "patches")
    assert len(api.of("explain")) == 1


def test_cancel_from_the_form(qtbot, ready, api) -> None:
    api.steps, api.pause = 200, 0.01
    qtbot.mouseClick(ready.form.run.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "running the network" in ready.form.run.stage.text())
    assert ready.form.run.button.text() == "Cancel"
    qtbot.mouseClick(ready.form.run.button, Qt.MouseButton.LeftButton)
    rest(qtbot, ready)
    assert ready.form.run.button.text() == "Compute"
    assert "Cancelled" in ready.form.run.warning.text()
    api.steps = 1
    press(qtbot, ready)


def test_error_is_shown_and_the_form_recovers(qtbot, ready, api) -> None:
    api.error = VolumeError("expected 90 x 90 x 90 voxels, got 33; choose another volume")
    with qtbot.waitSignal(ready.controller.failed):
        qtbot.mouseClick(ready.form.run.button, Qt.MouseButton.LeftButton)
    rest(qtbot, ready)
    assert "expected 90" in ready.form.run.warning.text()
    assert ready.form.run.button.text() == "Compute"
    api.error = None
    press(qtbot, ready)
    assert ready.form.run.warning.text() == ""


def test_frame_row_is_for_series(viewer, widget) -> None:
    import numpy as np

    volume = head()
    data, keywords = series_layer_data(np.stack([volume.data.transpose()] * 4), volume)
    assert widget.form.volume.frames.isHidden() or not widget.form.volume.frames.isEnabled()
    viewer.add_image(data, **keywords)
    assert widget.form.volume.frames.isEnabled()


def test_another_volume_forgets_the_probabilities(qtbot, ready, viewer) -> None:
    press(qtbot, ready)
    targets = ready.form.question.targets
    assert "95" in targets.itemText(2)
    ready.choose_layer(add_head(viewer, spacing=(3.0, 3.0, 3.0)))
    assert targets.itemText(2) == "lesion"


def test_view_switch_follows_napari(ready, viewer) -> None:
    switch = ready.form.looks.views
    viewer.dims.ndisplay = 3
    assert switch.value() == "volume"
    viewer.dims.ndisplay = 2
    assert switch.value() == "slices"


def test_removed_volume_disables_the_picture(qtbot, ready, viewer) -> None:
    press(qtbot, ready)
    viewer.layers.remove(viewer.layers[0])
    assert not ready.form.view.save.isEnabled()
    assert "volume" in ready.form.run.button.toolTip()


def test_saving_asks_for_a_folder(qtbot, ready, api, monkeypatch, tmp_path) -> None:
    press(qtbot, ready)
    folders = iter(["", str(tmp_path)])
    monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getExistingDirectory", lambda *_: next(folders))
    ready.form.view.save.click()
    assert not api.of("save")
    with qtbot.waitSignal(ready.controller.saved):
        ready.form.view.save.click()
    assert api.of("save")[0]["folder"] == str(tmp_path)


def test_closed_dock_lets_go_and_can_come_back(qtbot, ready, viewer) -> None:
    dock = QWidget()
    qtbot.addWidget(dock)
    ready.setParent(dock)
    press(qtbot, ready)
    ready.setParent(None)  # all that napari's dock tells when it is closed
    assert ready.controller.model is None
    assert len(viewer.layers) == 2
    ready.setParent(dock)
    with qtbot.waitSignal(ready.controller.model_changed):
        ready.load_checkpoint("/d/vit.pth")
    press(qtbot, ready)
    assert len(viewer.layers) == 2  # its own map was found again
    ready.setParent(None)


def test_change_during_the_first_run_is_followed(qtbot, ready, api) -> None:
    api.steps, api.pause = 60, 0.01
    ready.compute()
    qtbot.waitUntil(lambda: len(api.of("explain")) == 1)
    ready.form.question.targets.choose(0)
    qtbot.waitUntil(lambda: len(api.of("explain")) == 2, timeout=5000)
    rest(qtbot, ready)
    assert ready.controller.explanation.target == 0


def test_spec_can_be_corrected_after_a_failed_load(qtbot, ready, api) -> None:
    api.error = VolumeError("the weights leave open: heads; choose a preset")
    with qtbot.waitSignal(ready.controller.failed):
        ready.load_checkpoint("/d/published.pth")
    rest(qtbot, ready)
    assert not ready.form.run.button.isEnabled()
    assert not ready.form.model.summary.isVisible()
    assert "leave open" in ready.form.run.warning.text()
    api.error = None
    specs = ready.form.model.specs
    specs.choose("neurovit-adni")
    with qtbot.waitSignal(ready.controller.model_changed):
        specs.activated.emit(specs.currentIndex())
    asked = api.of("load_model")[-1]
    assert (asked["path"], asked["spec"]) == ("/d/published.pth", "neurovit-adni")
    assert ready.form.run.button.isEnabled()
