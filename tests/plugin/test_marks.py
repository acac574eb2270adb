"""Colours and marks: chosen, remembered, and kept for the next map."""

from __future__ import annotations

import numpy as np
import pytest
from made_heads import explanation_of, head
from qtpy.QtCore import Qt

from g3dvit_napari.plugin.picture.colormaps import SIGNED_MAPS, UNSIGNED_MAPS, base_name
from g3dvit_napari.plugin.picture.layers import to_layer_data
from g3dvit_napari.plugin.picture.marks_box import MarksBox, preview
from g3dvit_napari.plugin.widget import ExplainWidget

pytestmark = pytest.mark.usefixtures("api")
MARKS = ("letters", "colorbar", "scale_bar", "caption")  # those that are no layer


@pytest.fixture
def widget(qtbot, viewer):
    widget = ExplainWidget(viewer)
    qtbot.addWidget(widget)
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    qtbot.waitUntil(lambda: widget.controller.lanes.at_rest)
    data, keywords = to_layer_data(head())
    widget.controller.show(viewer.add_image(data, **keywords), explanation_of(head()))
    yield widget
    widget.controller.close()


def choose(choice, value) -> None:
    choice.choose(value)
    choice.activated.emit(choice.currentIndex())


def shown(viewer) -> dict[str, bool]:
    """Return which marks are on the canvas."""
    overlays = viewer.canvas.overlays
    bars = [
        layer.colorbar.visible
        for layer in viewer.layers
        if layer.metadata["g3dvit"]["role"] != "volume"
    ]
    return {
        "letters": overlays["g3dvit_side_top"].visible,
        "colorbar": all(bars),
        "scale_bar": overlays["scale_bar"].visible,
        "caption": overlays["g3dvit_caption"].visible,
    }


@pytest.mark.parametrize("mark", MARKS)
def test_a_switch_hides_its_mark_and_no_other(widget, viewer, mark) -> None:
    assert all(shown(viewer).values())
    box = widget.form.marks.marks[mark]
    box.click()
    assert shown(viewer) == {name: name != mark for name in MARKS}
    widget.controller.overlay.set_resolution("patches")  # a new layer, a new bar
    assert shown(viewer) == {name: name != mark for name in MARKS}
    box.click()
    assert all(shown(viewer).values())


def test_marks_give_way_to_a_grid_and_come_back_as_they_were(widget, viewer) -> None:
    overlay, marks = widget.controller.overlay, widget.form.marks.marks
    marks["caption"].click()
    overlay.give_way(True)
    overlay.give_way(False)
    assert shown(viewer) == {name: name != "caption" for name in MARKS}
    overlay.give_way(True)
    marks["caption"].click()
    assert not shown(viewer)["caption"]  # the place belongs to the grid
    overlay.give_way(False)
    assert shown(viewer)["caption"]


def test_colours_are_chosen_per_kind_of_map(widget) -> None:
    box, controller = widget.form.marks, widget.controller
    assert box.colours["unsigned_colours"].values() == list(UNSIGNED_MAPS)
    choose(box.colours["unsigned_colours"], "viridis")
    assert base_name(controller.overlay.layer.colormap) == "viridis"
    assert not box.colours["signed_colours"].isVisibleTo(box)
    controller.show(controller.anatomy, explanation_of(head(), signed=True))
    assert base_name(controller.overlay.layer.colormap) == SIGNED_MAPS[0]
    assert box.colours["signed_colours"].isVisibleTo(box)
    choose(box.colours["signed_colours"], "coolwarm")
    assert base_name(controller.overlay.layer.colormap) == "coolwarm"
    controller.show(controller.anatomy, explanation_of(head()))
    assert base_name(controller.overlay.layer.colormap) == "viridis"


def test_colours_and_marks_are_remembered(qtbot, viewer, widget) -> None:
    from g3dvit_napari.plugin.recall import recall, remember
    from g3dvit_napari.plugin.settings import Settings

    settings = Settings()
    widget.form.marks.marks["letters"].click()
    choose(widget.form.marks.colours["signed_colours"], "coolwarm")
    remember(widget.form, settings)
    other = ExplainWidget(viewer)
    qtbot.addWidget(other)
    recall(other.form, settings)
    assert other.form.marks.values() == widget.form.marks.values()
    assert other.form.marks.values()["letters"] is False
    other.controller.close()


def test_next_overlay_has_the_same_marks(widget, viewer) -> None:
    widget.form.marks.marks["scale_bar"].click()
    choose(widget.form.marks.colours["unsigned_colours"], "magma")
    data, keywords = to_layer_data(head())
    widget.controller.show(viewer.add_image(data, **keywords), explanation_of(head()))
    assert not viewer.canvas.overlays["scale_bar"].visible
    assert base_name(widget.controller.overlay.layer.colormap) == "magma"


@pytest.mark.usefixtures("qtbot")
def test_colours_have_a_preview() -> None:
    image = preview("viridis").pixmap(44, 12).toImage()
    left, right = (image.pixelColor(x, 6) for x in (1, 42))
    assert right.lightness() > left.lightness() + 40
    assert right.green() > right.blue()


def test_marks_fit_and_can_be_reached_by_keys(qtbot) -> None:
    box = MarksBox()
    qtbot.addWidget(box)
    assert box.minimumSizeHint().width() <= 256
    mark = box.marks["letters"]
    qtbot.keyClick(mark, Qt.Key.Key_Space)
    assert not mark.isChecked()
    assert np.all([m.toolTip() and m.text() for m in box.marks.values()])
