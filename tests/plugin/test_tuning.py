"""What stands under the threshold's slider: axes, words, figures, masks, and other maps."""

from __future__ import annotations

import numpy as np
import pytest
from made_heads import blob, explanation_of, head
from patience import rest
from qtpy.QtCore import QPoint, Qt

from g3dvit_napari.core.head import head_mask
from g3dvit_napari.core.types import Threshold, Volume
from g3dvit_napari.plugin.picture.layers import entry_of, to_layer_data
from g3dvit_napari.plugin.threshold.axes import LinearAxis, PercentileAxis
from g3dvit_napari.plugin.threshold.histogram import SIDE, Histogram
from g3dvit_napari.plugin.threshold.masks import is_mask, mask_on
from g3dvit_napari.plugin.threshold.wording import figures_of, words_of_cut
from g3dvit_napari.plugin.widget import ExplainWidget
from g3dvit_napari.summaries import extent_of


def against_and_for(centres: np.ndarray) -> np.ndarray:
    return blob(centres) - 0.6 * blob(centres, np.array([24.0, 12.0, 18.0]))


@pytest.fixture(scope="module")
def extent():
    return extent_of(explanation_of(head()).scaled)


@pytest.fixture(scope="module")
def signed_extent():
    return extent_of(explanation_of(head(), against_and_for, signed=True).scaled)


# Axes


def test_linear_axis_runs_along_the_values(extent, signed_extent) -> None:
    axis = LinearAxis(extent)
    assert axis.places(0.3) == pytest.approx((0.3,))
    assert axis.cut_at(0.3) == pytest.approx(0.3)
    assert axis.stepped(0.995, 1) == 1.0
    both = LinearAxis(signed_extent)
    assert both.places(0.5) == pytest.approx((0.25, 0.75))
    assert both.cut_at(0.25) == both.cut_at(0.75) == pytest.approx(0.5)
    bars = list(both.bars())
    assert bars[0].left < 0.3  # evidence against, down to some -0.5
    assert bars[-1].right > 0.95
    assert max(bar.height for bar in bars) == pytest.approx(1.0)


def test_percentile_axis_leaves_a_tenth_per_third(extent) -> None:
    axis = PercentileAxis(extent)
    for place, percentile in ((1 / 3, 90), (2 / 3, 99)):
        cut = axis.cut_at(place)
        assert cut == pytest.approx(np.percentile(extent.voxels.rising, percentile), rel=1e-2)
        assert axis.places(cut)[0] == pytest.approx(place, abs=5e-3)
    assert [text for _, text in axis.ticks()] == ["0", "50", "90", "99", "99.9"]
    heights = [bar.height for bar in axis.bars()]
    assert heights == sorted(heights)


def test_steps_along_the_percentiles_leave_ties_behind() -> None:
    values = np.zeros((6, 8, 6))
    values[2, 2, 2] = 1.0  # next to nothing but zeros

    def lonely(centres: np.ndarray) -> np.ndarray:
        return np.where((np.abs(centres) < 11).all(axis=0), 1.0, 0.0)

    axis = PercentileAxis(extent_of(explanation_of(head(), lonely).scaled))
    assert axis.stepped(0.0, 1) > 0
    assert axis.stepped(axis.stepped(0.0, 1), -10_000) == 0.0


# Histogram


@pytest.fixture
def histogram(qtbot, extent):
    histogram = Histogram()
    qtbot.addWidget(histogram)
    histogram.resize(216, 104)
    histogram.show()
    histogram.show_axis(LinearAxis(extent))
    histogram.show_cut(0.5)
    return histogram


def color_at(histogram, place: float, up: int = 3) -> tuple[int, int, int]:
    picture = histogram.grab().toImage()
    ratio = picture.devicePixelRatio()
    x, y = SIDE + place * (histogram.width() - 2 * SIDE), histogram.height() - 19 - up
    color = picture.pixelColor(int(x * ratio), int(y * ratio))
    return color.red(), color.green(), color.blue()


def test_what_is_kept_has_the_colours_of_the_map(histogram) -> None:
    histogram.show_colors(np.tile([1.0, 0.0, 0.0], (16, 1)), signed=False)
    red, green, _ = color_at(histogram, 0.8, up=1)
    assert red - green > 150
    red, green, blue = color_at(histogram, 0.2)
    assert max(red, green, blue) - min(red, green, blue) < 12
    histogram.show_cut(0.1)
    red, green, _ = color_at(histogram, 0.2)
    assert red - green > 150


def test_line_goes_where_mouse_and_keys_want_it(histogram, qtbot) -> None:
    heard: list[float] = []
    histogram.cut_wanted.connect(heard.append)
    place = QPoint(SIDE + 50, 60)  # the axis is 200 pixels long
    qtbot.mousePress(histogram, Qt.MouseButton.LeftButton, pos=place)
    assert heard[-1] == pytest.approx(0.25)
    assert histogram.places() == pytest.approx([SIDE + 50])
    for key, cut in (("Right", 0.26), ("PageUp", 0.36), ("Left", 0.35), ("Home", 0), ("End", 1)):
        qtbot.keyClick(histogram, getattr(Qt.Key, f"Key_{key}"))
        assert heard[-1] == pytest.approx(cut), key
    count = len(heard)
    qtbot.keyClick(histogram, Qt.Key.Key_A)
    assert len(heard) == count


def test_empty_histogram_asks_for_nothing(qtbot) -> None:
    histogram = Histogram()
    qtbot.addWidget(histogram)
    histogram.show_axis(None)
    heard: list[float] = []
    histogram.cut_wanted.connect(heard.append)
    qtbot.mousePress(histogram, Qt.MouseButton.LeftButton, pos=QPoint(50, 50))
    qtbot.keyClick(histogram, Qt.Key.Key_Right)
    assert heard == []
    assert histogram.grab().width() > 0  # painting nothing works, too


# Words


def test_a_cut_is_said_in_both_terms(extent, signed_extent) -> None:
    cut = float(np.percentile(extent.voxels.rising, 96.2))
    words = words_of_cut(extent, cut, Threshold("value", cut, "voxels"))
    assert words.endswith("= 96.2nd percentile = strongest 3.8\u00a0%")
    on_patches = words_of_cut(extent, cut, Threshold("value", cut, "patches"))
    share = 100 * (extent.patches.rising >= cut).mean()
    assert f"strongest {share:.1f}\u00a0%)" in on_patches
    assert words_of_cut(signed_extent, 0.5, Threshold("value", 0.5)).startswith("cut ±0.50 = ")
    assert words_of_cut(extent, None, Threshold("none")).startswith("No cut")


def test_small_shares_never_read_as_nothing(extent) -> None:
    few = float(extent.voxels.rising[-3])
    words = words_of_cut(extent, few, Threshold("value", few))
    share = 300 / extent.voxels.rising.size
    assert f"strongest {share:.3f}\u00a0%" in words
    assert "100.0" not in words
    figures = figures_of(extent.kept(2.0), 0)
    assert figures["Voxels kept"] == "0 (0.0\u00a0%)"
    assert figures["Inside"].startswith("—")


# Masks


def test_masks_are_labels_and_images_of_two_values(viewer) -> None:
    shape = (6, 7, 8)
    two = np.zeros(shape)
    two[3:, 3:, 3:] = 5
    assert is_mask(viewer.add_labels(np.ones(shape, int)))
    assert is_mask(viewer.add_image(two))
    assert not is_mask(viewer.add_image(np.random.default_rng(0).random(shape)))
    assert not is_mask(viewer.add_points(np.ones((2, 3))))
    data, keywords = to_layer_data(head())
    assert not is_mask(viewer.add_image(data, **keywords))


def test_mask_is_brought_onto_the_grid_of_the_map(viewer) -> None:
    volume = head("LPI", tilt_degrees=9.0)
    inside = head_mask(volume.data)
    data, keywords = to_layer_data(volume.like(inside.astype(np.uint8)))
    place = {name: keywords[name] for name in ("scale", "translate", "units", "metadata")}
    same = viewer.add_labels(data.astype(int), **place)
    assert np.array_equal(mask_on(same, volume), inside)
    finer = np.diag([0.5, 0.5, 0.5, 1.0])
    finer[:3, 3] = -0.25
    double = Volume(
        np.kron(inside, np.ones((2, 2, 2))).astype(np.uint8), volume.affine @ finer, "double"
    )
    data, keywords = to_layer_data(double)
    assert np.array_equal(mask_on(viewer.add_image(data, **keywords), volume), inside)


# The desk


@pytest.fixture
def widget(qtbot, viewer, api):  # noqa: ARG001
    widget = ExplainWidget(viewer)
    qtbot.addWidget(widget)
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    yield widget
    widget.controller.close()
    rest(qtbot, widget)


def show(qtbot, widget, volume=None, **named):
    volume = volume or head()
    data, keywords = to_layer_data(volume)
    layer = widget._viewer.add_image(data, **keywords)
    widget.controller.show(layer, explanation_of(volume, **named))
    rest(qtbot, widget)
    return layer


def test_figures_follow_the_cut(qtbot, widget) -> None:
    tuning = widget.form.threshold.tuning
    assert not tuning.histogram.isEnabled()
    assert "first" in tuning.apply.toolTip()
    show(qtbot, widget)
    voxels = widget.controller.explanation.scaled.voxels
    for cut in (0.5, 0.2):
        widget.controller.preview(Threshold("value", cut, "voxels"))
        count = int((voxels >= cut).sum())
        qtbot.waitUntil(lambda n=count: tuning.figures.text("Voxels kept").startswith(f"{n:,} ("))
        rest(qtbot, widget)
        assert tuning.figures.text("Volume") == f"{count * 63 / 1000:.3g} mL"  # 4 x 3.5 x 4.5
        assert tuning.figures.text("Clusters") == "1"
        assert tuning.histogram.cut == pytest.approx(cut)
    widget.controller.release()
    assert tuning.figures.text("Voxels kept") == "—"
    assert not tuning.histogram.isEnabled()


def test_share_inside_a_mask_of_the_user(qtbot, widget, viewer) -> None:
    layer = show(qtbot, widget)
    tuning = widget.form.threshold.tuning
    left = np.zeros(layer.data.shape, int)
    left[:, :, :17] = 1  # x < 0 and the middle: the marker is on the left
    mask = viewer.add_labels(left, name="left half", scale=layer.scale, translate=layer.translate)
    assert "left half" in [tuning.masks.itemText(n) for n in range(tuning.masks.count())]
    tuning.masks.choose(str(mask.unique_id))
    rest(qtbot, widget)
    explanation = widget.controller.explanation
    seen = explanation.field_of_view.data > 0
    chance = 100 * left.transpose()[seen].mean()
    assert tuning.figures.text("Inside") == f"100\u00a0% (chance {chance:.0f}\u00a0%)"
    before = tuning.figures.text("Inside")
    mask.brush_size, mask.n_edit_dimensions = 12, 3
    mask.paint((14, 20, 28), 1)
    rest(qtbot, widget)
    assert tuning.figures.text("Inside") != before
    chance = 100 * (mask.data > 0).transpose()[seen].mean()
    assert f"(chance {chance:.0f}\u00a0%)" in tuning.figures.text("Inside")
    # Measured at the first word of it, before napari has written the values.
    mask.events.paint.connect(lambda _event: rest(qtbot, widget), position="last")
    mask.paint((14, 20, 18), 1)
    rest(qtbot, widget)
    again = 100 * (mask.data > 0).transpose()[seen].mean()
    assert f"{again:.0f}" != f"{chance:.0f}"
    assert f"(chance {again:.0f}\u00a0%)" in tuning.figures.text("Inside")
    for change, share in [(mask.undo, chance), (mask.redo, again)]:
        change()
        rest(qtbot, widget)
        assert f"(chance {share:.0f}\u00a0%)" in tuning.figures.text("Inside")
    mask.data = np.zeros_like(mask.data)
    rest(qtbot, widget)
    assert tuning.figures.text("Inside") == "— (mask empty here)"
    viewer.layers.remove(mask)  # back to the head
    rest(qtbot, widget)
    assert tuning.masks.value() == ""
    assert f"chance {chance:.0f}\u00a0%" not in tuning.figures.text("Inside")


@pytest.mark.parametrize(
    ("kind", "found"), [("keep", "keep"), ("mass", "mass"), ("otsu", "value"), ("value", "value")]
)
def test_wanted_cut_becomes_an_amount_of_the_kind(qtbot, widget, kind, found) -> None:
    show(qtbot, widget)
    box = widget.form.threshold
    box.choose(Threshold(kind, 20.0 if kind in ("keep", "mass") else 0.5, "voxels"))
    box.tuning.cut_wanted.emit(0.4321)
    asked = box.threshold()
    assert asked.kind == found
    scaled = widget.controller.explanation.scaled
    assert scaled.cut(asked) == pytest.approx(0.4321, abs=0.01)
    shown = f"{asked.amount:.{box.slider.decimals()}f}"
    assert float(shown) == asked.amount  # the field says exactly what is asked for


def test_all_maps_are_cut_at_their_own_value(qtbot, widget, viewer) -> None:
    tuning = widget.form.threshold.tuning
    narrow = show(qtbot, widget)
    assert "one map only" in tuning.apply.toolTip()
    scaled = widget.controller.explanation.scaled
    show(qtbot, widget, head(spacing=(5.0, 4.0, 4.0)), patch=(4, 4, 4))
    assert tuning.apply.isEnabled()
    other = next(m for m in viewer.layers if entry_of(m).get("anatomy") == str(narrow.unique_id))
    threshold = Threshold("keep", 3.0, "voxels")
    widget.form.threshold.choose(threshold)
    widget.form.view.switches["edge"].choose("hard")
    before = other.data.copy()
    tuning.apply_requested.emit()
    rest(qtbot, widget)
    cut = scaled.cut(threshold)
    assert 0 < cut < 1
    alpha = other.colormap.map(np.array([cut - 0.01, cut + 0.01]))[:, 3]
    assert alpha[0] == 0
    assert alpha[1] > 0
    assert np.array_equal(other.data, before)
    assert entry_of(other)["request"]["threshold"]["amount"] == 3.0
    assert tuning.applied.text().startswith("1 map of other volumes")


def test_maps_of_another_day_are_cut_where_that_can_be_done(qtbot, widget) -> None:
    show(qtbot, widget)
    show(qtbot, widget, head(spacing=(5.0, 4.0, 4.0)))
    widget._detach()
    widget._attach()  # the form was closed and opened: values are forgotten, layers are not
    show(qtbot, widget, head(spacing=(4.0, 4.0, 4.0)))
    tuning, box = widget.form.threshold.tuning, widget.form.threshold
    box.choose(Threshold("keep", 3.0, "voxels"))
    tuning.apply_requested.emit()
    rest(qtbot, widget)
    assert tuning.applied.text().startswith("0 maps")
    assert "explain them again" in tuning.applied.text()
    box.choose(Threshold("value", 0.7, "voxels"))
    tuning.apply_requested.emit()
    rest(qtbot, widget)
    assert tuning.applied.text() == "2 maps of other volumes cut so."
