"""Checkpoints compared in a real window: two networks of other kinds, and a file that is broken."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from patience import rest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from g3dvit_napari import api
from g3dvit_napari.io.samples import sample_path
from g3dvit_napari.plugin.widget import open_form

pytestmark = pytest.mark.window
METHOD = "hires_cam"  # serves both networks


@pytest.fixture
def widget(qtbot: Any, make_napari_viewer: Any) -> Any:
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1400, 900)
    widget = open_form(viewer)
    with qtbot.waitSignal(widget.controller.volume_opened, timeout=20_000):
        widget.controller.open_volume(str(sample_path("brain.nii.gz")))
    with qtbot.waitSignal(widget.controller.model_changed, timeout=60_000):
        widget.load_checkpoint(str(sample_path("brain_vit.pth")))
    rest(qtbot, widget)
    widget.form.run.live.setChecked(False)
    widget.form.question.methods.choose(METHOD)
    widget.form.turn_to("Compare")
    yield widget
    rest(qtbot, widget)


def choose(choice: Any, value: Any) -> None:
    """Step to an option with the arrow keys, as a user may."""
    choice.setFocus()
    steps = choice.values().index(value) - choice.currentIndex()
    for _ in range(abs(steps)):
        QTest.keyClick(choice, Qt.Key.Key_Down if steps > 0 else Qt.Key.Key_Up)


def test_two_checkpoints_and_a_broken_one(
    qtbot: Any, widget: Any, tmp_path: Any, monkeypatch: Any, screenshots: Any
) -> None:
    broken = tmp_path / "broken.pth"
    whole = sample_path("brain_vit.pth").read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])  # as a download that was cut short
    chosen = [str(sample_path("brain_swin.pth")), str(broken)]
    monkeypatch.setattr(
        "qtpy.QtWidgets.QFileDialog.getOpenFileNames", lambda *_, **__: (chosen, "")
    )
    box, comparison = widget.form.compare, widget.controller.comparison
    choose(box.kinds, "checkpoints")
    assert not box.go.isEnabled()  # the network that is loaded, alone
    QTest.mouseClick(box.add_file, Qt.MouseButton.LeftButton)
    titles = [box.list.item(row).text() for row in range(box.list.count())]
    assert any("brain_swin" in title for title in titles)
    assert box.go.text() == "Compare 3"
    with qtbot.waitSignal(comparison.changed, timeout=120_000):
        QTest.mouseClick(box.go, Qt.MouseButton.LeftButton)
    rest(qtbot, widget)
    shown = comparison.compared
    assert len(shown.titled) == 2
    (failure,) = shown.failed
    assert "broken" in failure
    assert box.failed.isVisible()
    assert "broken" in box.failed.text()
    QApplication.processEvents()
    widget.window().grab().save(str(screenshots / "compare_checkpoints.png"))
    volume = api.load_volume(sample_path("brain.nii.gz"))
    names = ("brain_vit", "brain_swin")
    for name, (title, found) in zip(names, shown.titled, strict=True):
        assert name in title
        model = api.load_model(sample_path(f"{name}.pth"), device="cpu")
        alone = api.explain(volume, model, METHOD, found.target)
        assert np.allclose(found.patch_map.data, alone.patch_map.data, atol=1e-6, equal_nan=True)
    assert widget.controller.model.name.startswith("brain_vit")  # the one in use stays
    QTest.mouseClick(box.back, Qt.MouseButton.LeftButton)
    assert not box.failed.isVisible()
