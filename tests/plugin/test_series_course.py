"""The time course without a window: what is kept, what is made of it again, what is plotted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_heads import blob, explanation_of, head
from napari.layers import Image, Labels

from g3dvit_napari import api
from g3dvit_napari.core.types import Explanation, Threshold
from g3dvit_napari.plugin.controls.panels import Line, Panel
from g3dvit_napari.plugin.picture.layers import series_layer_data, to_layer_data
from g3dvit_napari.plugin.series.axes import TimeAxis, round_step, round_top
from g3dvit_napari.plugin.series.course import Course, fingerprint
from g3dvit_napari.plugin.series.frames import chosen_frames, seconds_per_frame
from g3dvit_napari.plugin.series.kept import KeptCourses
from g3dvit_napari.plugin.series.panels import probabilities
from g3dvit_napari.plugin.series.plot import Plot
from g3dvit_napari.plugin.series.regions import Region, mask_of
from g3dvit_napari.plugin.series.table import rows_of

CUT = Threshold("keep", 5.0, "voxels")


def explained(strength: float = 1.0, signed: bool = False, shift: float = 0.0) -> Explanation:
    """An explanation whose raw map is so strong, with limits as a method's would have."""
    found = explanation_of(head(), lambda at: blob(at + shift), signed=signed, threshold=CUT)
    raw = found.patch_map.like(found.patch_map.data * strength)
    low = 0.0 if signed else float(raw.data.min())
    limits = (low, float(np.abs(raw.data).max()))
    tokens = found.scaled.placement.tokens_of(raw)
    scaled = replace(found.scaled, patches=(tokens - low) / (limits[1] - limits[0]), limits=limits)
    shown, cut = scaled.shown(CUT)
    return replace(
        found,
        patch_map=raw,
        scaled=scaled,
        relevance=found.relevance.like(shown),
        cut=cut,
        provenance={"model": "m"},
    )


def course_of(*found: Explanation) -> Course:
    course = Course("layer", replace(found[0].request, threshold=Threshold()), len(found) + 1)
    for number, explanation in enumerate(found):
        course.keep(number, explanation, number)
    return course


@pytest.mark.parametrize("signed", [False, True])
def test_what_is_kept_gives_the_explanation_again(signed) -> None:
    asked = explained(3.0, signed)
    again = course_of(asked).explanation(0, head(), CUT, "own")
    np.testing.assert_allclose(again.relevance.data, asked.relevance.data, atol=1e-6)
    np.testing.assert_allclose(again.patch_map.data, asked.patch_map.data, rtol=1e-6)
    np.testing.assert_allclose(again.patch_map.affine, asked.patch_map.affine)
    assert again.cut == pytest.approx(asked.cut)
    assert again.prediction == asked.prediction
    assert again.request == asked.request
    assert again.scaled.limits == pytest.approx(asked.scaled.limits)


@pytest.mark.parametrize("method", ["g3dvit", "libra_grad", "saliency"])
@pytest.mark.parametrize("stage", ["patches", "voxels"])
def test_what_a_network_said_comes_back_bit_by_bit(method, stage, tiny_model, tiny_volume) -> None:
    cut = Threshold("keep", 20.0, stage)
    asked = api.explain(tiny_volume, tiny_model, method, threshold=cut)
    again = course_of(asked).explanation(0, tiny_volume, cut, "own")
    for name in ("relevance", "patch_map", "field_of_view"):
        one, other = getattr(asked, name), getattr(again, name)
        assert np.array_equal(one.data, other.data, equal_nan=True), name
    for name in ("cut", "status", "message", "target", "signed", "request", "prediction"):
        assert getattr(again, name) == getattr(asked, name), name
    assert again.scaled.limits == asked.scaled.limits


def test_a_frame_keeps_its_own_map_only(tiny_model, tiny_volume) -> None:
    one, *_ = api.explain_classes(tiny_volume, tiny_model, "g3dvit")
    course = course_of(one)
    raw = course.frames[0].raw
    assert raw.base is None
    assert raw.nbytes == one.patch_map.data.nbytes


def test_another_threshold_is_cut_from_what_is_kept() -> None:
    course, other = course_of(explained()), Threshold("value", 0.7, "patches")
    again = course.explanation(0, head(), other, "own", lasting=False)
    shown, cut = explained().scaled.shown(other)
    np.testing.assert_allclose(again.relevance.data, shown, atol=1e-6)
    assert (again.cut, again.request.threshold) == (cut, other)


def test_common_scale_shows_a_weaker_frame_weaker() -> None:
    course = course_of(explained(1.0, True), explained(4.0, True))
    weak, strong = (course.explanation(n, head(), CUT, "common") for n in (0, 1))
    assert np.nanmax(weak.scaled.patches) == pytest.approx(0.25)
    assert np.nanmax(strong.scaled.patches) == pytest.approx(1.0)
    assert weak.provenance["scale"] == "common to 2 frames"
    own = course.explanation(0, head(), CUT, "own")
    assert np.nanmax(own.scaled.patches) == pytest.approx(1.0)
    assert "scale" not in own.provenance


def test_maps_that_show_nothing_do_not_widen_the_common_scale() -> None:
    nothing = replace(explained(9.0), status="rounding noise", message="noise")
    course = course_of(explained(2.0), nothing)
    assert course.limits(0, "common") == course.limits(0, "own")
    assert not course.explanation(1, head(), CUT, "common").scaled.patches.any()


def test_a_frame_takes_its_patches_and_the_oldest_go_first() -> None:
    size = explained().patch_map.data.nbytes
    kept = KeptCourses(most_bytes=2 * size)
    course = kept.course("layer", explained().request, 3)
    for number in range(3):
        course.keep(number, explained(), number)
        kept.trim()
    assert course.numbers == [1, 2]
    assert kept.nbytes == 2 * size


def test_courses_are_told_apart_by_class_but_not_by_threshold() -> None:
    kept, request = KeptCourses(), explained().request
    course = kept.course("layer", request, 3)
    assert kept.course("layer", replace(request, threshold=Threshold("none")), 3) is course
    assert kept.course("layer", replace(request, target=0), 3) is not course
    assert kept.course("other", request, 3) is not course
    assert kept.of_question("layer", request).keys() == {1, 0}


def test_frames_and_their_times() -> None:
    assert chosen_frames("every", 7, 3, 2) == [0, 3, 6]
    assert chosen_frames("all", 3, 2, 2) == [0, 1, 2]
    assert chosen_frames("this", 7, 3, 2) == [2]
    assert chosen_frames("mean", 7, 3, 2) == ["mean"]
    volume = head()
    frames = np.stack([volume.data.transpose()] * 3)
    for seconds, expected in ((2.5, 2.5), (None, None)):
        data, keywords = series_layer_data(frames, volume, seconds)
        assert seconds_per_frame(Image(data, **keywords)) == expected
    assert seconds_per_frame(Image(frames)) is None  # pixels are no seconds


def test_a_changed_voxel_changes_the_fingerprint() -> None:
    volume = head()
    before = fingerprint(volume)
    volume.data[4, 5, 6] += 1
    assert fingerprint(volume) != before


@pytest.mark.parametrize("tilt", [0.0, 12.0])
def test_a_region_drawn_on_another_grid_lies_where_it_was_drawn(tilt) -> None:
    volume = head(tilt_degrees=tilt)
    data, keywords = to_layer_data(volume)
    anatomy = Image(data, **keywords)
    marked = np.zeros(data.shape, dtype=np.uint8)
    marked[10:14, 20:26, 8:15] = 3
    place = {name: keywords[name] for name in ("scale", "translate", "units", "axis_labels")}
    placement = explanation_of(volume).scaled.placement
    seen = placement.field_of_view > 0
    expected = (marked == 3).transpose() & seen
    region = Region("r", Labels(marked, **place), 3)
    np.testing.assert_array_equal(mask_of(region, placement, anatomy), expected)
    fine = {**place, "scale": tuple(s / 2 for s in place["scale"])}
    fine["translate"] = tuple(
        t - s / 4 for t, s in zip(place["translate"], place["scale"], strict=True)
    )
    finer = marked.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    four = Labels(
        np.stack([finer * 0, finer]),
        scale=(1, *fine["scale"]),
        translate=(0, *fine["translate"]),
        units=("s", *fine["units"]),
    )
    np.testing.assert_array_equal(mask_of(Region("r", four), placement, anatomy), expected)
    assert not mask_of(Region("r", four, 2), placement, anatomy).any()


def test_time_axis_finds_the_frame_under_a_place_and_round_ticks() -> None:
    axis = TimeAxis(40, 30.0, 270.0, 2.0)
    assert [axis.frame_at(axis.x(n)) for n in (0, 17, 39)] == [0, 17, 39]
    assert axis.frame_at(0) == 0
    assert axis.frame_at(999) == 39
    ticks = axis.ticks(5)
    assert [words for _, words in ticks] == ["0", "20", "40", "60"]
    assert ticks[1][0] == pytest.approx(axis.x(10))
    assert axis.words(3) == "frame 3 · 6 s"
    assert round_step(3, 9, least=1.0) == 1.0
    assert [round_top(v) for v in (0.34, 0.35, 7.2, 0.0)] == pytest.approx([0.35, 0.35, 7.5, 1.0])


def test_the_explained_class_is_plotted_first_and_alone_unless_all_are_asked() -> None:
    course = course_of(explained(), explained())
    one, both = probabilities(course, False), probabilities(course, True)
    assert [line.name for line in one.lines] == ["lesion"]
    assert [line.name for line in both.lines] == ["lesion", "healthy"]
    assert one.lines[0].values == {0: 0.95, 1: 0.95}


def test_the_table_has_a_row_per_frame_and_a_column_per_region() -> None:
    course = course_of(explained(), explained())
    course.shares[Region("spot")] = {1: 0.25}
    rows = [dict(zip(rows_of(course, 2.0)[0], row, strict=True)) for row in rows_of(course, 2.0)]
    assert [row["seconds"] for row in rows[1:]] == ["0", "2"]
    assert [row["share spot"] for row in rows[1:]] == ["n/a", "0.25"]
    assert rows[1]["p lesion"] == "0.95"
    assert rows[1]["class"] == "lesion"


def ink_at_the_left_edge(plot: Plot, high: float) -> int:
    """Return how many pixels of the plot's first column differ from its background."""
    plot.show_panels((Panel("share", (Line("head", {0: high}, "#1a9e77"),), 0.0, high),), 3)
    column = [plot.grab().toImage().pixel(0, row) for row in range(plot.height())]
    return sum(pixel != column[0] for pixel in column)


@pytest.mark.parametrize("high", [1.0, 0.075, 0.000123, 123456.7])
def test_numbers_beside_the_plot_are_written_in_full(qtbot, high) -> None:
    plot = Plot()
    qtbot.addWidget(plot)
    font = plot.font()
    font.setPointSizeF(14.0)
    plot.setFont(font)
    plot.resize(260, 240)
    assert ink_at_the_left_edge(plot, high) == 0
    assert plot.axis.left < 130
