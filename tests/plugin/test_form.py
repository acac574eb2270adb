"""The form alone: what it shows, what it asks for, and what it refuses with a reason."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from made_heads import explanation_of, head
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
)
from stand_in import ENTRIES, Handle

from g3dvit_napari.core.spec import preset_names
from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin.asking.parameters import ParameterControls
from g3dvit_napari.plugin.asking.run_bar import PATIENCE_MS
from g3dvit_napari.plugin.controls.choice import Choice
from g3dvit_napari.plugin.form import ExplainForm
from g3dvit_napari.plugin.jobs import LoadedModel
from g3dvit_napari.plugin.threshold.threshold_box import SETTLE_MS

CONTROLS = (QComboBox, QPushButton, QCheckBox, QAbstractSlider, QAbstractSpinBox)


@pytest.fixture
def form(qtbot) -> ExplainForm:
    form = ExplainForm()
    qtbot.addWidget(form)
    form.resize(280, 900)
    form.show()
    return form


def loaded(reasons=None, handle=None) -> LoadedModel:
    return LoadedModel(handle or Handle(), "vit.pth", tuple(ENTRIES.values()), reasons or {})


def texts(choice: Choice) -> list[str]:
    return [choice.itemText(index) for index in range(choice.count())]


def control(rows, name: str):
    """Return the control of a row by its accessible name."""
    return next(widget for widget in rows._rows if widget.accessibleName() == name)


# What a newcomer meets


def test_nothing_can_be_asked_without_a_network(form) -> None:
    for widget in (form.run.button, form.question.targets, form.question.methods):
        assert not widget.isEnabled()
        assert "first" in widget.toolTip()
    for widget in (form.view.peak, form.view.save, form.view.switches["edge"]):
        assert not widget.isEnabled()
        assert "Compute" in widget.toolTip()


def test_every_control_says_what_it_is_and_can_be_reached(form) -> None:
    form.show_model(loaded())
    for widget in (w for kind in CONTROLS for w in form.findChildren(kind)):
        scroll_bar = widget.parent().objectName().startswith("qt_")
        inner = isinstance(widget.parent(), (QComboBox, type(form.threshold.slider)))
        if scroll_bar or inner or not widget.isVisible():
            continue
        assert widget.toolTip(), widget
        assert widget.accessibleName() or widget.text(), widget
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus, widget


def test_fits_into_280_pixels_whatever_the_names(form) -> None:
    names = tuple(f"a class with an uncommonly long name {n}" for n in range(125))
    form.show_model(loaded(handle=Handle(class_names=names)))
    form.model.offer_recent([])
    form.model._offer_files(["/a/very/long/folder/" + "checkpoint_" * 20 + ".pth"], "")
    form.volume.offer_layers({"1": "layer " * 30}, "1")
    form.run.show_result("Predicted " + "long name " * 30, "warning " * 40)
    assert form.minimumSizeHint().width() <= 280
    for box in (
        form.model,
        form.volume,
        form.question,
        form.threshold,
        form.view,
        form.looks,
        form.run,
    ):
        assert box.minimumSizeHint().width() <= 280, box


# Checkpoint


@pytest.fixture
def requests(form) -> list[tuple[str, str, str]]:
    heard: list[tuple[str, str, str]] = []
    form.model.model_requested.connect(lambda *args: heard.append(args))
    return heard


def test_specs_on_offer(form) -> None:
    offered = form.model.specs.values()
    assert offered[0] == ""
    assert offered[1:-1] == preset_names()


def test_checkpoint_spec_and_device_are_asked_for(form, requests) -> None:
    form.model.ask_for("/data/vit.pth")
    form.model.specs.choose("neurovit-adni")
    form.model.specs.activated.emit(1)
    form.model.devices.choose("cpu")
    form.model.devices.activated.emit(1)
    assert requests == [
        ("/data/vit.pth", "", "auto"),
        ("/data/vit.pth", "neurovit-adni", "auto"),
        ("/data/vit.pth", "neurovit-adni", "cpu"),
    ]


def test_recent_checkpoints_are_the_latest_first_and_once(form, requests, tmp_path) -> None:
    paths = [str(tmp_path / f"{n}.pth") for n in "abc"]
    for path in [*paths, paths[0]]:
        form.model.ask_for(path)
    assert form.model.recent == [paths[0], paths[2], paths[1]]
    (tmp_path / "b.pth").touch()
    form.model.offer_recent(paths)
    assert form.model.recent == [paths[1]]  # the others are gone
    assert form.model.path == ""  # offered, not loaded
    assert len(requests) == 4


def test_file_dialogs(form, requests, monkeypatch) -> None:
    answers = iter(["/d/net.ckpt", "/d/rules.yaml", "", "/d/scan.nii.gz"])
    monkeypatch.setattr(
        "qtpy.QtWidgets.QFileDialog.getOpenFileName", lambda *_: (next(answers), "")
    )
    form.model.browse.click()
    browse = form.model.specs.count() - 1
    form.model.specs.setCurrentIndex(browse)
    form.model.specs.activated.emit(browse)
    assert form.model.specs.currentText() == "rules.yaml"
    form.model.specs.setCurrentIndex(form.model.specs.count() - 1)
    form.model.specs.activated.emit(0)  # the dialog is cancelled: the spec stays
    assert form.model.specs.value() == "/d/rules.yaml"
    assert [spec for _, spec, _ in requests] == ["", "/d/rules.yaml", "/d/rules.yaml"]
    volumes: list[str] = []
    form.volume.file_requested.connect(volumes.append)
    form.volume.browse.click()
    assert volumes == ["/d/scan.nii.gz"]
    assert form.volume.folder == "/d"


def test_summary_of_a_network(form) -> None:
    form.show_model(loaded())
    words = [label.text() for label in form.model.summary.children() if hasattr(label, "text")]
    assert {"vit_3d", "1,234", "30 × 40 × 24", "6×8×6 of 5×5×4", "healthy, lesion"} <= set(words)
    assert form.model.remark.text() == "prefix stripped"
    form.show_model(None)
    assert not form.model.summary.isVisible()
    assert not form.question.methods.isEnabled()


def test_text_from_files_is_never_markup(form) -> None:
    evil = "<img src='file:///etc/passwd'><b>AD</b>"
    form.model.summary.show_rows(
        {"architecture": evil, "parameters": "1", "classes": evil, "device": "cpu"}
    )
    form.run.show_result(f"{evil}\n{evil}", evil)
    headline, details = form.run.result.headline, form.run.result.details
    labels = [*form.model.summary.findChildren(QLabel), form.run.warning, details]
    assert sum(label.text() == evil for label in labels) == 4
    assert headline.text().startswith("<img src")
    assert "<img" not in headline.toolTip()
    labels.append(headline)
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in labels)
    assert "<img" not in form.model.summary.toolTip()


def drop(form, *paths: str) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(path) for path in paths])
    arguments = (
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    event = QDropEvent(QPointF(20, 20), *arguments)
    form.dragEnterEvent(event)
    assert event.isAccepted()
    form.dropEvent(event)


def test_dropped_files_go_where_they_belong(form, requests) -> None:
    volumes: list[str] = []
    refused: list[str] = []
    form.volume.file_requested.connect(volumes.append)
    form.refused.connect(refused.append)
    drop(form, "/d/rules.yaml")  # of which checkpoint?
    drop(form, "/d/net.safetensors", "/d/sub-01.NII.GZ", "/d/rules.yaml", "/d/photo.png")
    assert volumes == ["/d/sub-01.NII.GZ"]
    assert requests == [
        ("/d/net.safetensors", "", "auto"),
        ("/d/net.safetensors", "/d/rules.yaml", "auto"),
    ]
    assert ["rules.yaml" in refused[0], "photo.png" in refused[1]] == [True, True]


# Volume


def test_frames_are_offered_for_a_series_only(form) -> None:
    form.volume.show_series(0)
    assert not form.volume.frames.isVisible()
    form.volume.show_series(40)
    assert form.volume.frames.isVisible()
    assert form.volume.frame == "mean"
    form.volume.frames.choose("current")
    assert form.volume.frame == "current"


def test_chosen_layer_stays_when_others_come(form) -> None:
    changes: list[int] = []
    form.volume.volume_changed.connect(lambda: changes.append(1))
    form.volume.offer_layers({"a": "brain"}, None)
    form.volume.offer_layers({"b": "other", "a": "brain"}, None)
    assert form.volume.layer == "a"
    form.volume.offer_layers({"b": "other"}, None)
    assert form.volume.layer == "b"
    assert len(changes) == 2


# Question


def test_methods_are_grouped_by_cost_with_the_recommended_one_marked(form) -> None:
    form.show_model(loaded())
    methods = form.question.methods
    assert texts(methods) == [
        "Instant", "G3D-ViT", "Rollout", "One pass", "LibraGrad ★", "Many passes",
        "Occlusion",
    ]  # fmt: skip
    assert form.question.method == "g3dvit"
    headings = [i for i in range(methods.count()) if methods.itemData(i) is None]
    assert not any(methods.model().item(i).isEnabled() for i in headings)
    methods.choose("libra_grad")
    assert "Recommended" in form.question.summary.text()


def test_keys_step_over_the_headings(form, qtbot) -> None:
    form.show_model(loaded())
    methods = form.question.methods
    seen = [methods.value()]
    for _ in range(3):
        qtbot.keyClick(methods, Qt.Key.Key_Down)
        seen.append(methods.value())
    assert seen == ["g3dvit", "rollout", "libra_grad", "occlusion"]


def test_methods_that_cannot_serve_come_last_with_the_reason(form) -> None:
    form.show_model(loaded({"libra_grad": "only for <b>ViT3D</b>", "g3dvit": "no norm"}))
    methods = form.question.methods
    assert texts(methods)[-3:] == ["Not for this network", "G3D-ViT", "LibraGrad ★"]
    item = methods.model().item(methods.values().index("libra_grad"))
    assert not item.isEnabled()
    assert "only for &lt;b&gt;ViT3D&lt;/b&gt;" in item.toolTip()
    assert form.question.method == "rollout"  # the recommended one cannot, so the first that can
    form.show_model(loaded(dict.fromkeys(ENTRIES, "never")))
    assert not methods.isEnabled()
    form.show_model(loaded())
    assert methods.isEnabled()
    assert "Not for this network" not in texts(methods)


def test_a_contrast_asks_for_the_other_class(form) -> None:
    form.show_model(loaded())
    question = form.question
    assert (form.request().objective, form.request().against) == ("logit", None)
    assert question.others.parentWidget().isHidden()
    question.objectives.choose("contrast")
    assert not question.others.parentWidget().isHidden()
    question.others.choose(1)
    assert (form.request().objective, form.request().against) == ("contrast", 1)


@pytest.mark.parametrize(("output", "count"), [("classes", 4), ("binary", 3), ("regression", 1)])
def test_a_network_offers_the_numbers_it_has(form, output: str, count: int) -> None:
    model = loaded()
    model.handle.output = output
    form.show_model(model)
    assert form.question.objectives.count() == count
    assert form.question.objective == "logit"


def test_classes_get_their_probabilities(form) -> None:
    form.show_model(loaded())
    assert texts(form.question.targets) == ["Predicted class", "healthy", "lesion"]
    form.question.targets.choose(0)
    form.show_explanation(explanation_of(head()))
    assert texts(form.question.targets) == [
        "lesion · auto",
        "healthy · 5.0 %",
        "lesion · 95.0 %",
    ]
    assert form.question.target == 0
    form.question.targets.setCurrentIndex(0)
    assert form.question.target is None


def test_class_is_no_question_where_the_method_ignores_it(form) -> None:
    form.show_model(loaded())
    form.question.methods.choose("rollout")
    assert not form.question.targets.isEnabled()
    assert "same for every class" in form.question.targets.toolTip()
    form.question.methods.choose("g3dvit")
    assert form.question.targets.isEnabled()


def test_request_holds_what_the_controls_say(form) -> None:
    form.show_model(loaded())
    form.question.targets.choose(1)
    control(form.question.parameters, "Pooling").choose("abs_mean")
    control(form.question.parameters, "Block").choose(0)
    form.threshold.choose(Threshold("keep", 7.5, "patches"))
    request = form.request()
    assert (request.method, request.target) == ("g3dvit", 1)
    assert request.parameters == {"pooling": "abs_mean", "block": 0}
    assert request.threshold == Threshold("keep", 7.5, "patches")


# Parameters


def test_controls_follow_types_and_limits(qtbot) -> None:
    rows = ParameterControls()
    qtbot.addWidget(rows)
    rows.offer(ENTRIES["occlusion"], blocks=3)
    size, fill = control(rows, "Size"), control(rows, "Fill")
    assert isinstance(size, QSpinBox)
    assert (size.minimum(), size.maximum(), size.value()) == (1, 9, 3)
    assert isinstance(fill, QDoubleSpinBox)
    assert (fill.minimum(), fill.maximum(), fill.singleStep()) == (0.0, 1.0, 0.25)
    assert isinstance(control(rows, "Soft"), QCheckBox)
    assert isinstance(control(rows, "Label"), QLineEdit)
    assert rows.values() == {"size": 3, "fill": 0.5, "soft": True, "label": "x"}
    assert [type(value) for value in rows.values().values()] == [int, float, bool, str]
    with qtbot.waitSignal(rows.changed):
        size.setValue(5)
    assert rows.values()["size"] == 5


def test_values_survive_another_method(qtbot) -> None:
    rows = ParameterControls()
    qtbot.addWidget(rows)
    rows.offer(ENTRIES["g3dvit"], blocks=3)
    pooling, block = control(rows, "Pooling"), control(rows, "Block")
    assert texts(pooling) == ["Mean", "Max", "Abs mean"]
    assert texts(block) == ["last (3)", "2", "1"]
    assert block.values() == [-1, 1, 0]
    pooling.choose("max")
    rows.offer(ENTRIES["libra_grad"], blocks=3)
    assert rows.values() == {}
    rows.offer(ENTRIES["g3dvit"], blocks=1)
    assert rows.values() == {"pooling": "max", "block": -1}
    assert not control(rows, "Block").isEnabled()
    assert "single block" in control(rows, "Block").toolTip()


# Threshold


def test_slider_speaks_while_moving_and_once_at_rest(form, qtbot) -> None:
    moved: list[Threshold] = []
    settled: list[Threshold] = []
    form.threshold.moved.connect(moved.append)
    form.threshold.settled.connect(settled.append)
    for keep in (6.0, 8.0, 12.0):
        form.threshold.slider.setValue(keep)
    assert [t.amount for t in moved] == [6.0, 8.0, 12.0]
    assert settled == []
    qtbot.waitUntil(lambda: bool(settled), timeout=10 * SETTLE_MS)
    qtbot.wait(SETTLE_MS + 100)
    assert [t.amount for t in settled] == [12.0]


def test_what_the_number_field_shows_is_what_is_asked_for(form) -> None:
    form.threshold.slider.setValue(17.97063)
    assert form.threshold.threshold().amount == 18.0


def test_slider_by_keyboard(form, qtbot) -> None:
    slider = form.threshold.slider
    reached = []
    for key in ("Right", "Up", "Left", "PageUp", "PageDown", "Home", "End", "A"):
        qtbot.keyClick(slider, getattr(Qt.Key, f"Key_{key}"))
        reached.append(slider.value())
    assert reached == pytest.approx([5.5, 6.0, 5.5, 10.5, 5.5, 0.5, 50.0, 50.0])


@pytest.mark.parametrize(
    ("kind", "slider", "stages"), [("keep", 1, 1), ("value", 1, 1), ("otsu", 0, 1), ("none", 0, 0)]
)
def test_kinds_disable_what_cannot_apply(form, kind, slider, stages) -> None:
    form.threshold.kinds.choose(kind)
    assert form.threshold.slider.isEnabled() == bool(slider)
    assert form.threshold.stages.isEnabled() == bool(stages)
    assert form.threshold.threshold().kind == kind


def test_each_kind_keeps_its_amount(form) -> None:
    form.threshold.slider.setValue(12.0)
    form.threshold.kinds.choose("value")
    form.threshold.slider.setValue(0.25)
    assert form.threshold.threshold() == Threshold("value", 0.25, "patches")
    form.threshold.kinds.choose("keep")
    assert form.threshold.threshold() == Threshold("keep", 12.0, "patches")
    form.threshold.choose(Threshold("keep", 80.0, "voxels"))  # beyond the usual range
    assert form.threshold.slider.value() == 80.0


# Picture, and the answer


def test_switches_tell_their_value(form, qtbot) -> None:
    form.view.offer_map(True)
    heard: list[tuple[str, str]] = []
    form.view.changed.connect(lambda *args: heard.append(args))
    for name, value in [
        ("convention", "radiological"),
        ("resolution", "patches"),
        ("edge", "faded"),
    ]:
        qtbot.mouseClick(form.view.switches[name].button(value), Qt.MouseButton.LeftButton)
        assert form.view.switches[name].value() == value
    form.view.choose({"convention": "neurological"})  # set from outside: no news
    assert heard == [("convention", "radiological"), ("resolution", "patches"), ("edge", "faded")]


def test_saved_map_is_a_choice_where_it_is_another_picture(form) -> None:
    form.show_model(loaded())
    resolution, heard = form.view.switches["resolution"], []
    form.view.changed.connect(lambda *args: heard.append(args))
    form.show_explanation(explanation_of(head(), threshold=Threshold("keep", 5.0, "patches")))
    assert resolution.button("saved").isEnabled()
    assert "exactly the map that is saved" in resolution.button("saved").toolTip()
    resolution.button("saved").click()
    assert not form.view.switches["edge"].isEnabled()  # below its threshold there is nothing
    assert "nothing lies below" in form.view.switches["edge"].toolTip()
    for threshold in (Threshold("keep", 5.0, "voxels"), Threshold("none", 0.0, "patches")):
        form.show_explanation(explanation_of(head(), threshold=threshold))
        assert resolution.value() == "smooth"
        assert not resolution.button("saved").isEnabled()
        assert "saved map is the smooth one" in resolution.button("saved").toolTip()
        assert form.view.switches["edge"].isEnabled()
    assert heard == [("resolution", "saved"), ("resolution", "smooth")]


def test_answer_in_words(form) -> None:
    form.show_model(loaded())
    form.show_explanation(explanation_of(head(), target=0))
    assert form.run.result.headline.text() == "Predicted lesion (p = 95.0 %)"
    assert form.run.result.details.text().splitlines() == [
        "shown: healthy (p = 5.0 %)",
        "ran the network (0.10\u00a0s)",
    ]
    assert not form.run.warning.isVisible()
    assert form.view.save.isEnabled()


def test_an_answer_of_many_figures_takes_two_lines_and_unfolds(form, qtbot) -> None:
    form.show_model(loaded())
    form.resize(300, 900)
    figures = {f"figure_number_{n}": 0.1 * n for n in range(6)}
    run, before = form.run, form.run.sizeHint().height()
    form.show_explanation(replace(explanation_of(head(), target=0), figures=figures))
    QApplication.processEvents()
    folded = run.sizeHint().height()
    line = run.fontMetrics().height()
    assert folded - before < 3.5 * line  # two lines, and the gaps around them
    assert run.result.more.text().endswith("…")
    assert run.result.details.isHidden()
    qtbot.mouseClick(run.result.more, Qt.MouseButton.LeftButton)
    assert run.result.details.isVisible()
    assert "figure number 5 0.5" in run.result.details.text()
    assert run.sizeHint().height() > folded + 6 * line
    qtbot.mouseClick(run.result.more, Qt.MouseButton.LeftButton)
    assert run.result.details.isHidden()


def test_degenerate_map_is_said(form) -> None:
    form.show_model(loaded())
    form.show_explanation(explanation_of(head(), status="zero"))
    assert form.run.warning.isVisible()
    assert form.run.warning.text() == "The map is zero everywhere."


def test_warnings_of_the_way_there_are_said(form) -> None:
    found = replace(
        explanation_of(head()), provenance={"warnings": ("no orientation: taken as RAS",)}
    )
    form.show_model(loaded())
    form.show_explanation(found)
    assert "taken as RAS" in form.run.warning.text()


def test_compute_turns_into_cancel_and_back(form, qtbot) -> None:
    form.run.show_reason("")
    with qtbot.waitSignal(form.explain_requested):
        qtbot.mouseClick(form.run.button, Qt.MouseButton.LeftButton)
    form.run.show_busy(True)
    form.run.show_progress(0.5, "running the network")
    qtbot.waitUntil(lambda: form.run.button.text() == "Cancel")
    assert not form.run.bar.isHidden()
    assert form.run.stage.text() == "running the network …"
    assert form.run.bar.value() == form.run.bar.maximum() // 2
    form.run.show_progress(0.6, "placing the map")
    assert form.run.stage.text() == "placing the map …"
    with qtbot.waitSignal(form.run.cancel_requested):
        qtbot.mouseClick(form.run.button, Qt.MouseButton.LeftButton)
    form.run.show_busy(False)
    assert form.run.button.text() == "Compute"
    assert form.run.bar.isHidden()


def test_quick_answers_are_not_announced(form, qtbot) -> None:
    form.run.show_busy(True)
    form.run.show_progress(0.5, "running the network")
    assert form.run.button.text() == "Compute"
    form.run.show_busy(False)
    qtbot.wait(2 * PATIENCE_MS)
    assert form.run.bar.isHidden()
    assert form.run.stage.isHidden()


def test_frame_of_a_series_is_part_of_the_answer(form) -> None:
    found = explanation_of(head())
    source = replace(found.relevance.source, frame="mean of 5 frames")
    found = replace(found, relevance=replace(found.relevance, source=source))
    form.show_model(loaded())
    form.show_explanation(found)
    assert "mean of 5 frames" in form.run.result.details.text()


def test_mouse_wheel_scrolls_past_a_choice(form) -> None:
    passed = SimpleNamespace(ignored=False)
    passed.ignore = lambda: setattr(passed, "ignored", True)
    form.model.devices.clearFocus()
    form.model.devices.wheelEvent(passed)
    assert passed.ignored


# Thresholds in other units


def test_raw_values_can_be_cut_once_there_is_a_map(form) -> None:
    box = form.threshold
    row = box.kinds.values().index("absolute")
    assert not box.kinds.model().item(row).isEnabled()
    assert "once a map" in box.kinds.model().item(row).toolTip()
    found = explanation_of(head())
    found = replace(found, scaled=replace(found.scaled, limits=(0.0, 0.0042)))
    form.show_model(loaded())
    form.show_explanation(found)
    assert box.kinds.model().item(row).isEnabled()
    box.kinds.choose("absolute")
    assert box.threshold() == Threshold("absolute", 0.0021, "patches")
    assert (box.slider.minimum(), box.slider.maximum()) == (0.0, 0.0042)
    box.slider.setValue(0.00301)
    assert box.threshold().amount == pytest.approx(0.00301)


def test_a_share_of_the_relevance_can_be_held(form) -> None:
    form.threshold.kinds.choose("mass")
    assert form.threshold.threshold() == Threshold("mass", 50.0, "patches")
    assert form.threshold.slider.maximum() == 100


def test_what_the_method_measured_and_regressions_are_told_in_words(form) -> None:
    form.show_model(loaded())
    found = explanation_of(head())
    form.show_explanation(replace(found, figures={"completeness_error": 0.00123}))
    assert "completeness error 0.00123" in form.run.result.details.text()
    value = replace(
        found.prediction, logits=(71.25,), probabilities=(float("nan"),), class_names=("age",)
    )
    form.question.offer_model(("age",), 1, tuple(ENTRIES.values()), {}, "regression")
    form.show_explanation(replace(found, prediction=value, target=0))
    assert form.run.result.text().startswith("Predicted age: 71.25")
    assert "nan" not in "".join([form.run.result.text(), *texts(form.question.targets)])
