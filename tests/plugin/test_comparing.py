"""Classes, layers, checkpoints, random weights: what is asked, on which scale, and differences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_heads import MARKER, blob, explanation_of, head
from patience import rest
from pointer import click
from qtpy.QtCore import Qt
from scipy import stats
from stand_in import StandIn

from g3dvit_napari.core.errors import G3DViTError
from g3dvit_napari.core.types import Explanation, ExplanationRequest, Threshold
from g3dvit_napari.io.nifti import read_volume
from g3dvit_napari.plugin import jobs
from g3dvit_napari.plugin.comparing import jobs as comparing
from g3dvit_napari.plugin.comparing.comparison import SCALE_WORDS, Comparison
from g3dvit_napari.plugin.comparing.kinds import Plan, Variant, items_of, why_not
from g3dvit_napari.plugin.comparing.scale import OWN, common_scale
from g3dvit_napari.plugin.picture.layers import to_layer_data
from g3dvit_napari.plugin.widget import ExplainWidget
from g3dvit_napari.summaries.agreement import agreement_of

VOXELS = Threshold("keep", 5.0, "voxels")


def report(_fraction: float, _stage: str) -> None:
    """Nobody listens."""


def raw(explanation: Explanation, low: float, high: float) -> Explanation:
    """Return an explanation whose raw values run from low to high."""
    return replace(explanation, scaled=replace(explanation.scaled, limits=(low, high)))


@pytest.fixture
def model(api: StandIn) -> jobs.LoadedModel:  # noqa: ARG001 - no network is run
    return jobs.load_model("somewhere/vit.pth", "", "cpu", report)


def inquiry(model: jobs.LoadedModel, **request: Any) -> jobs.Inquiry:
    return jobs.Inquiry(model, head, ExplanationRequest(**request))


def plan(kind: Any, *values: Any, **more: Any) -> Plan:
    return Plan(kind, tuple(Variant(str(value), value) for value in values), **more)


# What is asked


def test_classes(api: StandIn, model: jobs.LoadedModel) -> None:
    found = comparing.compare(inquiry(model), plan("classes", 0, 1), report)
    assert [call["target"] for call in api.of("explain")] == [0, 1]
    assert [title for title, _ in found.titled] == ["0", "1"]


def test_layers_keep_the_other_parameters(api: StandIn, model: jobs.LoadedModel) -> None:
    asked = inquiry(model, target=0, parameters={"pooling": "max", "block": -1})
    comparing.compare(asked, plan("layers", 0, 2), report)
    calls = api.of("explain")
    assert [(c["block"], c["pooling"], c["target"]) for c in calls] == [
        (0, "max", 0),
        (2, "max", 0),
    ]


def test_checkpoints_are_loaded_and_one_that_fails_leaves_the_others(
    api: StandIn, model: jobs.LoadedModel
) -> None:
    api.broken = {"b.pth"}
    wanted = plan("checkpoints", "original", "a.pth", "b.pth", "c.pth")
    found = comparing.compare(inquiry(model), wanted, report)
    assert [call["path"] for call in api.of("load_model")[1:]] == ["a.pth", "b.pth", "c.pth"]
    assert [title for title, _ in found.titled] == ["original", "a.pth", "c.pth"]
    assert found.failed == ("b.pth: b.pth is damaged; copy it again",)
    api.broken = {"a.pth", "b.pth"}
    with pytest.raises(G3DViTError, match=r"a\.pth is damaged(.|\n)*b\.pth is damaged"):
        comparing.compare(inquiry(model), plan("checkpoints", "original", "a.pth", "b.pth"), report)


def test_the_class_of_another_network_goes_by_its_name(
    api: StandIn, model: jobs.LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"turned.pth": ("lesion", "healthy"), "strange.pth": ("cat", "dog")}

    def load(path: str, *_: Any) -> Any:
        api.handle = replace(api.handle, class_names=names[path])
        return api.handle

    loaded = model.handle
    monkeypatch.setattr(api, "load_model", load)
    original = api.explain
    monkeypatch.setattr(
        api,
        "explain",
        lambda v, m, *a, **k: (setattr(api, "handle", m), original(v, m, *a, **k))[1],
    )
    wanted = plan("checkpoints", "original", "turned.pth", "strange.pth")
    found = comparing.compare(inquiry(model), wanted, report)
    assert [call["target"] for call in api.of("explain")] == [None, 0]  # "lesion" was predicted
    assert "no class 'lesion', only cat, dog" in found.failed[0]
    assert model.handle is loaded


def test_random_weights(api: StandIn, model: jobs.LoadedModel) -> None:
    words: list[str] = []
    wanted = plan("randomised", "original", "all", 1, seed=7)
    found = comparing.compare(inquiry(model), wanted, lambda _, stage: words.append(stage))
    drawn = [(call["seed"], call["down_to"]) for call in api.of("randomised")]
    assert drawn == [(7, None), (7, 1)]
    assert [call["target"] for call in api.of("explain")] == [None, 1, 1]
    assert "2 of 3: all, drawing new weights" in words
    assert len(found.titled) == 3


def test_what_is_on_offer(model: jobs.LoadedModel, api: StandIn) -> None:
    def marked(kind: Any, *files: str) -> list[Any]:
        return [i.variant.value for i in items_of(kind, model, files) if i.variant and i.marked]

    assert marked("classes") == [0, 1]
    assert marked("layers") == [0, 1, 2]
    model.handle.blocks = 12
    assert marked("layers") == [0, 4, 7, 11]
    assert marked("checkpoints", "x/a.pth") == ["original", "x/a.pth"]
    assert marked("randomised") == ["original", "all"]
    entries = api.METHODS
    assert why_not("layers", model, entries["g3dvit"]) == ""
    assert "looks at no single block" in why_not("layers", model, entries["libra_grad"])
    assert "same map for every class" in why_not("classes", model, entries["rollout"])
    model.handle.blocks = 1
    assert "no two blocks" in why_not("layers", model, entries["g3dvit"])


# Scales


def test_the_common_scale_shows_raw_values_as_shares_of_the_largest() -> None:
    weak = raw(explanation_of(head()), 0.5, 1.5)
    strong = raw(explanation_of(head(), signed=True), 0.0, 4.0)
    zero = raw(explanation_of(head(), status="zero"), 0.0, 9.0)
    scale = common_scale([("weak", weak), ("strong", strong), ("zero", zero)])
    assert (scale.largest, scale.whose) == (4.0, "strong")
    own = weak.scaled.voxels
    assert np.allclose(scale.voxels(weak), (0.5 + own) / 4, equal_nan=True)
    assert np.allclose(scale.voxels(strong), strong.scaled.voxels, equal_nan=True)
    assert OWN.voxels(weak) is own
    assert common_scale([("zero", zero)]) == OWN
    for threshold in (VOXELS, Threshold("mass", 40.0, "patches"), Threshold("absolute", 0.8)):
        cut = weak.scaled.cut(threshold)
        assert scale.cut(weak, threshold) == pytest.approx((0.5 + cut) / 4)
    assert scale.cut(weak, Threshold("absolute", 0.8)) == pytest.approx(0.2)
    assert scale.cut(weak, Threshold("value", 0.3)) == 0.3  # as it stands on the colour bar
    assert scale.cut(weak, Threshold("none")) is None


def test_switching_the_scale_changes_what_is_drawn_and_drops_the_difference(viewer: Any) -> None:
    data, keywords = to_layer_data(head())
    anatomy = viewer.add_image(data, **keywords)
    titled = [
        ("A", raw(explanation_of(head()), 0.0, 1.0)),
        ("B", raw(explanation_of(head()), 0.0, 4.0)),
    ]
    comparison = Comparison(viewer, anatomy, titled, VOXELS)
    before = viewer.layers["A"].data.copy()
    scale = common_scale(titled)
    comparison.show_difference(difference(*titled, OWN))
    comparison.set_scale(scale)
    assert comparison.difference is None
    assert np.allclose(viewer.layers["A"].data, before / 4)
    assert np.allclose(viewer.layers["B"].data, before)
    assert viewer.canvas.overlays[SCALE_WORDS].text == "G3D-ViT\ncommon: 1 = 4"
    comparison.set_scale(OWN)
    assert np.allclose(viewer.layers["A"].data, before)
    comparison.close()
    assert SCALE_WORDS not in viewer.canvas.overlays


# Differences


def difference(first: Any, second: Any, scale: Any = OWN) -> comparing.Difference:
    return comparing.Difference(first, second, scale, agreement_of(first[1], second[1]))


def two_maps() -> tuple[Any, Any]:
    other = MARKER * [-1, 1, 1]
    one = raw(explanation_of(head()), 0.0, 2.0)
    two = raw(explanation_of(head(), lambda c: blob(c, other) + 0.3 * blob(c)), 0.0, 3.0)
    return ("one", one), ("two", two)


@pytest.mark.parametrize("common", [False, True])
def test_a_difference_is_symmetric_and_cut_by_its_own_sizes(common: bool) -> None:
    titled = two_maps()
    scale = common_scale(titled) if common else OWN
    made = difference(*titled, scale)
    factors = (2 / 3, 1) if common else (1, 1)
    one, two = (f * e.scaled.voxels for f, (_, e) in zip(factors, titled, strict=True))
    assert np.allclose(made.values(), one - two, equal_nan=True, atol=1e-6)
    largest = np.nanmax(np.abs(one - two))
    assert largest <= made.limit < 1.6 * largest
    sizes = np.abs(one - two)[np.isfinite(one)]
    assert made.cut(VOXELS) * made.limit == pytest.approx(np.percentile(sizes, 95), rel=1e-4)
    assert made.cut(Threshold("value", 0.3)) * made.limit == pytest.approx(0.3)
    absolute = made.cut(Threshold("absolute", 0.6))
    assert absolute is None if not common else absolute * made.limit == pytest.approx(0.2)
    assert made.cut(Threshold("none")) is None
    assert made.title == "one − two"


def test_the_figures_are_those_of_scipy() -> None:
    titled = two_maps()
    values = [e.scaled.patches.ravel() for _, e in titled]
    rho = stats.spearmanr(*values).statistic
    made = difference(*titled)
    assert f"ρ {rho:.3f} · {values[0].size:,} patches" in made.figures
    assert made.facts[0].startswith(f"ρ {rho:.2f} · Dice ")
    assert "own scales" in made.figures


def test_a_constant_map_has_no_agreement() -> None:
    first, (_, two) = two_maps()
    nothing = replace(two.scaled, patches=np.zeros_like(two.scaled.patches))
    made = difference(first, ("empty", replace(two, scaled=nothing, status="zero")))
    assert made.why_not == "no agreement can be given: empty is constant (zero)"
    assert "nan" not in made.figures.lower()
    same = difference(first, first)
    assert same.limit == 1
    assert not np.nan_to_num(same.values()).any()
    assert "ρ 1.00 · Dice 1.00" in same.facts[0]


# Through the form


@pytest.fixture
def widget(loaded_form: ExplainWidget) -> ExplainWidget:
    return loaded_form


def test_kinds_that_the_method_cannot_serve_say_so(widget: ExplainWidget) -> None:
    box = widget.form.compare
    box.kinds.choose("layers")
    assert box.go.isEnabled()
    widget.form.question.methods.choose("libra_grad")
    assert not box.go.isEnabled()
    assert "no single block" in box.what.text()
    box.kinds.choose("randomised")
    assert box.go.isEnabled()
    assert not box.seed.isHidden()
    assert box.add_file.isHidden()
    box.kinds.choose("checkpoints")
    assert not box.go.isEnabled()
    box.add_files(["x/other.pth"])
    assert box.go.text() == "Compare 2"


def test_marks_are_kept_per_kind(widget: ExplainWidget) -> None:
    box = widget.form.compare
    box.kinds.choose("layers")
    box.list.item(1).setCheckState(Qt.CheckState.Unchecked)
    box.kinds.choose("classes")
    assert len(box.plan.variants) == 2
    box.kinds.choose("layers")
    assert [variant.value for variant in box.plan.variants] == [0, 2]


def test_what_failed_is_named_on_the_page(qtbot: Any, widget: ExplainWidget, api: StandIn) -> None:
    box = widget.form.compare
    box.kinds.choose("checkpoints")
    box.add_files(["good.pth", "bad.pth"])
    api.broken = {"bad.pth"}
    with qtbot.waitSignal(widget.controller.comparison.changed):
        click(qtbot, box.go)
    rest(qtbot, widget)
    assert box.failed.text() == "bad.pth: bad.pth is damaged; copy it again"
    assert widget.form.difference.scale.value() == "common"
    assert "the largest raw value" in widget.form.difference.scale_note.text()
    click(qtbot, box.back)
    assert box.failed.isHidden()


def test_the_map_shown_and_the_one_before(
    qtbot: Any, widget: ExplainWidget, viewer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, comparison = widget.form.difference, widget.controller.comparison
    assert not box.go.isEnabled()
    for method in ("g3dvit", "libra_grad", "libra_grad"):  # the last one is no other question
        widget.form.question.methods.choose(method)
        widget.compute()
        rest(qtbot, widget)
    titles = [box.second.itemText(row) for row in range(box.second.count())]
    assert titles == ["lesion, LibraGrad", "before: lesion, G3D-ViT"]
    with qtbot.waitSignal(comparison.difference_changed):
        click(qtbot, box.go)
    rest(qtbot, widget)
    assert comparison.shown
    layer = comparison.difference_layer
    assert layer.name == f"{titles[0]} − {titles[1]}"
    assert "Spearman" in box.figures.text()
    path = tmp_path / "difference.nii.gz"
    monkeypatch.setattr(
        "qtpy.QtWidgets.QFileDialog.getSaveFileName", lambda *_: (str(path.with_suffix("")), "")
    )
    click(qtbot, box.save)
    rest(qtbot, widget)
    saved = read_volume(tmp_path / "difference.nii")
    assert np.allclose(saved.data, layer.data.transpose(), atol=1e-6)
    assert np.allclose(saved.affine, head().affine, atol=1e-4)
    viewer.layers.remove(layer)  # by the user: the comparison goes on without it
    assert comparison.shown
    assert box.figures.isHidden()
    assert not box.save.isEnabled()
    click(qtbot, widget.form.compare.back)
    assert [n.name for n in viewer.layers] == ["head", "lesion | LibraGrad"]


def test_another_scale_subtracts_again(qtbot: Any, widget: ExplainWidget) -> None:
    box, comparison = widget.form.difference, widget.controller.comparison
    widget.form.compare.kinds.choose("classes")
    with qtbot.waitSignal(comparison.changed):
        click(qtbot, widget.form.compare.go)
    with qtbot.waitSignal(comparison.difference_changed):
        click(qtbot, box.go)
    assert "(common: 1 = " in box.figures.text()
    click(qtbot, box.scale.button("own"))
    qtbot.waitUntil(lambda: "own scales" in box.figures.text())
    assert comparison.difference_layer is not None
    rest(qtbot, widget)
    box.second.choose(0)
    assert "two different" in box.go.toolTip()


def test_nothing_is_remembered_of_a_closed_dock(qtbot: Any, widget: ExplainWidget) -> None:
    for method in ("g3dvit", "libra_grad"):
        widget.form.question.methods.choose(method)
        widget.compute()
        rest(qtbot, widget)
    widget._detach()
    assert widget.form.difference.first.count() == 0
    assert not widget.form.difference.go.isEnabled()
