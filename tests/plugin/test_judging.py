"""The page "Is it true?" on the viewer's model: what is offered, asked, shown, and let go of."""

from __future__ import annotations

import gc
import threading
from dataclasses import replace
from math import nan
from weakref import ref

import made_scores
import numpy as np
import pytest
from made_heads import explanation_of, head
from patience import rest
from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication

from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin.comparing.jobs import Compared
from g3dvit_napari.plugin.judging.ask_box import AskBox
from g3dvit_napari.plugin.judging.cost import Cost
from g3dvit_napari.plugin.judging.curves import ShareAxis
from g3dvit_napari.plugin.judging.jobs import Forgotten
from g3dvit_napari.plugin.judging.likeness import in_words
from g3dvit_napari.plugin.judging.random_box import RandomBox
from g3dvit_napari.plugin.judging.score_box import ScoreBox
from g3dvit_napari.plugin.picture.layers import to_layer_data
from g3dvit_napari.plugin.widget import ExplainWidget
from g3dvit_napari.summaries.agreement import Agreement
from g3dvit_napari.summaries.verdict import NOT_YET

HALF = Threshold("value", 0.5, "voxels")


@pytest.fixture
def widget(qtbot, viewer, api):  # noqa: ARG001 (the stand-in comes first)
    widget = ExplainWidget(viewer)
    qtbot.addWidget(widget)
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    rest(qtbot, widget)
    yield widget
    widget.controller.close()
    rest(qtbot, widget)


@pytest.fixture
def ask(widget) -> AskBox:
    return widget.findChild(AskBox)


@pytest.fixture
def scores(widget) -> ScoreBox:
    return widget.findChild(ScoreBox)


def show(qtbot, widget, viewer, **how):
    """Lay an explanation over a head; return its layer."""
    volume = head()
    data, keywords = to_layer_data(volume)
    layer = viewer.add_image(data, **keywords)
    widget.controller.show(layer, explanation_of(volume, threshold=HALF, **how))
    rest(qtbot, widget)
    return layer


def judge(qtbot, widget, ask) -> None:
    assert ask.go.isEnabled(), ask.go.toolTip()
    ask.go.click()
    rest(qtbot, widget)


def paint(viewer, name: str):
    """Add a layer of labels over all of the head's first half along x."""
    drawn = viewer.layers[0]
    labels = np.zeros(drawn.data.shape, int)
    labels[:, :, :16] = 4
    return viewer.add_labels(labels, name=name, scale=drawn.scale, translate=drawn.translate)


def choose(mask, layer) -> None:
    mask.choice.choose(str(layer.unique_id))
    mask.choice.activated.emit(mask.choice.currentIndex())


def line_of(ticks, title: str):
    (found,) = (line for line in map(ticks.item, range(ticks.count())) if line.text() == title)
    return found


def test_checks_are_offered_by_family_with_arrows_and_reasons(qtbot, widget, viewer, ask) -> None:
    show(qtbot, widget, viewer)
    lines = [ask.metrics.item(row) for row in range(ask.metrics.count())]
    headings = [line.text() for line in lines if line.data(Qt.ItemDataRole.UserRole) is None]
    assert headings == ["Faithfulness", "Sanity", "Localisation", "Character"]
    assert ask.metrics.ticked == ("deletion", "insertion", "model_randomisation")
    deletion = line_of(ask.metrics, "Deletion ↓")
    assert deletion.toolTip() == "Measure something.\nLower is better.\nMany passes."
    for title, needed in (("Relevance mass ↑", "truth"), ("In-brain mass ↑", "brain")):
        line = line_of(ask.metrics, title)
        assert not line.flags() & Qt.ItemFlag.ItemIsEnabled
        assert line.toolTip().startswith(f"Choose a mask of the {needed}")
    assert "distractor" in line_of(ask.metrics, "Distractor mass ↑").toolTip()
    assert "3 of 7 checks" in ask.metrics_fold.text()


def test_a_mask_lets_its_checks_be_ticked(qtbot, widget, viewer, ask, api) -> None:
    show(qtbot, widget, viewer)
    layer = paint(viewer, "lesion")
    choose(ask.truth, layer)
    assert "relevance_mass" in ask.metrics.ticked
    assert "in_brain_mass" not in ask.metrics.ticked
    choose(ask.brain, layer)
    assert "in_brain_mass" in ask.metrics.ticked
    judge(qtbot, widget, ask)
    (call,) = api.of("evaluate")
    assert call["truth"].data.shape == (33, 41, 27)
    assert call["valid"] is call["brain"]
    viewer.layers.remove(layer)
    assert ask.truth.key == ""
    assert "relevance_mass" not in ask.metrics.ticked


def test_what_the_user_unticked_stays_so(qtbot, widget, viewer, ask) -> None:
    show(qtbot, widget, viewer)
    ask.metrics.tick("insertion", on=False)
    layer = paint(viewer, "lesion")
    choose(ask.truth, layer)
    assert "insertion" not in ask.metrics.ticked
    for name in ask.metrics.ticked:
        ask.metrics.tick(name, on=False)
    assert not ask.go.isEnabled()
    assert ask.go.toolTip().startswith("Tick at least one check.")


def test_the_map_on_show_is_judged_as_it_is(qtbot, widget, viewer, ask, api) -> None:
    assert "Compute an explanation first." in ask.go.toolTip()
    show(qtbot, widget, viewer)
    ask.methods.tick("rollout")
    judge(qtbot, widget, ask)
    (call,) = api.of("evaluate")
    shown = widget.controller.explanation
    assert call["methods"] == (shown, "rollout")
    assert call["target"] == shown.target
    assert threading.get_ident() not in api.threads


def test_scores_stand_beside_chance(qtbot, widget, viewer, ask, scores) -> None:
    show(qtbot, widget, viewer)
    choose(ask.truth, paint(viewer, "lesion"))
    ask.metrics.tick("entropy")
    judge(qtbot, widget, ask)
    shown = scores.table.text().splitlines()
    assert shown[0] == "Check\tMethod\tValue\tChance\tBest"
    assert "↓ Deletion\tG3D-ViT\t0.100\t0.400\t–" in shown
    assert "↑ Insertion\tG3D-ViT\t0.800?\t0.500\t–" in shown
    assert "↑ Relevance mass\tG3D-ViT\t0.300\t0.100\t0.600" in shown
    assert "Entropy\tG3D-ViT\t2.5\t3\t–" in shown
    assert "cannot tell maps apart" in scores.marks.text()
    model, row = scores.table.model(), scores.table.rows[0]
    tip = model.data(model.index(0, 0), Qt.ItemDataRole.ToolTipRole)
    assert tip == row.hint
    assert "probability baseline 0.05" in tip
    scores.copy.click()
    assert QGuiApplication.clipboard().text() == scores.table.text()


def test_what_was_not_computed_is_named_with_its_reason(
    qtbot, widget, viewer, ask, scores, api
) -> None:
    api.scores["deletion"] = replace(made_scores.SCORES["deletion"], value=nan, reason="too small")
    api.scores["insertion"] = replace(made_scores.SCORES["insertion"], chance=nan)
    show(qtbot, widget, viewer)
    judge(qtbot, widget, ask)
    assert "Deletion: too small." in scores.absent.text()
    assert "Insertion: what chance would give is not known." in scores.absent.text()
    assert all("Deletion" not in row.title for row in scores.table.rows)
    assert "Could not be run: Deletion, Insertion." in ask.light.sentence.text()


@pytest.mark.parametrize(
    ("changed", "colour", "words"),
    [
        ({}, "green", "does not prove that the map is right"),
        ({"model_randomisation": 0.9}, "red", "hardly changes when the network is randomised"),
        ({"deletion": 0.5}, "amber", "no faster than random order"),
    ],
)
def test_the_light(qtbot, widget, viewer, ask, api, changed, colour, words) -> None:
    assert ask.light.mark.colour == "grey"
    for name, value in changed.items():
        api.scores[name] = replace(made_scores.SCORES[name], value=value)
    show(qtbot, widget, viewer)
    judge(qtbot, widget, ask)
    assert ask.light.mark.colour == colour
    assert ask.light.word.text()
    assert words in ask.light.sentence.text()


def test_scores_of_another_map_are_grey_and_come_back(qtbot, widget, viewer, ask, scores) -> None:
    layer = show(qtbot, widget, viewer)
    judge(qtbot, widget, ask)
    said = ask.light.sentence.text()
    shown = widget.controller.explanation
    widget.controller.settle(Threshold("value", 0.2, "voxels"))  # the same map, cut elsewhere
    rest(qtbot, widget)
    assert ask.light.sentence.text() == said
    widget.controller.show(layer, explanation_of(head(), threshold=HALF, target=0))
    rest(qtbot, widget)
    assert ask.light.mark.colour == "grey"
    assert ask.light.sentence.text() == NOT_YET.sentence
    assert "class lesion" in ask.standing.text()
    assert not scores.table.isEnabled()
    assert scores.table.rows
    widget.controller.show(layer, shown)
    rest(qtbot, widget)
    assert ask.light.sentence.text() == said
    assert scores.table.isEnabled()


def test_scores_go_with_their_volume_and_their_network(qtbot, widget, viewer, ask, scores) -> None:
    layer = show(qtbot, widget, viewer)
    judge(qtbot, widget, ask)
    viewer.layers.remove(layer)
    assert scores.table.rows == []
    assert ask.light.mark.colour == "grey"
    show(qtbot, widget, viewer)
    judge(qtbot, widget, ask)
    before = ref(widget.controller.model)
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/other.pth")
    rest(qtbot, widget)
    assert scores.table.rows == []
    assert "another network" in ask.go.toolTip()
    gc.collect()
    assert before() is None  # its memory is free again


def test_a_run_can_be_cancelled_and_leaves_nothing(qtbot, widget, viewer, ask, scores, api) -> None:
    show(qtbot, widget, viewer)
    api.steps, api.pause = 2000, 0.01
    said = []
    widget.controller.lanes.progressed.connect(lambda _f, words: said.append(words))
    ask.go.click()
    qtbot.waitUntil(lambda: said[-1:] == ["G3D-ViT: Deletion"], timeout=10_000)
    assert not ask.go.isEnabled()
    assert "running" in ask.go.toolTip()
    widget.controller.cancel()
    rest(qtbot, widget)
    assert scores.table.rows == []
    assert ask.go.isEnabled()
    assert not widget.controller.model.turn.locked()


def test_others_may_ask_the_network_while_checks_run(qtbot, widget, viewer, ask, api) -> None:
    layer = show(qtbot, widget, viewer)
    for name in ("entropy", "deletion"):
        ask.metrics.tick(name)
    api.steps, api.pause = 30, 0.01
    ask.go.click()
    qtbot.waitUntil(lambda: bool(api.of("evaluate")), timeout=5_000)
    api.steps = 1
    request = replace(widget.form.request(), target=0)
    with qtbot.waitSignal(widget.controller.explained, timeout=5_000):
        widget.controller.explain(layer, "mean", request)
    rest(qtbot, widget)
    assert widget.controller.explanation.target == 0
    assert "class lesion" in ask.standing.text()  # the scores came, and are of the map before


def test_cost_is_said_before_and_with_a_time_after(qtbot, widget, viewer, ask, api) -> None:
    show(qtbot, widget, viewer)
    qtbot.wait(400)
    assert api.of("passes_of") == []  # nobody looks
    widget.show()
    widget.form.turn_to("True?")
    qtbot.waitUntil(lambda: "370 passes" in ask.cost.text(), timeout=5_000)
    ask.metrics.tick("deletion", on=False)
    qtbot.waitUntil(lambda: "250 passes" in ask.cost.text(), timeout=5_000)
    judge(qtbot, widget, ask)
    assert ask.cost.text().endswith("less than a second, if it goes as last time.")
    asked = len(api.of("passes_of"))
    widget.controller.settle(Threshold("value", 0.2, "voxels"))
    qtbot.wait(400)
    assert len(api.of("passes_of")) == asked  # the same question


def test_cost_in_words() -> None:
    cost = Cost()
    cost.counted = made_scores.counted(())
    assert cost.words(str) == "The network is not asked."
    cost.counted = made_scores.counted(("deletion", "insertion"))
    cost.counted.methods["occlusion"] = 3
    said = cost.words(str.upper)
    assert said == "About 250 passes of the network, OCCLUSION asked 3 times."
    cost.measure("another question", 1.0)
    assert cost.words(str.upper) == said
    cost.measure(None, 249.0)  # a second each
    assert "about 4 min" in cost.words(str)


def test_scores_are_saved(qtbot, widget, viewer, ask, scores, api, tmp_path, monkeypatch) -> None:
    show(qtbot, widget, viewer)
    judge(qtbot, widget, ask)
    place = "qtpy.QtWidgets.QFileDialog.getExistingDirectory"
    monkeypatch.setattr(place, lambda *_, **__: str(tmp_path))
    scores.save.click()
    rest(qtbot, widget)
    (call,) = api.of("save_scores")
    assert call["folder"] == str(tmp_path)
    assert len(call["judgements"][0].scores) == 3


def test_scores_of_several_methods(qtbot, widget, viewer, ask, scores) -> None:
    show(qtbot, widget, viewer)
    ask.methods.tick("rollout")
    judge(qtbot, widget, ask)
    assert ask.light.word.text().endswith("· G3D-ViT")
    assert {row.method for row in scores.table.rows} == {"G3D-ViT"}
    scores.whose.choose("rollout")
    assert {row.method for row in scores.table.rows} == {"Rollout"}
    assert ask.light.word.text().endswith("· Rollout")
    scores.whose.choose("")
    assert [row.method for row in scores.table.rows][:2] == ["G3D-ViT", "Rollout"]
    assert not scores.table.isColumnHidden(1)


def test_the_curve_has_chance_and_both_ends(qtbot, widget, viewer, ask, scores) -> None:
    show(qtbot, widget, viewer)
    judge(qtbot, widget, ask)
    assert scores.of_what.values() == ["deletion"]
    plot = scores.plot
    lines = {line.name: line for line in plot._drawn.panel.lines}
    assert list(lines) == ["chance", "whole volume", "all removed", "G3D-ViT"]
    assert lines["chance"].dashed
    assert lines["whole volume"].values == {0.0: 0.9}
    assert lines["all removed"].values == {1.0: 0.05}
    assert lines["G3D-ViT"].values == dict(
        zip(made_scores.FALLING.fractions, made_scores.FALLING.values, strict=True)
    )
    plot.resize(260, 190)
    for key, said in (
        (Qt.Key.Key_Right, "0 %"),
        (Qt.Key.Key_Right, "1 %"),
        (Qt.Key.Key_End, "100 %"),
    ):
        qtbot.keyClick(plot, key)
        assert plot.read_out == said
    assert plot._value(lines["G3D-ViT"]) == 0.05
    assert plot._value(lines["whole volume"]) is None
    plot.grab()


def test_shares_lie_where_they_are_drawn() -> None:
    even = ShareAxis(30.0, 230.0)
    start = ShareAxis(30.0, 230.0, spacing="start")
    assert (even.x(0.25), start.x(0.25)) == (80.0, 130.0)
    for axis in (even, start):
        assert (axis.x(0.0), axis.x(1.0)) == (30.0, 230.0)
        for share in (0.0, 0.01, 0.3, 1.0):
            assert axis.share_at(axis.x(share)) == pytest.approx(share)
        assert (axis.share_at(0.0), axis.share_at(999.0)) == (0.0, 1.0)
        positions = [x for x, _ in axis.ticks(5)]
        assert positions == sorted(positions)


def test_a_second_look_is_shown_beside_the_map_with_its_likeness(
    qtbot, widget, viewer, api
) -> None:
    layer = show(qtbot, widget, viewer)
    (box,) = widget.findChildren(RandomBox)
    shown = widget.controller.explanation
    box.go.click()
    rest(qtbot, widget)
    comparison = widget.controller.comparison
    assert comparison.shown
    assert [title.partition(",")[0] for title, _ in comparison.compared.titled] == [
        "the network",
        "learned nothing",
    ]
    (call,) = api.of("randomised")
    assert call["down_to"] is None
    asked = api.of("explain")
    assert [one["target"] for one in asked] == [shown.target] * 2
    assert all(one["method"] == "g3dvit" for one in asked)
    assert (
        "The map hardly changed" in box.said.text()
    )  # the stand-in explains its copy just the same
    assert "Spearman's ρ 1.00" in box.said.text()
    assert "chance 0." in box.said.text()
    box.back.click()
    assert not comparison.shown
    assert not box.back.isEnabled()
    assert box.said.text()
    widget.controller.show(layer, explanation_of(head(), threshold=HALF, target=0))
    assert box.said.text() == ""


def test_closing_in_the_middle_of_a_run_is_clean(qtbot, widget, viewer, ask, scores, api) -> None:
    show(qtbot, widget, viewer)
    judge(qtbot, widget, ask)
    api.steps, api.pause = 2000, 0.01
    ask.go.click()
    qtbot.waitUntil(lambda: len(api.of("evaluate")) == 2, timeout=5_000)
    widget._detach()
    rest(qtbot, widget)
    assert scores.table.rows == []
    assert ask.truth.key == ""
    assert ask.light.sentence.text() == NOT_YET.sentence


@pytest.mark.parametrize(
    ("spearman", "dice", "words"),
    [
        (0.8, 0.7, "hardly changed"),
        (0.8, 0.1, "order of all places stayed"),
        (0.1, 0.7, "strongest places stayed"),
        (0.1, 0.2, "more alike than by chance"),
        (0.1, 0.05, "as it should. That alone does not make it right"),
    ],
)
def test_likeness_in_words(spearman, dice, words) -> None:
    made = explanation_of(head())
    compared = Compared("methods", (("a", made), ("b", made)))
    found = Forgotten(compared, Agreement(spearman, dice, 0.05, 300))
    said = in_words(found, 7)
    assert words in said.splitlines()[0]
    assert f"ρ {spearman:.2f} over 300 places" in said
    assert f"overlap by {dice:.2f} (Dice; chance 0.05)" in said
    assert said.endswith("One random copy, seed 7.")


def test_a_copy_without_a_map_is_said() -> None:
    made = explanation_of(head())
    silent = replace(made, status="zero")
    found = Forgotten(
        Compared("methods", (("a", made), ("b", silent))),
        Agreement(None, None, None, 300, why_not="map B is constant"),
    )
    assert "gives no map (zero)" in in_words(found, 0)
    both = replace(found, compared=Compared("methods", (("a", made), ("b", made))))
    assert in_words(both, 0) == "No likeness can be given: map B is constant."
