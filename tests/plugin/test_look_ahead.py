"""The other classes are fetched unseen, served when they are asked for, and never out of date."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from made_heads import explanation_of, head

from g3dvit_napari.core.types import ExplanationRequest, Prediction, Threshold
from g3dvit_napari.plugin import answers as answers_module
from g3dvit_napari.plugin.answers import Answers, question_of
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.picture.layers import to_layer_data

KEEP = Threshold("keep", 5.0, "voxels")
PREDICTED = ExplanationRequest("libra_grad", None, {"block": -1}, KEEP)
OTHER = replace(PREDICTED, target=0)


@pytest.fixture
def controller(qtbot, viewer, api):
    controller = Controller(viewer)
    load(qtbot, controller)
    yield controller
    controller.close()
    rest(qtbot, controller)
    assert api.most_at_once <= 1  # hooks of two questions on one network would mix


@pytest.fixture
def anatomy(viewer):
    data, keywords = to_layer_data(head())
    return viewer.add_image(data.copy(), **keywords)


@pytest.fixture
def failures(controller) -> list[str]:
    heard: list[str] = []
    controller.failed.connect(heard.append)
    return heard


def rest(qtbot, controller) -> None:
    lanes = controller.lanes
    qtbot.waitUntil(lambda: lanes.at_rest, timeout=10_000)


def load(qtbot, controller) -> None:
    with qtbot.waitSignal(controller.model_changed):
        controller.load_model("somewhere/vit.pth", "", "cpu")
    rest(qtbot, controller)


def ask(qtbot, controller, layer, request=PREDICTED):
    with qtbot.waitSignal(controller.explained):
        controller.explain(layer, "mean", request)
    rest(qtbot, controller)
    return controller.explanation


def targets(api) -> list[int | None]:
    return [call["target"] for call in api.of("explain")]


@pytest.fixture
def looking(qtbot, controller, anatomy, api):
    """A controller with a map on show, that is about to fetch the other class for 5 seconds."""

    def slow(_explanation) -> None:
        api.steps, api.pause = 500, 0.01

    controller.explained.connect(slow)
    controller.explain(anatomy, "mean", PREDICTED)
    qtbot.waitUntil(lambda: targets(api) == [None, 0])
    controller.explained.disconnect(slow)
    api.steps = 1
    return controller


def test_another_class_is_served_from_memory(qtbot, controller, viewer, anatomy, api) -> None:
    ask(qtbot, controller, anatomy)
    assert targets(api) == [None, 0]
    strict = Threshold("keep", 2.0, "patches")
    found = ask(qtbot, controller, anatomy, replace(OTHER, threshold=strict))
    assert targets(api) == [None, 0]
    assert (found.target, found.request.threshold) == (0, strict)
    assert found.cut == found.scaled.cut(strict)
    assert controller.overlay.explanation is found
    assert viewer.layers[1].name.startswith("healthy")
    again = ask(qtbot, controller, anatomy, replace(PREDICTED, target=1))
    assert (again.target, targets(api)) == (1, [None, 0])


def test_looking_ahead_is_unseen(qtbot, looking, api) -> None:
    told: list[object] = []
    seen = looking.lanes
    for signal in (seen.busy_changed, seen.progressed, looking.explained, looking.failed):
        signal.connect(lambda *heard: told.append(heard))
    assert looking._ahead.busy
    assert not looking.lanes.busy
    qtbot.wait(150)
    assert api.running == 1
    assert told == []


@pytest.mark.parametrize("method", ["g3dvit", "occlusion", "rollout"])
def test_quick_costly_and_classless_methods_are_not_fetched(
    qtbot, controller, anatomy, api, method
) -> None:
    ask(qtbot, controller, anatomy, ExplanationRequest(method))
    assert targets(api) == [None]
    ask(qtbot, controller, anatomy, ExplanationRequest(method))
    assert targets(api) == [None, None]


def test_next_question_does_not_wait(qtbot, looking, anatomy, api) -> None:
    started = time.perf_counter()
    found = ask(qtbot, looking, anatomy, ExplanationRequest("g3dvit", 0))
    assert time.perf_counter() - started < 1
    assert found.request.method == "g3dvit"
    assert api.stopped == 1


def test_class_on_its_way_is_asked_for_anew(qtbot, looking, anatomy, api) -> None:
    assert ask(qtbot, looking, anatomy, OTHER).target == 0
    assert targets(api) == [None, 0, 0]


def paint(_controller, _viewer, layer) -> None:
    layer.data[5:9, 5:9, 5:9] += 100


def move(_controller, _viewer, layer) -> None:
    layer.translate = np.array(layer.translate) + 3


def rename(_controller, _viewer, layer) -> None:
    layer.metadata, layer.name = {}, "another patient"


@pytest.mark.parametrize("change", [paint, move, rename])
def test_changed_volume_is_explained_anew(qtbot, controller, viewer, anatomy, api, change) -> None:
    ask(qtbot, controller, anatomy)
    change(controller, viewer, anatomy)
    ask(qtbot, controller, anatomy, OTHER)
    assert targets(api)[:3] == [None, 0, 0]


@pytest.mark.parametrize("change", [{"parameters": {"block": 0}}, {"objective": "probability"}])
def test_changed_question_is_asked_anew(qtbot, controller, anatomy, api, change) -> None:
    ask(qtbot, controller, anatomy)
    ask(qtbot, controller, anatomy, replace(OTHER, **change))
    assert targets(api) == [None, 0, 0, 1]
    assert len({call["block"] for call in api.of("explain")}) == 1 + ("parameters" in change)


def test_another_network_answers_for_itself(qtbot, controller, anatomy, api) -> None:
    ask(qtbot, controller, anatomy)
    load(qtbot, controller)
    ask(qtbot, controller, anatomy, OTHER)
    assert targets(api) == [None, 0, 0, 1]


def test_another_volume_is_explained_itself(qtbot, controller, viewer, anatomy, api) -> None:
    ask(qtbot, controller, anatomy)
    data, keywords = to_layer_data(head(spacing=(3.0, 3.0, 3.0)))
    second = viewer.add_image(data, **keywords)
    assert ask(qtbot, controller, second, OTHER).relevance.spacing_mm == pytest.approx((3, 3, 3))
    assert targets(api) == [None, 0, 0, 1]


@pytest.mark.parametrize("how", ["cancel", "close", "release", "remove", "load", "turn away"])
def test_whatever_matters_more_stops_it(
    qtbot, looking, viewer, anatomy, api, failures, how
) -> None:
    {
        "cancel": looking.cancel,
        "close": looking.close,
        "release": looking.release,
        "remove": lambda: viewer.layers.remove(anatomy),
        "load": lambda: looking.load_model("another.pth"),
        "turn away": looking.stop_looking_ahead,
    }[how]()
    qtbot.waitUntil(lambda: api.stopped == 1, timeout=1000)
    rest(qtbot, looking)
    assert targets(api) == [None, 0]  # nor does it start again
    assert failures == []


def test_its_errors_are_for_the_real_request_to_tell(
    qtbot, controller, anatomy, api, failures
) -> None:
    controller.explained.connect(lambda _found: setattr(api, "error", MemoryError("full")))
    ask(qtbot, controller, anatomy)
    assert targets(api) == [None, 0]
    assert failures == []
    with qtbot.waitSignal(controller.failed):
        controller.explain(anatomy, "mean", OTHER)
    rest(qtbot, controller)
    assert "full" in failures[0]


def test_likely_classes_come_first_and_memory_is_bounded(monkeypatch) -> None:
    volume, count = head(), 12
    logits = tuple(float(n) for n in np.random.default_rng(0).permutation(count))
    prediction = Prediction(logits, (1 / count,) * count, tuple(map(str, range(count))))
    known = Answers()
    question = question_of(volume, PREDICTED)
    found = replace(explanation_of(volume, target=2), prediction=prediction)
    known.remember(question, replace(found, request=replace(found.request, against=3)))
    order = [int(n) for n in np.argsort(logits)[::-1] if n not in (2, 3)]
    assert known.missing(question) == order[: answers_module.MOST_CLASSES - 1]
    monkeypatch.setattr(answers_module, "MOST_BYTES", 3 * 13 * volume.data.size)
    assert known.missing(question) == order[:2]
    monkeypatch.setattr(answers_module, "MOST_BYTES", 13)
    assert known.missing(question) == []


def test_only_the_last_question_is_remembered() -> None:
    volume = head()
    first = question_of(volume, PREDICTED)
    second = question_of(volume, replace(PREDICTED, parameters={"block": 0}))
    assert question_of(volume, replace(OTHER, threshold=Threshold())) == first != second
    known = Answers()
    assert known.recall(first, 1) is None
    known.remember(first, explanation_of(volume))
    assert known.recall(first, None) is known.recall(first, 1) is not None
    assert known.recall(first, 0) is None
    known.remember(second, explanation_of(volume, target=0))
    assert known.recall(first, 1) is None
    assert known.recall(second, None) is None  # the predicted class is 1
    assert known.missing(first) == []
