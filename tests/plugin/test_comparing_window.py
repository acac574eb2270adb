"""Comparing in a real window, by mouse: classes, random weights, a difference, and the way back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from patience import rest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication
from scipy import stats

from g3dvit_napari.plugin.picture.layers import role_of
from g3dvit_napari.plugin.widget import ExplainWidget, open_form

pytestmark = pytest.mark.window


@pytest.fixture
def viewer(make_napari_viewer: Any) -> Any:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1280, 860)
    return viewer


@pytest.fixture
def widget(qtbot: Any, viewer: Any, tiny_files: Any) -> Iterator[ExplainWidget]:
    widget = open_form(viewer)
    with qtbot.waitSignal(widget.controller.volume_opened, timeout=20_000):
        widget.controller.open_volume(str(tiny_files / "scan.nii.gz"))
    with qtbot.waitSignal(widget.controller.model_changed, timeout=20_000):
        widget.load_checkpoint(str(tiny_files / "vit.pth"))
    rest(qtbot, widget)  # until then the button cancels
    widget.form.run.live.setChecked(False)
    widget.form.question.methods.choose("libra_grad")
    with qtbot.waitSignal(widget.controller.explained, timeout=20_000):
        click(widget.form.run.button)
    rest(qtbot, widget)
    widget.form.turn_to("Compare")
    yield widget
    rest(qtbot, widget)


def click(button: Any) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def choose(choice: Any, value: Any) -> None:
    """Step to an option with the arrow keys, as a user may."""
    choice.setFocus()
    steps = choice.values().index(value) - choice.currentIndex()
    for _ in range(abs(steps)):
        QTest.keyClick(choice, Qt.Key.Key_Down if steps > 0 else Qt.Key.Key_Up)


def tick(box: Any, row: int) -> None:
    """Press the space bar on a line of the list."""
    box.list.setCurrentRow(row)
    QTest.keyClick(box.list, Qt.Key.Key_Space)


def compare(qtbot: Any, widget: ExplainWidget, kind: str) -> None:
    choose(widget.form.compare.kinds, kind)
    with qtbot.waitSignal(widget.controller.comparison.changed, timeout=20_000):
        click(widget.form.compare.go)
    rest(qtbot, widget)


def state(viewer: Any) -> dict[str, Any]:
    camera, grid = viewer.scene.camera, viewer.canvas.grid
    return {
        "layers": [(layer.name, layer.visible) for layer in viewer.layers],
        "active": viewer.layers.selection.active,
        "camera": (*np.round(camera.center, 4), round(camera.zoom, 4)),
        "grid": (grid.enabled, grid.stride, grid.spacing),
        "point": viewer.dims.point,
        "overlays": {name: o.visible for name, o in viewer.canvas.overlays.items()},
    }


def picture(viewer: Any) -> np.ndarray:
    for _ in range(5):
        QApplication.processEvents()
    shot: np.ndarray = viewer.screenshot(canvas_only=True, flash=False)[..., :3]
    return shot.astype(int)


def test_two_classes_on_one_scale_and_back(qtbot: Any, viewer: Any, widget: Any) -> None:
    viewer.scene.camera.zoom *= 1.2
    before, seen = state(viewer), picture(viewer)
    box, comparison = widget.form.compare, widget.controller.comparison
    choose(box.kinds, "classes")
    tick(box, 2)  # the third class is not wanted
    assert box.go.text() == "Compare 2"
    compare(qtbot, widget, "classes")
    titled = comparison.compared.titled
    assert [e.target_name for _, e in titled] == ["AD", "CN"]
    raw = [e.patch_map.data for _, e in titled]
    largest = max(np.abs(values).max() for values in raw)
    assert f"1 = {largest:.3g}, " in widget.form.difference.scale_note.text()
    for (title, explanation), values in zip(titled, raw, strict=True):
        native = explanation.scaled.placement.to_native(
            explanation.scaled.placement.tokens_of(explanation.patch_map) / largest
        )
        assert np.allclose(viewer.layers[title].data.transpose(), np.nan_to_num(native), atol=1e-5)
        (words,) = [
            n.splitlines() for one in viewer.layers if (n := one.name).startswith(title + "\n")
        ]
        share = np.abs(values).max() / largest
        assert words[1] == f"p = {100 * explanation.probability:.1f} %"
        assert words[2].startswith(("top 5 %, ≥ 0.", "top 5 %, from ±0."))
        assert re.search(r"z = -?[\d.]+ mm", "\n".join(words[2:4]))
        assert float(words[-1].removeprefix("peak ").split()[0]) == pytest.approx(share, abs=0.006)
        assert values.any()
    left, right = np.array_split(picture(viewer), 2, axis=1)
    assert np.ptp(left, axis=-1).max() > 60  # colour in both cells
    assert np.ptp(right, axis=-1).max() > 60
    click(box.back)
    assert state(viewer) == before
    again = picture(viewer)  # long names have widened the list of layers
    width = 2 * (min(again.shape[1], seen.shape[1]) // 2 - 100)  # no letters, no colour bar
    shots = [shot[:, shot.shape[1] // 2 - width // 2 :][100:-100, :width] for shot in (again, seen)]
    assert np.abs(shots[0] - shots[1]).mean() < 3


def test_the_network_against_random_weights_and_their_difference(
    qtbot: Any, viewer: Any, widget: Any, screenshots: Any
) -> None:
    box, comparison = widget.form.difference, widget.controller.comparison
    compare(qtbot, widget, "randomised")
    (_, original), (_, drawn) = comparison.compared.titled
    assert original.provenance["checkpoint"]["notes"] != drawn.provenance["checkpoint"]["notes"]
    assert original.target == drawn.target
    with qtbot.waitSignal(comparison.difference_changed, timeout=20_000):
        click(box.go)
    maps = [e.patch_map.data.ravel() for e in (original, drawn)]  # all in the field of view
    rho = stats.spearmanr(*maps).statistic
    count = -(-maps[0].size * 5 // 100)
    tops = [set(np.argsort(-np.abs(values))[:count]) for values in maps]
    dice = len(tops[0] & tops[1]) / count
    for words in (
        f"ρ {rho:.3f} · {maps[0].size} patches",
        f"top 5 %: {dice:.3f} (chance {count / maps[0].size:.3f})",
    ):
        assert words in box.figures.text()
    largest = max(np.abs(values).max() for values in maps)
    voxels = [e.scaled.voxels * e.scaled.limits[1] / largest for e in (original, drawn)]
    layer = comparison.difference_layer
    assert np.allclose(layer.data.transpose(), np.nan_to_num(voxels[0] - voxels[1]), atol=1e-5)
    low, high = layer.contrast_limits
    assert -low == high >= np.abs(layer.data).max()
    from napari.utils.io import imsave

    imsave(str(screenshots / "difference.png"), picture(viewer).astype(np.uint8))
    click(widget.form.compare.back)
    assert len(viewer.layers) == 2
    assert box.figures.isHidden()


def test_contours_in_all_cells_at_a_click_and_the_way_back(
    qtbot: Any, viewer: Any, widget: Any, screenshots: Any
) -> None:
    click(widget.form.view.peak)
    before = state(viewer)
    compare(qtbot, widget, "classes")
    hard, layers = picture(viewer), len(viewer.layers)
    widget.form.turn_to("Explain")
    edges = widget.form.view.switches["edge"]
    click(edges.button("contour"))
    lined = picture(viewer)
    assert len(viewer.layers) == layers + 3
    lines = [layer for layer in viewer.layers if role_of(layer) == "contour"]
    assert len(lines) == 3
    assert sum(len(line.data) for line in lines) > 10
    assert (np.abs(lined - hard).max(axis=-1) > 60).sum() > 100
    from napari.utils.io import imsave

    imsave(str(screenshots / "contours_compared.png"), lined.astype(np.uint8))
    click(widget.form.compare.back)
    click(edges.button("hard"))
    assert state(viewer) == before


def test_closing_the_dock_in_the_middle_is_clean(qtbot: Any, viewer: Any, widget: Any) -> None:
    before = [layer.name for layer in viewer.layers]
    choose(widget.form.compare.kinds, "layers")
    widget.form.question.methods.choose("grad_cam")
    click(widget.form.compare.go)
    qtbot.waitUntil(lambda: widget.controller.lanes.busy)
    viewer.window.remove_dock_widget(widget)
    rest(qtbot, widget)
    assert not widget.controller.comparison.shown
    assert [layer.name for layer in viewer.layers] == before
    assert not viewer.canvas.grid.enabled
    widget.close()
