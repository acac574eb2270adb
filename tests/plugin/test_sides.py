"""Which way a head lies does not wait for a map."""

from __future__ import annotations

import numpy as np
import pytest
from made_heads import head

from g3dvit_napari.plugin.picture.layers import to_layer_data
from g3dvit_napari.plugin.picture.orientation import CAMERA
from g3dvit_napari.plugin.widget import ExplainWidget


@pytest.fixture
def widget(qtbot, viewer, api):
    assert not api.calls
    widget = ExplainWidget(viewer)
    qtbot.addWidget(widget)
    yield widget
    widget.controller.close()


def orientation(viewer) -> tuple[str, ...]:
    return tuple(str(part) for part in viewer.scene.camera.orientation)


def letters(viewer) -> list[str]:
    shown = [o for key, o in viewer.canvas.overlays.items() if key.startswith("g3dvit_")]
    return sorted(o.text for o in shown if o.visible and o.text in "LRAPSI")


def add_head(viewer):
    data, keywords = to_layer_data(head())
    return viewer.add_image(data, **keywords)


def test_a_volume_of_ours_is_upright_at_once(qtbot, viewer, widget) -> None:
    before = orientation(viewer)
    layer = add_head(viewer)
    assert orientation(viewer) == CAMERA["neurological"] != before
    assert letters(viewer) == ["A", "L", "P", "R"]
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    with qtbot.waitSignal(widget.controller.explained):
        widget.compute()
    assert letters(viewer) == ["A", "L", "P", "R"]  # each once, not twice
    viewer.layers.remove(layer)
    assert orientation(viewer) == CAMERA["neurological"]
    assert letters(viewer) == []
    widget.form.view.switches["convention"].button("radiological").click()
    add_head(viewer)
    assert orientation(viewer) == CAMERA["radiological"]


def test_a_map_over_an_image_of_someone_else_turns_it_upright(qtbot, viewer, widget) -> None:
    before = orientation(viewer)
    viewer.add_image(head().data.transpose(), scale=(4, 4, 4))
    assert orientation(viewer) == before
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    with qtbot.waitSignal(widget.controller.explained):
        widget.compute()
    assert orientation(viewer) == CAMERA["neurological"] != before
    assert letters(viewer) == ["A", "L", "P", "R"]
    widget.controller.put_down()
    assert letters(viewer) == []


def test_a_camera_that_was_turned_by_hand_stays_so(qtbot, viewer, widget) -> None:
    add_head(viewer)
    viewer.scene.camera.orientation = ("away", "down", "left")
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    with qtbot.waitSignal(widget.controller.explained):
        widget.compute()
    assert orientation(viewer) == ("away", "down", "left")
    widget._detach()
    assert orientation(viewer) == ("away", "down", "left")


def test_letters_stand_in_every_cell_of_a_comparison(qtbot, viewer, widget) -> None:
    add_head(viewer)
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    qtbot.waitUntil(lambda: widget.controller.lanes.at_rest)
    shown = [o for key, o in viewer.canvas.overlays.items() if key.startswith("g3dvit_side")]
    with qtbot.waitSignal(widget.controller.comparison.changed):
        widget.form.compare.go.click()
    assert all(letter.gridded for letter in shown)
    assert letters(viewer) == ["L", "R"]  # a title is above
    widget.form.compare.back.click()
    assert not any(letter.gridded for letter in shown)
    assert letters(viewer) == ["A", "L", "P", "R"]


def test_letters_can_be_switched_off(viewer, widget) -> None:
    add_head(viewer)
    widget.form.marks.marks["letters"].click()
    assert letters(viewer) == []


@pytest.mark.usefixtures("widget")
def test_images_of_others_are_left_as_they_are(viewer) -> None:
    before = orientation(viewer)
    viewer.add_image(np.zeros((4, 5, 6)))
    assert orientation(viewer) == before
    assert letters(viewer) == []


def test_a_closed_form_leaves_the_viewer_as_found(viewer, widget) -> None:
    before = orientation(viewer)
    add_head(viewer)
    widget._detach()
    assert orientation(viewer) == before
    assert letters(viewer) == []
