"""From request to overlay, on the viewer's model and with a stand-in for the facade."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from made_heads import head

from g3dvit_napari.core.errors import CheckpointError
from g3dvit_napari.core.types import ExplanationRequest, Threshold
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.picture.layers import (
    entry_of,
    is_volume,
    series_layer_data,
    to_layer_data,
)

REQUEST = ExplanationRequest("g3dvit", None, {"pooling": "max"}, Threshold("keep", 5.0, "patches"))


pytestmark = pytest.mark.usefixtures("api")


@pytest.fixture
def controller(qtbot, viewer):
    controller = Controller(viewer)
    yield controller
    controller.release()
    rest(qtbot, controller)


@pytest.fixture
def anatomy(viewer):
    data, keywords = to_layer_data(head())
    return viewer.add_image(data, **keywords)


@pytest.fixture
def failures(controller) -> list[str]:
    heard: list[str] = []
    controller.failed.connect(heard.append)
    return heard


def rest(qtbot, controller) -> None:
    lanes = controller.lanes
    qtbot.waitUntil(lambda: lanes.at_rest, timeout=10_000)


def with_model(qtbot, controller) -> Controller:
    with qtbot.waitSignal(controller.model_changed):
        controller.load_model("somewhere/vit.pth", "", "cpu")
    return controller


def explained(qtbot, controller, layer, request=REQUEST, frame="mean"):
    with qtbot.waitSignal(controller.explained):
        controller.explain(layer, frame, request)
    rest(qtbot, controller)
    return controller.explanation


def test_model_is_loaded_elsewhere(qtbot, controller, api) -> None:
    api.reasons = {"libra_grad": "only for ViT3D"}
    with_model(qtbot, controller)
    assert threading.get_ident() not in api.threads
    assert controller.model.name == "vit.pth"
    assert controller.model.reasons == {"libra_grad": "only for ViT3D"}
    assert controller.model.remarks == "prefix stripped"
    assert api.of("load_model")[0]["spec"] is None  # "" means: the file next to it


def test_explanation_becomes_a_layer_over_its_volume(
    qtbot, controller, viewer, anatomy, api
) -> None:
    with_model(qtbot, controller)
    explained(qtbot, controller, anatomy)
    assert threading.get_ident() not in api.threads
    assert api.of("explain")[0]["pooling"] == "max"
    assert len(viewer.layers) == 2
    shown = viewer.layers[1]
    assert np.allclose(shown.extent.world, anatomy.extent.world)
    assert entry_of(shown)["request"]["method"] == "g3dvit"
    assert not is_volume(shown)
    assert is_volume(anatomy)


def test_next_explanation_takes_the_same_layer(qtbot, controller, viewer, anatomy) -> None:
    with_model(qtbot, controller)
    explained(qtbot, controller, anatomy)
    layer = viewer.layers[1]
    layer.opacity = 0.33
    explained(qtbot, controller, anatomy, ExplanationRequest("g3dvit", 0))
    assert list(viewer.layers) == [anatomy, layer]
    assert layer.opacity == pytest.approx(0.33)
    assert entry_of(layer)["request"]["target"] == 0


def test_newest_question_wins(qtbot, controller, viewer, anatomy, api) -> None:
    with_model(qtbot, controller)
    api.steps, api.pause = 100, 0.01
    controller.explain(anatomy, "mean", REQUEST)
    qtbot.waitUntil(lambda: len(api.of("explain")) == 1)
    controller.explain(anatomy, "mean", REQUEST)
    api.steps = 1
    controller.explain(anatomy, "mean", ExplanationRequest("g3dvit", 0))
    with qtbot.waitSignal(controller.explained):
        pass
    rest(qtbot, controller)
    assert [call["target"] for call in api.of("explain")] == [None, 0]
    assert api.stopped == 1
    assert controller.explanation.target == 0
    assert len(viewer.layers) == 2


def test_cancel_changes_nothing(qtbot, controller, anatomy, api, failures) -> None:
    with_model(qtbot, controller)
    first = explained(qtbot, controller, anatomy)
    api.steps, api.pause = 100, 0.01
    controller.explain(anatomy, "mean", REQUEST)
    qtbot.waitUntil(lambda: len(api.of("explain")) == 2)
    assert controller.lanes.busy
    with qtbot.waitSignal(controller.lanes.cancelled):
        controller.cancel()
    rest(qtbot, controller)
    assert controller.explanation is first
    assert not controller.lanes.busy
    assert failures == []


@pytest.mark.parametrize(
    "error", [CheckpointError("vit.pth is empty; download it again"), RuntimeError("bad shape")]
)
def test_errors_are_told_and_it_goes_on(
    qtbot, controller, anatomy, api, failures, error, monkeypatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("g3dvit_napari.plugin.controller.show_error", told.append)
    with_model(qtbot, controller)
    api.error = error
    with qtbot.waitSignal(controller.failed):
        controller.explain(anatomy, "mean", REQUEST)
    rest(qtbot, controller)
    assert str(error) in failures[0]
    assert told == failures
    assert not controller.lanes.busy
    api.error = None
    assert explained(qtbot, controller, anatomy).status == "ok"


def test_failed_load_leaves_no_other_model(qtbot, controller, api) -> None:
    with_model(qtbot, controller)
    api.error = CheckpointError("a web page; download the file itself")
    with qtbot.waitSignals([controller.failed, controller.model_changed]):
        controller.load_model("page.pth")
    assert controller.model is None


def test_new_model_stops_the_running_question(qtbot, controller, anatomy, api) -> None:
    with_model(qtbot, controller)
    api.steps, api.pause = 100, 0.01
    controller.explain(anatomy, "mean", REQUEST)
    qtbot.waitUntil(lambda: len(api.of("explain")) == 1)
    with_model(qtbot, controller)
    rest(qtbot, controller)
    assert api.stopped == 1
    assert controller.explanation is None


def test_cut_moves_at_once_and_is_exact_in_the_end(qtbot, controller, viewer, anatomy, api) -> None:
    with_model(qtbot, controller)
    first = explained(qtbot, controller, anatomy)
    layer = viewer.layers[1]
    for keep in np.linspace(5, 20, 10):
        controller.preview(Threshold("keep", float(keep), "patches"))
        qtbot.wait(5)
    qtbot.waitUntil(lambda: controller.overlay.cut < first.cut)
    assert not api.of("rethreshold")
    threshold = Threshold("keep", 20.0, "patches")
    with qtbot.waitSignal(controller.explained):
        controller.settle(threshold)
    assert len(api.of("explain")) == 1
    assert controller.explanation.request.threshold == threshold
    assert controller.explanation.cut == controller.explanation.scaled.cut(threshold)
    assert viewer.layers[1] is layer


def test_otsu_is_found_outside_the_gui_thread(qtbot, controller, anatomy) -> None:
    with_model(qtbot, controller)
    first = explained(qtbot, controller, anatomy)
    otsu = Threshold("otsu", 0.0, "patches")
    controller.preview(otsu)
    qtbot.wait(50)
    assert controller.overlay.cut == first.cut
    assert "_patches_in_head" not in vars(first.scaled)
    with qtbot.waitSignal(controller.explained):
        controller.settle(otsu)
    assert controller.overlay.cut == controller.explanation.cut != first.cut


def test_settling_waits_for_no_running_question(qtbot, controller, anatomy, api) -> None:
    with_model(qtbot, controller)
    explained(qtbot, controller, anatomy)
    api.steps, api.pause = 50, 0.01
    controller.explain(anatomy, "mean", REQUEST)
    controller.settle(Threshold("keep", 20.0))
    rest(qtbot, controller)
    assert not api.of("rethreshold")  # its answer would be replaced at once


def test_removed_volume_is_told(qtbot, controller, viewer, anatomy, api, failures) -> None:
    with_model(qtbot, controller)
    api.steps, api.pause = 20, 0.01
    controller.explain(anatomy, "mean", REQUEST)
    viewer.layers.remove(anatomy)
    rest(qtbot, controller)
    assert "removed" in failures[0]
    assert len(viewer.layers) == 0


def test_map_goes_with_its_volume(qtbot, controller, viewer, anatomy) -> None:
    with_model(qtbot, controller)
    explained(qtbot, controller, anatomy)
    with qtbot.waitSignal(controller.forgotten):
        viewer.layers.remove(anatomy)
    assert controller.explanation is None
    controller.preview(Threshold())
    controller.settle(Threshold())
    controller.jump_to_peak()
    controller.save("nowhere")
    rest(qtbot, controller)


def test_another_volume_gets_its_own_map(qtbot, controller, viewer, anatomy) -> None:
    with_model(qtbot, controller)
    explained(qtbot, controller, anatomy)
    data, keywords = to_layer_data(head(spacing=(3.0, 3.0, 3.0)))
    second = viewer.add_image(data, **keywords)
    found = explained(qtbot, controller, second)
    assert found.relevance.spacing_mm == pytest.approx((3, 3, 3))
    shown = controller.overlay.layer
    assert np.allclose(shown.extent.world, second.extent.world)
    ours = [key for key in viewer.canvas.overlays if str(key).startswith("g3dvit_")]
    assert ours == ["g3dvit_caption"]  # of the second volume alone


@pytest.fixture
def series(viewer):
    volume = head()
    frames = np.stack([volume.data.transpose() * (n + 1) for n in range(5)])
    data, keywords = series_layer_data(frames, volume, repetition_time=2.0)
    return viewer.add_image(data, **keywords)


@pytest.mark.parametrize(
    ("frame", "factor", "words"), [("mean", 3, "mean of 5 frames"), ("current", 4, "frame 3 of 5")]
)
def test_frame_of_a_series(qtbot, controller, viewer, series, api, frame, factor, words) -> None:
    with_model(qtbot, controller)
    viewer.dims.set_point(0, 6.0)  # seconds: frame 3 of TR 2 s
    found = explained(qtbot, controller, series, frame=frame)
    volume = api.of("explain")[0]["volume"]
    assert volume.data.max() == pytest.approx(head().data.max() * factor)
    assert found.relevance.source.frame == words


def test_mean_of_a_series_is_taken_once(qtbot, controller, series, api) -> None:
    with_model(qtbot, controller)
    explained(qtbot, controller, series)
    explained(qtbot, controller, series)
    first, second = (call["volume"] for call in api.of("explain"))
    assert first is second


def test_volume_file_becomes_a_layer(qtbot, controller, viewer, tiny_files) -> None:
    with qtbot.waitSignal(controller.volume_opened) as heard:
        controller.open_volume(str(tiny_files / "scan.nii.gz"))
    assert list(viewer.layers) == heard.args
    assert is_volume(viewer.layers[0])
    assert viewer.layers[0].name.startswith("scan")


def test_display_is_kept_for_the_next_map(qtbot, controller, anatomy) -> None:
    controller.set_display("edge", "faded")
    controller.set_display("resolution", "patches")
    with_model(qtbot, controller)
    explained(qtbot, controller, anatomy)
    assert controller.overlay.edge == "faded"
    assert controller.overlay.resolution == "patches"


def test_saving(qtbot, controller, anatomy, tmp_path) -> None:
    with_model(qtbot, controller)
    explained(qtbot, controller, anatomy)
    with qtbot.waitSignal(controller.saved) as heard:
        controller.save(str(tmp_path))
    assert heard.args[0][-1].parent == tmp_path


def test_release_lets_go_of_everything_but_the_layers(qtbot, controller, viewer, anatomy) -> None:
    with_model(qtbot, controller)
    explained(qtbot, controller, anatomy)
    controller.release()
    assert controller.model is None
    assert controller.explanation is None
    assert len(viewer.layers) == 2
    assert "g3dvit_caption" not in viewer.canvas.overlays


def test_closing_stops_the_work(qtbot, viewer, anatomy, api) -> None:
    controller = with_model(qtbot, Controller(viewer))
    api.steps, api.pause = 500, 0.01
    controller.explain(anatomy, "mean", REQUEST)
    qtbot.waitUntil(lambda: len(api.of("explain")) == 1)
    started = time.perf_counter()
    controller.close()
    rest(qtbot, controller)
    assert time.perf_counter() - started < 1
    assert api.stopped == 1
    assert len(viewer.layers) == 1
