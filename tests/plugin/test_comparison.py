"""Several methods side by side: their cells, their common threshold, and the way back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from made_heads import MARKER, blob, explanation_of, head
from napari.utils.io import imsave
from patience import rest
from pointer import click
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication
from scipy.ndimage import map_coordinates

from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin.comparing.comparison import SCALE_WORDS, Comparison
from g3dvit_napari.plugin.comparing.scale import OWN, common_scale
from g3dvit_napari.plugin.picture.layers import role_of, to_layer_data
from g3dvit_napari.plugin.picture.overlay import Overlay
from g3dvit_napari.plugin.picture.sides import Sides
from g3dvit_napari.plugin.threshold.wording import number
from g3dvit_napari.plugin.widget import ExplainWidget, open_form

THRESHOLD = Threshold("keep", 5.0, "voxels")


def cells(viewer: Any) -> dict[tuple[int, int], list[str]]:
    """What stands in every cell of the grid, hidden layers left out; of captions the title."""
    grid, found = viewer.canvas.grid, {}
    for index, layer in enumerate(viewer.layers):
        if layer.visible:
            title = layer.name.partition("\n")[0]
            found.setdefault(grid.position(index, viewer.layers), []).append(title)
    return found


def caption(viewer: Any, title: str) -> list[str]:
    """Return the lines above the cell of a title: the name of its anatomy."""
    (lines,) = [
        name
        for layer in viewer.layers
        if (name := layer.name.splitlines())[0] == title and len(name) > 1
    ]
    return lines


def copy_of(viewer: Any, title: str) -> Any:
    return next(layer for layer in viewer.layers if layer.name.startswith(f"{title}\n"))


def compare(viewer: Any, anatomy: Any, **looks: Any) -> Comparison:
    titled = [
        ("One", explanation_of(head())),
        ("Two", explanation_of(head(), lambda world: -blob(world), signed=True)),
        ("Three", explanation_of(head(), status="zero")),
    ]
    return Comparison(viewer, anatomy, titled, THRESHOLD, **looks)


def test_captions_say_what_of_what_where_and_how_strong(viewer: Any, anatomy: Any) -> None:
    viewer.canvas.size = (800, 900)  # height, width
    comparison = compare(viewer, anatomy)
    viewer.dims.set_point(0, 12.4)
    z = f"z = {viewer.dims.point[0]:g} mm"
    cuts = {cell.title: number(cell.cut(THRESHOLD)) for _, _, cell in comparison._cells}
    assert caption(viewer, "One") == [
        "One",
        "lesion, p = 95.0 %",
        f"top 5 %, ≥ {cuts['One']} · {z}",
    ]
    assert caption(viewer, "Two")[2] == f"top 5 %, from ±{cuts['Two']} · {z}"
    assert caption(viewer, "Three")[3] == "shows nothing: zero"
    viewer.dims.order = (2, 0, 1)
    comparison.set_threshold(Threshold("value", 0.4))
    assert caption(viewer, "One")[2] == "≥ 0.40 · x = 0 mm"
    viewer.dims.ndisplay = 3
    assert caption(viewer, "One")[2:] == ["≥ 0.40"]
    comparison.set_threshold(Threshold("none"))
    assert caption(viewer, "One")[2:] == ["uncut"]


def test_a_weak_map_says_so_on_the_common_scale(viewer: Any, anatomy: Any) -> None:
    strong, weak = explanation_of(head()), explanation_of(head())
    strong = replace(strong, scaled=replace(strong.scaled, limits=(0.0, 5.0)))
    weak = replace(weak, scaled=replace(weak.scaled, limits=(0.0, 0.4)))
    titled = [("strong", strong), ("weak", weak)]
    scale = common_scale(titled)
    comparison = Comparison(viewer, anatomy, titled, THRESHOLD, scale=scale)
    assert caption(viewer, "weak")[-1] == "peak 0.08 of the scale"
    assert viewer.layers["weak"].data.max() == pytest.approx(0.08, rel=0.05)
    assert caption(viewer, "strong")[-1] == "peak 1.00 of the scale"
    comparison.set_scale(OWN)
    assert "peak" not in "".join(caption(viewer, "weak"))


def test_a_class_is_not_said_twice(viewer: Any, anatomy: Any) -> None:
    titled = [("lesion", explanation_of(head())), ("healthy", explanation_of(head(), target=0))]
    Comparison(viewer, anatomy, titled, THRESHOLD)
    assert caption(viewer, "healthy")[:2] == ["healthy", "p = 5.0 %"]


def test_captions_and_heads_do_not_meet(viewer: Any, anatomy: Any) -> None:
    viewer.canvas.size = (800, 700)  # height, width
    Sides(viewer).turn("neurological")
    compare(viewer, anatomy)
    camera, cell = viewer.scene.camera, 400
    low, high = anatomy.extent.world[:, 1]
    top, bottom = (cell / 2 - camera.zoom * (y - camera.center[1]) for y in (high, low))
    lines = max(len(caption(viewer, title)) for title in ("One", "Two", "Three"))
    size = copy_of(viewer, "One").name_overlay.font_size
    assert top >= lines * size * 96 / 72  # no letter is higher than that
    assert bottom <= cell - 30  # the scale bar


def test_what_is_said_of_all_cells_lies_over_none_of_four_heads(viewer: Any, anatomy: Any) -> None:
    viewer.canvas.size = (800, 700)  # height, width
    Sides(viewer).turn("neurological")
    titled = [(name, explanation_of(head())) for name in ("One", "Two", "Three", "Four")]
    Comparison(viewer, anatomy, titled, THRESHOLD)
    camera, cell = viewer.scene.camera, 400
    lowest = anatomy.extent.world[0, 1]
    bottom = cell / 2 - camera.zoom * (lowest - camera.center[1])
    words = viewer.canvas.overlays[SCALE_WORDS]
    letters = words.font_size * 96 / 72 * len(words.text.splitlines())
    assert letters > 0
    assert bottom <= cell - 30 - letters


def test_contours_stand_in_every_cell(viewer: Any, anatomy: Any) -> None:
    comparison = compare(viewer, anatomy)
    before = cells(viewer)
    viewer.dims.set_point(0, float(MARKER[2]))
    comparison.set_edge("contour")
    lines = {layer.name: layer for layer in viewer.layers if role_of(layer) == "contour"}
    assert list(lines) == [f"{title} | contour" for title in ("Three", "Two", "One")]
    assert cells(viewer) == {
        place: [*names, f"{names[0]} | contour"] for place, names in before.items()
    }
    assert len(lines["One | contour"].data) > 0
    viewer.dims.set_point(0, viewer.dims.range[0].stop)  # above all maps: the cells stay
    assert [len(line.data) for line in lines.values()] == [0, 0, 0]
    assert len(cells(viewer)) == 3
    comparison.set_threshold(Threshold("none"))
    assert len([layer for layer in viewer.layers if role_of(layer) == "contour"]) == 3
    viewer.dims.ndisplay = 3
    assert cells(viewer) == before
    viewer.dims.ndisplay = 2
    assert len(viewer.layers) == 10
    comparison.set_edge("hard")
    assert cells(viewer) == before
    comparison.set_edge("contour")
    comparison.close()
    assert [layer.name for layer in viewer.layers] == [anatomy.name]


def test_the_contour_of_a_cell_lies_where_its_map_crosses_its_cut(
    viewer: Any, anatomy: Any
) -> None:
    comparison = compare(viewer, anatomy)
    viewer.dims.set_point(0, float(MARKER[2]))
    comparison.set_edge("contour")
    for title in ("One", "Two"):
        map_, _, cell = next(one for one in comparison._cells if one[2].title == title)
        line = viewer.layers[f"{title} | contour"]
        places = [map_.world_to_data(line.data_to_world(start)) for start in line.data[:, 0]]
        values = np.abs(map_coordinates(map_.data, np.transpose(places), order=1))
        assert len(values) > 10
        assert values == pytest.approx(cell.cut(THRESHOLD), abs=0.02)


@pytest.mark.parametrize("others", [0, 1, 2])
def test_every_cell_holds_an_anatomy_and_its_map(viewer: Any, anatomy: Any, others: int) -> None:
    for other in range(others):
        viewer.add_image(np.zeros((4, 5, 6)), name=f"of the user {other}")
    compare(viewer, anatomy)
    assert cells(viewer) == {
        (0, 0): ["One", "One"],
        (0, 1): ["Two", "Two"],
        (1, 0): ["Three", "Three"],
    }
    copies = [copy_of(viewer, title) for title in ("One", "Two", "Three")]
    assert all(copy.name_overlay.visible for copy in copies)
    assert all(layer.data is anatomy.data for layer in copies)
    assert all(np.allclose(layer.affine, anatomy.affine) for layer in copies)


def test_maps_share_scale_and_threshold_but_not_the_cut(viewer: Any, anatomy: Any) -> None:
    comparison = compare(viewer, anatomy)
    one, two = viewer.layers["One"], viewer.layers["Two"]
    assert tuple(one.contrast_limits) == (0, 1)
    assert tuple(two.contrast_limits) == (-1, 1)
    data = one.data, two.data
    for amount in (5.0, 40.0):
        threshold = Threshold("keep", amount, "voxels")
        comparison.set_threshold(threshold)
        for layer, _, cell in comparison._cells:
            explanation, cut = cell.explanation, cell.explanation.scaled.cut(threshold)
            assert cut is not None
            low, high = layer.colormap.map(
                np.array([cut - 0.01, cut + 0.01]) / (2 if explanation.signed else 1)
                + (0.5 if explanation.signed else 0)
            )[:, 3]
            assert low == 0 or cut < 0.02
            assert high > 0
    assert one.data is data[0]
    assert two.data is data[1]


def test_the_way_back_leaves_all_as_it_was(viewer: Any, anatomy: Any) -> None:
    overlay = Overlay(viewer, anatomy)
    overlay.show(explanation_of(head()))
    hidden = viewer.add_image(np.zeros((4, 5, 6)), name="hidden", visible=False)
    viewer.layers.selection = {anatomy}
    before = [(layer.name, layer.visible) for layer in viewer.layers]
    grid = viewer.canvas.grid
    grid.stride, grid.spacing = 3, 0.25
    for _ in range(3):
        comparison = compare(viewer, anatomy)
        assert not anatomy.visible
        comparison.close()
    assert [(layer.name, layer.visible) for layer in viewer.layers] == before
    assert (grid.enabled, grid.stride, grid.spacing) == (False, 3, 0.25)
    assert viewer.layers.selection == {anatomy}
    assert not hidden.visible


def test_a_layer_that_the_user_removed_is_no_trouble(viewer: Any, anatomy: Any) -> None:
    comparison = compare(viewer, anatomy)
    assert comparison.needs(viewer.layers["Two"])
    viewer.layers.remove("Two")
    viewer.layers.remove(copy_of(viewer, "One"))
    comparison.close()
    assert [layer.name for layer in viewer.layers] == [anatomy.name]


def test_slices_and_volume_have_their_looks(viewer: Any, anatomy: Any) -> None:
    comparison = compare(viewer, anatomy)
    viewer.dims.ndisplay = 3
    copy = copy_of(viewer, "One")
    assert copy.rendering == "attenuated_mip"
    assert viewer.layers["One"].opacity == 1
    viewer.dims.ndisplay = 2
    assert copy.opacity == anatomy.opacity
    comparison.close()


# Through the form, with a stand-in for the facade


@pytest.fixture
def widget(loaded_form: ExplainWidget) -> ExplainWidget:
    return loaded_form


def mark(box: Any, *names: str) -> None:
    for row in range(box.list.count()):
        item = box.list.item(row)
        variant = item.data(Qt.ItemDataRole.UserRole).variant
        if variant is not None:
            wanted = variant.value in names
            item.setCheckState(Qt.CheckState.Checked if wanted else Qt.CheckState.Unchecked)


def marked(box: Any) -> list[Any]:
    return [variant.value for variant in box.plan.variants]


def test_the_list_offers_what_the_network_serves(widget: ExplainWidget) -> None:
    box = widget.form.compare
    assert marked(box) == ["g3dvit", "libra_grad"]
    mark(box, "occlusion")
    assert not box.go.isEnabled()
    assert "at least two" in box.go.toolTip()
    mark(box, "occlusion", "rollout", "g3dvit")
    assert box.go.text() == "Compare 3"
    assert "No comparison" in box.back.toolTip()


def test_marked_methods_are_explained_for_one_class_and_shown(
    qtbot: Any, widget: ExplainWidget, viewer: Any, api: Any
) -> None:
    box, words = widget.form.compare, []
    widget.controller.lanes.progressed.connect(lambda _, stage: words.append(stage))
    mark(box, "g3dvit", "libra_grad", "rollout")
    with qtbot.waitSignal(widget.controller.comparison.changed):
        click(qtbot, box.go)
    rest(qtbot, widget)
    calls = api.of("explain")
    assert [call["method"] for call in calls] == ["g3dvit", "rollout", "libra_grad"]
    assert [call["target"] for call in calls] == [None, 1, 1]  # the class that was predicted
    assert cells(viewer)[0, 1] == ["Rollout", "Rollout"]
    assert any(word.startswith("1 of 3: G3D-ViT") for word in words)
    assert {role_of(layer) for layer in viewer.layers if layer.visible} == {"compared"}
    letters = [o for name, o in viewer.canvas.overlays.items() if name.startswith("g3dvit_side")]
    assert len(letters) == 4
    assert all(letter.gridded for letter in letters)
    click(qtbot, box.back)
    assert len(viewer.layers) == 1
    assert not box.back.isEnabled()


@pytest.mark.parametrize("reason", ["one map", "model", "volume", "own layer"])
def test_it_ends_when_something_else_is_wanted(
    qtbot: Any, widget: ExplainWidget, viewer: Any, anatomy: Any, reason: str
) -> None:
    with qtbot.waitSignal(widget.controller.comparison.changed):
        click(qtbot, widget.form.compare.go)
    rest(qtbot, widget)
    match reason:
        case "one map":
            widget.compute()
        case "model":
            widget.load_checkpoint("another.pth")
        case "volume":
            viewer.layers.remove(anatomy)
        case "own layer":
            viewer.layers.remove("LibraGrad")
    rest(qtbot, widget)
    assert not widget.controller.comparison.shown
    assert not viewer.canvas.grid.enabled
    assert "compared" not in {role_of(layer) for layer in viewer.layers}


def test_it_can_be_cancelled(qtbot: Any, widget: ExplainWidget, viewer: Any, api: Any) -> None:
    api.steps, api.pause = 50, 0.02
    click(qtbot, widget.form.compare.go)
    qtbot.waitUntil(lambda: widget.form.run.button.text() == "Cancel")
    with qtbot.waitSignal(widget.controller.lanes.cancelled):
        click(qtbot, widget.form.run.button)
    rest(qtbot, widget)
    assert api.stopped == 1
    assert len(viewer.layers) == 1


@pytest.mark.window
def test_four_methods_in_a_window(
    qtbot: Any, make_napari_viewer: Any, tiny_files: Any, screenshots: Any
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 860)
    data, keywords = to_layer_data(head())
    viewer.add_image(data, **keywords)
    widget = open_form(viewer)
    with qtbot.waitSignal(widget.controller.model_changed, timeout=60_000):
        widget.load_checkpoint(str(tiny_files / "vit.pth"))
    rest(qtbot, widget)
    widget.form.threshold.choose(Threshold("keep", 50.0, "voxels"))
    box = widget.form.compare
    mark(box, "g3dvit", "grad_cam", "hires_cam", "libra_grad")
    with qtbot.waitSignal(widget.controller.comparison.changed, timeout=60_000):
        click(qtbot, box.go)
    rest(qtbot, widget)
    for _ in range(10):
        QApplication.processEvents()
    picture = viewer.screenshot(canvas_only=True, flash=False)
    imsave(str(screenshots / "comparison.png"), picture)
    height, width = picture.shape[0] // 2, picture.shape[1] // 2
    for rows in (slice(0, height), slice(height, None)):
        for columns in (slice(0, width), slice(width, None)):
            coloured = np.ptp(picture[rows, columns, :3].astype(int), axis=-1) > 60
            assert coloured.sum() > 50  # a map in every cell
    click(qtbot, box.back)
    assert len(viewer.layers) == 1
