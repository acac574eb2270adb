"""Lists of subjects without a window: runs, cancelling, going through, ratings that must not go."""

from __future__ import annotations

import csv
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_heads import head
from napari.layers import Labels
from qtpy.QtCore import Qt

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.types import Explanation, ExplanationRequest, Prediction
from g3dvit_napari.io.nifti import write_volume
from g3dvit_napari.io.subjects import Subject, SubjectList
from g3dvit_napari.plugin.picture.layers import role_of, volume_of
from g3dvit_napari.plugin.subjects import ledger as ledger_module
from g3dvit_napari.plugin.subjects.columns import COLUMNS, TRUTH
from g3dvit_napari.plugin.subjects.ledger import Ledger, Outcome
from g3dvit_napari.plugin.subjects.table import SubjectTable
from g3dvit_napari.plugin.subjects.table_model import TableModel
from g3dvit_napari.plugin.widget import ExplainWidget
from g3dvit_napari.summaries.quality import Quality

TITLES = [column.title for column in COLUMNS]
DISPLAY, TIP = Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three heads, each brighter than the one before, and a table of them with true classes."""
    for number in (1, 2, 3):
        made = head()
        write_volume(made.like(made.data * number), tmp_path / f"s{number}.nii.gz")
    lines = ["path\tlabel", "s1.nii.gz\tlesion", "s2.nii.gz\tHealthy", "s3.nii.gz\t1"]
    (tmp_path / "study.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def widget(qtbot, viewer, api):  # noqa: ARG001
    widget = ExplainWidget(viewer)
    qtbot.addWidget(widget)
    yield widget
    lanes = widget.controller.lanes
    widget.controller.close()
    qtbot.waitUntil(lambda: lanes.at_rest, timeout=10_000)


def rest(qtbot, widget) -> None:
    visits = widget.subjects.visits
    lanes = widget.controller.lanes
    qtbot.waitUntil(lambda: lanes.at_rest and not visits.is_waiting, timeout=10_000)
    qtbot.wait(1)


def load(qtbot, widget) -> None:
    with qtbot.waitSignal(widget.controller.model_changed, timeout=10_000):
        widget.load_checkpoint("/d/vit.pth")
    rest(qtbot, widget)


def open_list(qtbot, widget, place: Path) -> None:
    with qtbot.waitSignal(widget.subjects.list_opened, timeout=10_000):
        widget.form.take_file(str(place))
    rest(qtbot, widget)


def run(qtbot, widget, button: str = "run_all") -> None:
    with qtbot.waitSignal(widget.subjects.run_ended, timeout=10_000):
        getattr(widget.subjects.page, button).click()
    rest(qtbot, widget)


def step(qtbot, widget, step: int = 1) -> None:
    widget.subjects.step(step)
    rest(qtbot, widget)


def column(widget, title: str, role=DISPLAY) -> list[str]:
    rows = widget.subjects.page.table.rows
    return [rows.data(rows.index(n, TITLES.index(title)), role) for n in range(rows.rowCount())]


def saved(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return {row["path"]: row for row in csv.DictReader(file, delimiter="\t")}


def test_a_run_fills_the_list_and_marks_right_and_wrong(qtbot, widget, viewer, folder) -> None:
    load(qtbot, widget)
    open_list(qtbot, widget, folder / "study.tsv")
    run(qtbot, widget)
    expected = ["✓ lesion 95.0 %", "✗ lesion 95.0 %", "✓ lesion 95.0 %"]
    assert column(widget, "Prediction") == expected
    assert all(text.endswith("\u00a0%") for text in column(widget, "Strongest"))
    assert "\u00a0%" in column(widget, "In head", TIP)[0]
    assert column(widget, TRUTH) == ["lesion", "Healthy", "1"]
    assert not widget.subjects.page.table.isColumnHidden(TITLES.index(TRUTH))
    assert "2 of 3 right" in widget.subjects.page.about.text()
    assert "by chance" in column(widget, "In head", TIP)[0].replace("<br>", " ")
    assert len(viewer.layers) == 0


def test_a_cancelled_run_keeps_what_is_done(qtbot, widget, folder, api) -> None:
    load(qtbot, widget)
    open_list(qtbot, widget, folder)
    explained = api.explain

    def slow_from_the_second(*arguments, **keywords) -> Explanation:
        api.steps, api.pause = (1, 0.0) if not api.of("explain") else (1000, 0.01)
        return explained(*arguments, **keywords)

    api.explain = slow_from_the_second
    widget.subjects.page.run_all.click()
    qtbot.waitUntil(lambda: len(api.of("explain")) == 2 and api.running == 1)
    qtbot.waitUntil(lambda: widget.form.run.button.text() == "Cancel")
    qtbot.waitUntil(lambda: "s2 (2 of 3)" in widget.form.run.stage.text())
    widget.form.run.button.click()
    rest(qtbot, widget)
    assert column(widget, "Map") == ["ok", "–", "–"]
    assert "1 of 3 subjects are done and kept" in widget.form.run.warning.text()
    api.steps, api.pause, api.explain = 1, 0.0, explained
    before = len(api.of("explain"))
    assert "Stopped" in widget.form.run.warning.text()
    run(qtbot, widget, "run_missing")
    assert not widget.form.run.warning.text()
    assert len(api.of("explain")) == before + 2
    assert column(widget, "Map") == ["ok"] * 3


def test_a_file_that_fails_marks_its_row_and_the_run_goes_on(qtbot, widget, folder) -> None:
    (folder / "s2.nii.gz").write_bytes(b"<html><b>gone</b>")
    load(qtbot, widget)
    open_list(qtbot, widget, folder)
    run(qtbot, widget)
    assert column(widget, "Map") == ["ok", "failed", "ok"]
    assert "web page" in column(widget, "Map", TIP)[1]
    assert "1 failed" in widget.subjects.page.place.text()


def test_another_question_makes_answers_stale(qtbot, widget, folder, api) -> None:
    load(qtbot, widget)
    open_list(qtbot, widget, folder)
    run(qtbot, widget)
    keys = list(widget.subjects.ledger.by_key)
    assert widget.subjects.ledger.missing(keys) == []
    widget.form.question.methods.choose("libra_grad")
    assert len(widget.subjects.ledger.missing(keys)) == 3
    assert "run it again" in column(widget, "Map", TIP)[0]
    run(qtbot, widget, "run_missing")
    assert {call["method"] for call in api.of("explain")[-3:]} == {"libra_grad"}
    widget.form.question.targets.choose(1)  # the class that was predicted
    assert widget.subjects.ledger.missing(keys) == []
    widget.form.question.targets.choose(0)
    assert len(widget.subjects.ledger.missing(keys)) == 3


def test_an_answer_to_another_objective_is_kept_anew(qtbot, widget, folder) -> None:
    load(qtbot, widget)
    open_list(qtbot, widget, folder)
    step(qtbot, widget)
    widget.form.question.objectives.choose("probability")
    with qtbot.waitSignal(widget.controller.explained, timeout=5000):
        widget.form.run.button.click()
    rest(qtbot, widget)
    kept = widget.subjects.ledger.map_of("s1.nii.gz")
    assert kept.request.objective == "probability"


def test_going_through_replaces_our_layers_alone(qtbot, widget, viewer, folder, api) -> None:
    own = viewer.add_image(np.zeros((27, 41, 33)), name="mine", units=("mm",) * 3)
    load(qtbot, widget)
    open_list(qtbot, widget, folder)
    step(qtbot, widget)  # not explained yet: computed
    assert len(api.of("explain")) == 1
    mask = viewer.add_layer(Labels(np.zeros((27, 41, 33), int), units=("mm",) * 3))
    volume, drawn = viewer.layers[1], viewer.layers[2]
    volume.colormap, drawn.opacity, drawn.colormap = "viridis", 0.4, "magma"
    viewer.dims.set_point((0, 1, 2), (9.0, -3.5, 4.0))
    point = viewer.dims.point
    step(qtbot, widget)
    first, second, third, fourth = viewer.layers
    assert (first, fourth) == (own, mask)  # and the map has not covered what lay above it
    assert (second.name, role_of(third)) == ("s2", "relevance")
    assert volume not in viewer.layers
    assert drawn not in viewer.layers
    assert second.colormap.name == "viridis"
    assert third.colormap.name.startswith("magma")
    assert third.opacity == 0.4
    assert np.allclose(viewer.dims.point, point)
    assert volume_of(second).data.max() > 1.9 * head().data.max()
    explained = len(api.of("explain"))
    step(qtbot, widget, -1)  # known: the network is not asked again
    assert [layer.name for layer in viewer.layers][1] == "s1"
    assert len(api.of("explain")) == explained
    assert widget.controller.explanation.request.method == "g3dvit"


def test_a_broken_subject_on_the_way_changes_nothing(qtbot, widget, viewer, folder) -> None:
    (folder / "s2.nii.gz").write_bytes(b"<html>gone</html>")
    load(qtbot, widget)
    open_list(qtbot, widget, folder)
    step(qtbot, widget)
    own = viewer.add_layer(Labels(np.zeros((27, 41, 33), int), units=("mm",) * 3))
    viewer.dims.set_point((0, 1, 2), (9.0, -3.5, 4.0))
    point = viewer.dims.point
    step(qtbot, widget)
    assert list(viewer.layers) == [own]  # not the subject before, under this one's name
    assert "web page" in widget.subjects.page.state.text()
    step(qtbot, widget)
    volume, drawn, last = viewer.layers
    assert (volume.name, role_of(drawn), last) == ("s3", "relevance", own)
    assert np.allclose(viewer.dims.point, point)


def explained_head(qtbot, widget, viewer, folder: Path):
    """Open a head of the user's own and explain it; return its layer and the map's."""
    write_volume(head(), folder.parent / "own.nii.gz")
    with qtbot.waitSignal(widget.controller.volume_opened, timeout=10_000):
        widget.form.take_file(str(folder.parent / "own.nii.gz"))
    rest(qtbot, widget)
    with qtbot.waitSignal(widget.controller.explained, timeout=10_000):
        widget.form.run.button.click()
    rest(qtbot, widget)
    return tuple(viewer.layers)


@pytest.fixture
def study(folder: Path) -> Path:
    """A folder of heads, the second of which is none."""
    (folder / "study").mkdir()
    for file in folder.glob("*.nii.gz"):
        file.rename(folder / "study" / file.name)
    (folder / "study" / "s2.nii.gz").write_bytes(b"<html>gone</html>")
    return folder / "study"


def shown(viewer) -> list[str]:
    return [layer.name for layer in viewer.layers if layer.visible]


def test_no_other_head_is_on_show_beside_a_subject(qtbot, widget, viewer, study) -> None:
    load(qtbot, widget)
    own, drawn = explained_head(qtbot, widget, viewer, study)
    off = viewer.add_image(np.zeros((27, 41, 33)), visible=False, name="off", units=("mm",) * 3)
    mask = viewer.add_layer(Labels(np.zeros((27, 41, 33), int), name="mask", units=("mm",) * 3))
    open_list(qtbot, widget, study)
    assert (own.visible, drawn.visible) == (True, True)  # nothing of the list is on show yet
    step(qtbot, widget)
    volume, ours = widget.controller.anatomy, widget.controller.overlay.layer
    assert {layer for layer in viewer.layers if layer.visible} == {volume, ours, mask}
    step(qtbot, widget)
    step(qtbot, widget)
    assert "s3" in shown(viewer)
    assert not own.visible
    widget.subjects.detach()
    assert (own.visible, drawn.visible, off.visible) == (True, True, False)


def test_a_failed_subject_leaves_nothing_of_another(qtbot, widget, viewer, study) -> None:
    load(qtbot, widget)
    own, drawn = explained_head(qtbot, widget, viewer, study)
    assert widget.prediction.bars.prediction is not None
    open_list(qtbot, widget, study)
    widget.subjects.page.table.choose("s1.nii.gz")
    step(qtbot, widget)  # to the damaged one, at once
    page = widget.subjects.page
    assert shown(viewer) == []
    assert "g3dvit_caption" not in viewer.canvas.overlays
    assert widget.form.volume.layer is None
    assert widget.prediction.bars.prediction is None
    assert page.state.text().startswith("s2 cannot be shown: ")
    assert viewer.canvas.overlays["g3dvit_notice"].text.startswith("s2 cannot be shown: ")
    assert not page.peak.isEnabled()
    assert viewer.status == "Ready"
    run(qtbot, widget)
    assert "failed" in page.place.text()
    assert "web page" in page.state.text()  # of the one that is not on show
    own.name = "renamed"  # the viewer's list changes: still none is chosen
    rest(qtbot, widget)
    assert widget.form.volume.layer is None
    assert widget.prediction.bars.prediction is None
    page.rating.go_on.setChecked(False)
    page.rating.buttons["fail"].click()
    assert saved(study / "g3dvit_ratings.tsv")["s2.nii.gz"]["rating"] == "fail"
    step(qtbot, widget)
    assert page.peak.isEnabled()
    assert widget.form.volume.layer == str(widget.controller.anatomy.unique_id)
    assert widget.prediction.bars.prediction is not None
    assert not own.visible
    assert not drawn.visible


def test_what_was_hidden_comes_back_when_the_list_is_left(qtbot, widget, viewer, study) -> None:
    own = viewer.add_image(np.zeros((27, 41, 33)), name="mine", units=("mm",) * 3)
    open_list(qtbot, widget, study)
    layers = widget.form.volume.layers
    step(qtbot, widget)
    assert not own.visible
    layers.setCurrentIndex(layers.findData(str(own.unique_id)))
    layers.activated.emit(layers.currentIndex())  # as a person's choice does
    assert own.visible
    step(qtbot, widget, -1)
    step(qtbot, widget)
    assert widget.subjects.page.state.text().startswith("s2 cannot")
    assert not own.visible
    layers.setCurrentIndex(layers.findData(str(own.unique_id)))
    layers.activated.emit(layers.currentIndex())
    assert own.visible
    step(qtbot, widget)
    assert not own.visible
    viewer.layers.remove(widget.subjects.visits.stage.layer)
    assert own.visible


def choose_layer(widget, layer) -> None:
    """Choose a layer in the form, as a person does."""
    layers = widget.form.volume.layers
    layers.setCurrentIndex(layers.findData(str(layer.unique_id)))


def test_a_subject_goes_when_another_volume_is_chosen(qtbot, widget, viewer, study) -> None:
    load(qtbot, widget)
    own, drawn = explained_head(qtbot, widget, viewer, study)
    open_list(qtbot, widget, study)
    step(qtbot, widget)
    assert "s1" in shown(viewer)
    choose_layer(widget, own)
    rest(qtbot, widget)
    assert list(viewer.layers) == [own, drawn]
    assert "g3dvit_caption" not in viewer.canvas.overlays  # it told of the subject's map
    page = widget.subjects.page
    assert not page.rating.buttons["fail"].isEnabled()
    page.rating.press("fail")
    assert not (study / "g3dvit_ratings.tsv").exists()
    assert page.table.selectionModel().selectedRows() == []
    assert page.place.text() == "No subject is on show: choose a row."
    page.table.selectRow(0)  # the same one again
    rest(qtbot, widget)
    assert "s1" in shown(viewer)
    assert page.rating.buttons["fail"].isEnabled()


def test_a_new_image_ends_what_was_said_of_an_unreadable_subject(
    qtbot, widget, viewer, study
) -> None:
    open_list(qtbot, widget, study)
    widget.subjects.page.table.choose("s1.nii.gz")
    step(qtbot, widget)
    assert "g3dvit_notice" in viewer.canvas.overlays
    new = viewer.add_image(np.ones((27, 41, 33)), name="new", units=("mm",) * 3)
    choose_layer(widget, new)
    assert "g3dvit_notice" not in viewer.canvas.overlays
    assert not widget.subjects.page.rating.buttons["fail"].isEnabled()


def test_over_naparis_welcome_an_unreadable_subject_is_told_in_a_message(
    qtbot, widget, viewer, study, monkeypatch
) -> None:
    heard: list[str] = []
    monkeypatch.setattr("g3dvit_napari.plugin.picture.notice.show_warning", heard.append)
    viewer.layers.clear()
    open_list(qtbot, widget, study)
    widget.subjects.page.table.choose("s1.nii.gz")
    step(qtbot, widget)
    assert [words.partition(":")[0] for words in heard] == ["s2 cannot be shown"]


def test_a_subject_that_is_removed_takes_its_map_along(qtbot, widget, viewer, study) -> None:
    load(qtbot, widget)
    own, drawn = explained_head(qtbot, widget, viewer, study)
    open_list(qtbot, widget, study)
    step(qtbot, widget)
    assert len(viewer.layers) == 4
    viewer.layers.remove(widget.subjects.visits.stage.layer)
    rest(qtbot, widget)
    assert list(viewer.layers) == [own, drawn]
    assert (own.visible, drawn.visible) == (True, True)


def test_changes_follow_on_a_subject_that_came_from_memory(qtbot, widget, folder, api) -> None:
    load(qtbot, widget)
    open_list(qtbot, widget, folder)
    run(qtbot, widget)
    step(qtbot, widget)
    widget.form.question.methods.choose("libra_grad")
    qtbot.waitUntil(lambda: api.calls[-1].get("method") == "libra_grad", timeout=5000)
    rest(qtbot, widget)
    assert widget.subjects.ledger.is_answered("s1.nii.gz")


def test_the_next_subject_is_read_ahead(qtbot, widget, folder, monkeypatch) -> None:
    load(qtbot, widget)
    open_list(qtbot, widget, folder)
    run(qtbot, widget)
    step(qtbot, widget)

    def refuse(*_) -> None:
        raise VolumeError("read again")

    monkeypatch.setattr("g3dvit_napari.plugin.jobs.read_layers", refuse)
    step(qtbot, widget)
    assert widget.subjects.page.state.text() == ""
    assert widget.controller.anatomy.name == "s2"


def test_the_map_lies_over_the_head_of_whoever_follows_a_marked_peak(
    qtbot, widget, viewer, folder
) -> None:
    load(qtbot, widget)
    open_list(qtbot, widget, folder / "study.tsv")
    step(qtbot, widget)
    for _ in range(2):
        viewer.dims.set_point((0, 1, 2), (0.0, 0.0, 0.0))
        widget.subjects.page.peak.click()  # a ring lies over the map, and goes with it
        assert viewer.dims.point != (0.0, 0.0, 0.0)
        assert role_of(viewer.layers[-1]) == "crosshair"
        step(qtbot, widget)
        head, map_layer = viewer.layers[-2:]
        assert head is widget.controller.anatomy
        assert map_layer is widget.controller.overlay.layer


def test_a_rating_says_when_it_was_given_on_the_map_of_another_method(
    qtbot, widget, folder
) -> None:
    load(qtbot, widget)
    open_list(qtbot, widget, folder / "study.tsv")
    widget.subjects.page.rating.go_on.setChecked(False)
    step(qtbot, widget)
    widget.subjects.page.rating.buttons["pass"].click()
    ink = Qt.ItemDataRole.ForegroundRole
    assert "Pass." in column(widget, "●", TIP)[0]
    assert column(widget, "●", ink)[0] is None
    widget.form.question.methods.choose("libra_grad")
    rest(qtbot, widget)
    assert "given on a map of G3D-ViT" in column(widget, "●", TIP)[0]
    assert column(widget, "●", ink)[0] is not None
    assert "Not rated yet." in column(widget, "●", TIP)[1]


def test_ratings_are_on_disk_at_once_and_found_again(qtbot, widget, folder) -> None:
    load(qtbot, widget)
    open_list(qtbot, widget, folder / "study.tsv")
    page, file = widget.subjects.page, folder / "study_ratings.tsv"
    page.rating.rater.setText("AB")
    page.rating.rater.editingFinished.emit()
    step(qtbot, widget)
    page.rating.buttons["unsure"].click()
    assert saved(file)["s1.nii.gz"]["rating"] == "unsure"  # before anything else is done
    rest(qtbot, widget)
    assert page.table.key == "s2.nii.gz"  # gone on
    page.rating.go_on.setChecked(False)
    page.rating.note.setFocus()
    qtbot.keyClicks(page.rating.note, "tab\there")
    step(qtbot, widget)  # a note is not lost by going on
    found = saved(file)
    assert found["s2.nii.gz"]["note"].startswith("tab")
    assert found["s1.nii.gz"]["rater"] == "AB"
    assert found["s1.nii.gz"]["predicted"] == "lesion"
    assert float(found["s1.nii.gz"]["p"]) == pytest.approx(0.95)
    page.rating.buttons["fail"].click()
    page.rating.buttons[""].click()
    assert saved(file)["s3.nii.gz"]["rating"] == "n/a"
    open_list(qtbot, widget, folder / "study.tsv")
    assert column(widget, "●") == ["U", "", ""]
    assert page.rating.rater.text() == "AB"


def test_what_others_rate_meanwhile_comes_into_the_list(qtbot, widget, folder) -> None:
    open_list(qtbot, widget, folder)
    file = folder / "g3dvit_ratings.tsv"
    file.write_text("path\trating\tdate\tscanner\ns3.nii.gz\tfail\t2020-01-01\tTrio\n")
    step(qtbot, widget)
    widget.subjects.page.rating.buttons["pass"].click()
    assert column(widget, "●") == ["P", "", "F"]
    assert saved(file)["s3.nii.gz"]["scanner"] == "Trio"


def test_a_rating_that_cannot_be_written_is_kept_and_said(
    qtbot, widget, folder, monkeypatch
) -> None:
    open_list(qtbot, widget, folder)
    page, asked = widget.subjects.page, []
    (folder / "g3dvit_ratings.tsv").mkdir()  # nothing can be written there
    monkeypatch.setattr(
        "qtpy.QtWidgets.QFileDialog.getSaveFileName",
        lambda *_, **__: (asked.append(1), ("", ""))[1],
    )
    step(qtbot, widget)
    page.rating.buttons["pass"].click()
    rest(qtbot, widget)
    page.rating.buttons["fail"].click()
    assert asked == [1]  # once, not at every rating
    assert "2 ratings not saved yet" in page.rating.saved.text()
    assert column(widget, "●")[:2] == ["P", "F"]
    other = folder / "mine.tsv"
    monkeypatch.setattr(
        "qtpy.QtWidgets.QFileDialog.getSaveFileName", lambda *_, **__: (str(other), "")
    )
    assert not page.rating.elsewhere.isHidden()
    page.rating.elsewhere.click()
    assert {row["rating"] for row in saved(other).values()} == {"pass", "fail"}
    assert page.rating.elsewhere.isHidden()
    open_list(qtbot, widget, folder)  # and they are looked for there
    assert column(widget, "●")[:2] == ["P", "F"]


def test_closing_rescues_what_is_not_saved(qtbot, widget, folder, monkeypatch, tmp_path) -> None:
    home = tmp_path / "home"
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getSaveFileName", lambda *_, **__: ("", ""))
    open_list(qtbot, widget, folder)
    (folder / "g3dvit_ratings.tsv").mkdir()
    step(qtbot, widget)
    widget.subjects.page.rating.buttons["pass"].click()
    told: list[str] = []
    monkeypatch.setattr("g3dvit_napari.plugin.subjects.rater.show_warning", told.append)
    widget.subjects.detach()
    (file,) = home.iterdir()
    assert str(file) in told[0]
    assert saved(file)["s1.nii.gz"]["rating"] == "pass"


def test_the_last_list_is_offered_at_the_next_start(qtbot, widget, folder) -> None:
    open_list(qtbot, widget, folder)
    assert widget._settings.read("files", "subject_list") == str(folder)
    page = widget.subjects.page
    page.show_list("", 0)
    page.offer_again(str(folder))
    assert not page.again.isHidden()
    with qtbot.waitSignal(widget.subjects.list_opened, timeout=10_000):
        page.again.click()
    page.offer_again(str(folder / "gone"))
    assert page.again.isHidden()


def test_a_list_that_is_none_leaves_the_open_one(qtbot, widget, folder) -> None:
    open_list(qtbot, widget, folder)
    with qtbot.waitSignal(widget.controller.failed, timeout=10_000):
        widget.subjects.open_list(str(folder / "nothing"))
    rest(qtbot, widget)
    assert len(column(widget, "Subject")) == 3


def test_another_network_forgets_answers_and_keeps_ratings(qtbot, widget, folder) -> None:
    load(qtbot, widget)
    open_list(qtbot, widget, folder)
    run(qtbot, widget)
    step(qtbot, widget)
    widget.subjects.page.rating.buttons["pass"].click()
    rest(qtbot, widget)
    load(qtbot, widget)
    assert column(widget, "Map") == ["–"] * 3
    assert column(widget, "●") == ["P", "", ""]


def rated_once(qtbot, widget, folder, api, checkpoint: str) -> None:
    """Run the list with a checkpoint, and rate its first subject."""
    api.handle.checkpoint = {"notes": (), "sha256": checkpoint}
    load(qtbot, widget)
    open_list(qtbot, widget, folder / "study.tsv")
    run(qtbot, widget)
    step(qtbot, widget)
    widget.subjects.page.rating.buttons["pass"].click()
    rest(qtbot, widget)


def test_saved_predictions_come_back_for_their_own_network_alone(
    qtbot, widget, folder, api
) -> None:
    rated_once(qtbot, widget, folder, api, "abc")
    file = folder / "study_ratings.tsv"
    text = file.read_text(encoding="utf-8")
    row = saved(file)["s1.nii.gz"]
    before = column(widget, "Prediction")[0]
    # the stand-in's maps name no checkpoint: put in what a real one writes
    cells = [line.split("\t") for line in text.splitlines()]
    cells[1][cells[0].index("model")] = "abc"
    file.write_text("\n".join("\t".join(line) for line in cells) + "\n", encoding="utf-8")
    open_list(qtbot, widget, folder / "study.tsv")
    assert column(widget, "Prediction") == [f"{before} (file)", "–", "–"]
    assert column(widget, "Map") == ["–"] * 3  # maps and figures are not in the file
    assert f"{row['predicted']} {100 * float(row['p']):.1f} %" in before
    assert "file of ratings" in column(widget, "Prediction", TIP)[0]
    asked = len(api.of("explain"))
    api.handle.checkpoint = {"notes": (), "sha256": "xyz"}
    load(qtbot, widget)
    assert column(widget, "Prediction") == ["–"] * 3
    api.handle.checkpoint = {"notes": (), "sha256": "abc"}
    load(qtbot, widget)
    assert column(widget, "Prediction")[0] == f"{before} (file)"
    assert len(api.of("explain")) == asked
    run(qtbot, widget, "run_missing")
    assert column(widget, "Prediction")[0] == before  # the real answer takes its place


def test_keys_are_there_only_while_the_page_is_seen(qtbot, widget, folder) -> None:
    widget.show()
    widget.form.turn_to("QA")
    keys = widget.subjects._keys
    assert not keys.bound
    open_list(qtbot, widget, folder)
    assert keys.bound
    widget.form.turn_to("Explain")
    assert not keys.bound
    widget.form.turn_to("QA")
    assert keys.bound
    widget.subjects.detach()
    assert not keys.bound


def many(count: int) -> Ledger:
    subjects = tuple(
        Subject(Path(f"s{n}.nii"), f"s{n}.nii", f"sub-{n}", name=f"sub-{n}") for n in range(count)
    )
    made = Ledger(SubjectList(Path("l"), "folder", subjects, Path("r.tsv")))
    chances = np.random.default_rng(0).random(count)
    for n, chance in enumerate(chances):
        prediction = Prediction((1.0, 0.0), (float(chance), 1 - float(chance)), ("AD", "CN"))
        made.outcomes[f"s{n}.nii"] = Outcome(ExplanationRequest(), prediction, "ok")
    return made


def test_thousands_of_rows_are_quick(widget) -> None:
    table, made = widget.subjects.page.table, many(5000)
    widget.form.turn_to("QA")
    started = time.process_time()
    table.rows.show(made)
    table.fit(False)
    table.rows.filter("sub-42 ad")
    assert table.rows.rowCount() == 111  # 42, 420 to 429, 4200 to 4299
    table.rows.filter("")
    table.sortByColumn(TITLES.index("Prediction"), Qt.SortOrder.DescendingOrder)
    assert time.process_time() - started < 1.0
    order = [made.outcomes[key].prediction.probabilities[0] for key in table.rows.keys]
    assert order == sorted(order, reverse=True)
    table.choose("s7.nii")
    place = order.index(made.outcomes["s7.nii"].prediction.probabilities[0])
    assert table.currentIndex().row() == place
    assert table.neighbour(1) == table.rows.keys[place + 1]


@pytest.mark.parametrize("title", ["Prediction", "In head", "Strongest", "Spread", "Seen", "⚠"])
def test_rows_without_a_figure_are_last_in_both_directions(title: str) -> None:
    rows, made = TableModel(), many(5)
    for number, (key, outcome) in enumerate(made.outcomes.items()):
        quality = Quality(0.1 * number, 0.2, 0.9, 0.1 * number, 0.1 * number, 0.1 * number)
        made.outcomes[key] = replace(outcome, quality=quality, warnings=("odd",) * number)
    made.outcomes["s1.nii"] = Outcome(ExplanationRequest(), error="no volume")
    del made.outcomes["s2.nii"]
    rows.show(made)
    rows.sort(TITLES.index(title), Qt.SortOrder.AscendingOrder)
    up = list(rows.keys)
    rows.sort(TITLES.index(title), Qt.SortOrder.DescendingOrder)
    assert up[3:] == rows.keys[3:] == ["s1.nii", "s2.nii"]
    assert up[:3] == rows.keys[2::-1]
    cell = rows.index(rows.row_of("s1.nii"), TITLES.index(title))
    if title != "⚠":
        assert "no volume" in rows.data(cell, TIP)


def test_columns_are_wide_enough_for_what_comes_later(qtbot) -> None:
    table, made = SubjectTable(), many(3)
    qtbot.addWidget(table)
    outcomes, made.outcomes = made.outcomes, {}
    table.resize(300, 200)
    table.rows.show(made)
    table.fit(False)
    place, heads = TITLES.index("Prediction"), table.horizontalHeader()
    for number in range(len(COLUMNS) - 1):
        if not table.isColumnHidden(number):
            assert table.columnWidth(number) >= heads.sectionSizeHint(number)
    prediction = Prediction((1.0, 0.0), (0.9, 0.1), ("a lesion", "healthy"))
    made.record("s1.nii", replace(outcomes["s1.nii"], prediction=prediction), None)
    table.grow("s1.nii")
    wide = table.columnWidth(place)
    cell = table.rows.index(1, place)
    assert wide >= table.sizeHintForIndex(cell).width()
    made.record("s2.nii", outcomes["s2.nii"], None)
    table.grow("s2.nii")
    assert table.columnWidth(place) == wide  # a short one takes nothing away
    prediction = replace(prediction, class_names=("long " * 40, "healthy"))
    made.record("s2.nii", replace(outcomes["s2.nii"], prediction=prediction), None)
    table.grow("s2.nii")
    assert wide <= table.columnWidth(place) < 200


def test_text_from_files_is_no_markup() -> None:
    rows, made = TableModel(), many(1)
    made.ratings["s0.nii"] = {"path": "s0.nii", "rating": "pass", "note": "<img src=x> & <b>"}
    rows.show(made)
    tip = rows.data(rows.index(0, TITLES.index("Note")), TIP)
    assert "&lt;img src=x&gt; &amp; &lt;b&gt;" in tip


def test_maps_that_do_not_fit_go_first_in_first_out(qtbot, widget, folder, monkeypatch) -> None:
    load(qtbot, widget)
    open_list(qtbot, widget, folder)
    run(qtbot, widget)
    ledger = widget.subjects.ledger
    size = ledger.map_of("s1.nii.gz").nbytes
    monkeypatch.setattr(ledger_module, "MOST_BYTES", 2 * size)
    run(qtbot, widget)
    assert ledger.map_of("s1.nii.gz") is None
    assert ledger.map_of("s3.nii.gz") is not None
    assert column(widget, "Map") == ["ok"] * 3  # the figures stay


def test_the_page_says_what_is_missing(qtbot, widget, folder) -> None:
    page = widget.subjects.page
    assert not page.next.isEnabled()
    assert "Open a list first" in page.next.toolTip()
    open_list(qtbot, widget, folder)
    assert page.next.isEnabled()
    assert not page.run_all.isEnabled()
    assert "Load a checkpoint" in page.run_all.toolTip()
    step(qtbot, widget)  # volumes can be looked at without a network
    assert widget.controller.explanation is None
    load(qtbot, widget)
    assert page.run_all.isEnabled()
