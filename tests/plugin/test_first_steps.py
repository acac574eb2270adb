"""The note for the first time: what it opens, and when it goes."""

from __future__ import annotations

import pytest
from made_heads import head
from pointer import click

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.plugin.picture.layers import to_layer_data
from g3dvit_napari.plugin.settings import Settings
from g3dvit_napari.plugin.widget import ExplainWidget

pytestmark = pytest.mark.usefixtures("api")
SAMPLE_FILES = "g3dvit_napari.plugin.contributions.sample_files"


class Memory(Settings):
    """Settings that two windows share."""

    kept: dict[tuple[str, str], object]

    def read(self, category, key):
        return self.kept.get((category, key), super().read(category, key))

    def write(self, category, key, value):
        self.kept[category, key] = value


@pytest.fixture
def opened(qtbot, viewer, monkeypatch):
    """A function that opens the form as in another start of napari."""
    monkeypatch.setattr(Memory, "kept", {}, raising=False)
    monkeypatch.setattr("g3dvit_napari.plugin.widget.Settings", Memory)
    widgets = []

    def make() -> ExplainWidget:
        widget = ExplainWidget(viewer)
        qtbot.addWidget(widget)
        widgets.append(widget)
        return widget

    yield make
    for widget in widgets:
        widget.controller.close()
        qtbot.waitUntil(lambda widget=widget: widget.controller.lanes.at_rest, timeout=20_000)


def test_once_dismissed_it_stays_away(qtbot, opened) -> None:
    steps = opened().form.first_steps
    assert not steps.isHidden()
    click(qtbot, steps.close_button)
    assert steps.isHidden()
    assert opened().form.first_steps.isHidden()


def test_after_the_first_explanation_it_is_not_needed(qtbot, viewer, opened) -> None:
    widget = opened()
    data, keywords = to_layer_data(head())
    viewer.add_image(data, **keywords)
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    assert not widget.form.first_steps.isHidden()
    with qtbot.waitSignal(widget.controller.explained):
        click(qtbot, widget.form.run.button)
    assert widget.form.first_steps.isHidden()
    assert opened().form.first_steps.isHidden()


def test_sample_opens_with_its_network(qtbot, viewer, opened, tiny_files, monkeypatch) -> None:
    files = (str(tiny_files / "scan.nii.gz"), str(tiny_files / "vit.pth"))
    monkeypatch.setattr(SAMPLE_FILES, lambda _name: files)
    widget = opened()
    steps = widget.form.first_steps
    with qtbot.waitSignals([widget.controller.model_changed, widget.controller.volume_opened]):
        click(qtbot, steps.sample)
    assert [layer.name.partition(" ")[0] for layer in viewer.layers] == ["scan"]
    assert widget.form.model.path == files[1]
    assert widget.form.run.button.isEnabled()
    assert not steps.sample.isEnabled()
    assert steps.sample.toolTip().startswith("The sample is open")


def test_missing_sample_is_a_sentence(qtbot, opened, monkeypatch) -> None:
    def missing(_name):
        raise VolumeError("the sample file brain.nii.gz is missing; install a wheel")

    monkeypatch.setattr(SAMPLE_FILES, missing)
    form = opened().form
    click(qtbot, form.first_steps.sample)
    assert "install a wheel" in form.run.warning.text()
    assert form.first_steps.sample.isEnabled()


def test_failed_sample_can_be_tried_again(qtbot, opened, api, tiny_files, monkeypatch) -> None:
    files = (str(tiny_files / "scan.nii.gz"), str(tiny_files / "vit.pth"))
    monkeypatch.setattr(SAMPLE_FILES, lambda _name: files)
    api.error = VolumeError("no; try again")
    widget = opened()
    with qtbot.waitSignal(widget.controller.failed):
        click(qtbot, widget.form.first_steps.sample)
    assert widget.form.first_steps.sample.isEnabled()
