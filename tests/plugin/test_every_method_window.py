"""Every method from the window, on each sample network: a map, a plain sentence, or a refusal.

The transformer is asked always, the two others where heavy tests are wanted. The outcomes are
written to tests/screenshots/every_method_NETWORK.tsv.
"""

from __future__ import annotations

import numpy as np
import pytest
from patience import rest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QSpinBox

from g3dvit_napari.io.samples import sample_path
from g3dvit_napari.methods import METHODS
from g3dvit_napari.plugin.widget import open_form

pytestmark = pytest.mark.window
OTHERS = [pytest.param(name, marks=pytest.mark.heavy) for name in ("brain_swin", "brain_resnet")]
PATIENCE = 120_000
# Enough to go the whole way; how good the maps are is measured elsewhere.
FEW = {
    "Samples": 4,
    "Steps": 2,
    "Pairs": 2,
    "Masks": 4,
    "Features": 4,
    "Window": 8,
    "Stride": 8,
    "Group": 5,
    "Top k": 4,
    "Pool": 4,
}
FEW_OF = {"kernel_shap": {"Samples": 288, "Group": 10}}  # several for each block


@pytest.fixture
def opened(qtbot, make_napari_viewer):
    """A function that opens a window with the sample brain and a network."""

    def make(network: str):
        viewer = make_napari_viewer(show=True)
        widget = open_form(viewer)
        controller = widget.controller
        with qtbot.waitSignals(
            [controller.model_changed, controller.volume_opened], timeout=PATIENCE
        ):
            controller.open_volume(str(sample_path("brain.nii.gz")))
            widget.load_checkpoint(str(sample_path(f"{network}.pth")), spec="")
        if widget.form.run.live.isChecked():
            widget.form.run.live.click()  # one run per method: when it is asked for
        rest(qtbot, widget)
        return viewer, widget

    return make


def pick(qtbot, methods, row: int) -> None:
    """Choose an item of the list as a user does: open it, go there, press Return."""
    methods.showPopup()
    view = methods.view()
    view.setCurrentIndex(methods.model().index(row, 0))
    qtbot.keyClick(view, Qt.Key.Key_Return)
    QApplication.processEvents()
    assert methods.currentIndex() == row


def hurry(form) -> None:
    """Set the numbers of the method's form so that it asks the network a few times only."""
    few = FEW | FEW_OF.get(form.question.method, {})
    for spin in form.question.parameters.findChildren(QSpinBox):
        if spin.accessibleName() in few:
            spin.setValue(few[spin.accessibleName()])


def outcome(qtbot, viewer, widget, name: str) -> str:
    """Choose a method, compute, and return what became of it; fail where that is nothing."""
    form, controller = widget.form, widget.controller
    row = form.question.methods.values().index(name)
    item = form.question.methods.model().item(row)
    if not item.isEnabled():
        assert METHODS[name].summary not in item.toolTip().partition("<br>")[0]
        assert item.toolTip().removeprefix("<qt>").strip()
        return "refused"
    if form.question.method != name:
        pick(qtbot, form.question.methods, row)
    hurry(form)
    heard: list[object] = []
    controller.explained.connect(heard.append)
    controller.failed.connect(heard.append)
    qtbot.mouseClick(form.run.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(heard), timeout=PATIENCE)
    rest(qtbot, widget)
    assert not isinstance(heard[0], str), f"{name}: {heard[0]}"
    found = controller.explanation
    assert found.request.method == name
    assert form.run.result.text().startswith("Predicted left lesion")
    if found.status != "ok":
        assert found.message in form.run.warning.text()
        return f"degenerate: {found.status}"
    title = METHODS[name].title
    (shown,) = [one for one in viewer.layers if one.visible and one.name.endswith(f"| {title}")]
    values = np.asarray(shown.data)
    seen = values[np.isfinite(values)]
    assert seen.size
    assert np.ptp(seen) > 0
    return "map"


@pytest.mark.parametrize("network", ["brain_vit", *OTHERS])
def test_every_method_answers(qtbot, opened, screenshots, network) -> None:
    viewer, widget = opened(network)
    outcomes = {name: outcome(qtbot, viewer, widget, name) for name in METHODS}
    lines = [f"{name}\t{became}\n" for name, became in outcomes.items()]
    (screenshots / f"every_method_{network}.tsv").write_text("".join(lines), encoding="utf-8")
    assert len(outcomes) == len(METHODS)
    assert list(outcomes.values()).count("map") > len(METHODS) / 3
