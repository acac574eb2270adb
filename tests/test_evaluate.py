"""Judging maps that are there already, and letting others ask the network between two metrics."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy.integrate import trapezoid

from g3dvit_napari import api
from g3dvit_napari.api.evaluating import evaluation_of, with_network
from g3dvit_napari.api.scoring import scored
from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.evaluation import Scene
from g3dvit_napari.core.fit import Placement

METRICS = ("deletion", "relevance_mass")


@pytest.fixture
def loaded(tiny_files: Path):
    return api.load_volume(tiny_files / "scan.nii.gz"), api.load_model(tiny_files / "vit.pth")


def test_a_map_that_is_there_is_judged_as_it_is(loaded) -> None:
    volume, model = loaded
    made = api.explain(volume, model, "g3dvit", 1, pooling="max")
    usual, shown = api.evaluate(volume, model, ("g3dvit", made), 1, metrics=METRICS)
    assert shown.explanation is made
    assert usual.explanation.request.parameters["pooling"] == "mean"
    assert shown.scores[0].value != usual.scores[0].value
    assert shown.scores[0].chance == usual.scores[0].chance  # of the same scene


def test_a_map_of_another_class_is_refused(loaded) -> None:
    volume, model = loaded
    made = api.explain(volume, model, "g3dvit", 1)
    with pytest.raises(MethodError, match="class number 0 is judged"):
        api.evaluate(volume, model, (made,), 0, metrics=METRICS)


def test_others_may_ask_between_two_metrics(loaded) -> None:
    volume, model = loaded
    answers = []

    def between() -> None:
        answers.append(api.predict(volume, model).probabilities)

    judged = api.evaluate(
        volume, model, ("g3dvit", "saliency"), 1, metrics=METRICS, between=between
    )
    assert len(answers) == 4
    assert len(set(answers)) == 1
    alone = api.evaluate(volume, model, ("g3dvit", "saliency"), 1, metrics=METRICS)
    first = [score.value for one in judged for score in one.scores if score.metric == "deletion"]
    again = [score.value for one in alone for score in one.scores if score.metric == "deletion"]
    assert first == again


def test_chance_comes_with_its_spread_and_its_curve(loaded) -> None:
    volume, model = loaded
    (judged,) = api.evaluate(volume, model, ("g3dvit",), 1, metrics=("deletion", "insertion"))
    for score in judged.scores:
        low, high = score.figures["chance_lowest"], score.figures["chance_highest"]
        assert low < score.chance < high  # three orders, no two the same
        curve = score.curves[f"{score.metric}, chance"]
        assert trapezoid(curve.values, curve.fractions) == pytest.approx(score.chance)


@pytest.mark.parametrize("method", ["g3dvit", "saliency"])
def test_passes_are_counted_before_any_is_made(loaded, method, monkeypatch) -> None:
    volume, model = loaded
    made = api.explain(volume, model, method, 1)
    names = ("deletion", "insertion", "class_sensitivity", "max_sensitivity")
    scene = with_network(Scene(Placement(volume, model.spec), 1), model)
    for name in names[:2]:
        scored(name, evaluation_of(made, scene))
    with monkeypatch.context() as patched:
        patched.setattr(type(model), "forward", None)  # nobody asks the network
        counted = api.passes_of(model, made, (), names)
    assert counted.network == scene.network.asked
    assert counted.methods == {method: 1 + 10}  # another class; ten inputs that hardly differ


def test_a_further_method_costs_its_map_and_its_order(loaded) -> None:
    volume, model = loaded
    made = api.explain(volume, model, "g3dvit", 1)
    alone = api.passes_of(model, made, (), ("deletion",))
    both = api.passes_of(model, made, ("saliency",), ("deletion",))
    assert alone.methods == {}
    assert both.methods == {"saliency": 1}
    assert alone.network < both.network < 2 * alone.network  # chance is shared
    assert api.passes_of(model, made, (), ("relevance_mass",)).network == 0
