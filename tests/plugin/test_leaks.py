"""After fifty computations nothing has grown, and after closing nothing is left."""

from __future__ import annotations

import gc
import itertools
import weakref

import psutil
import pytest
from made_heads import head
from qtpy.QtWidgets import QApplication, QWidget
from stand_in import StandIn

from g3dvit_napari.core.types import Explanation, Threshold
from g3dvit_napari.plugin.history.past import MOST_RESULTS
from g3dvit_napari.plugin.picture.layers import to_layer_data
from g3dvit_napari.plugin.widget import ExplainWidget

RUNS, WARM = 50, MOST_RESULTS + 2  # the history is full after the first of them
MEGABYTE = 1 << 20


def rest(qtbot, widget) -> None:
    lanes = widget.controller.lanes
    qtbot.waitUntil(lambda: lanes.at_rest, timeout=10_000)
    qtbot.wait(1)


def compute(qtbot, widget) -> None:
    with qtbot.waitSignal(widget.controller.explained, timeout=10_000):
        widget.compute()
    rest(qtbot, widget)


def load(qtbot, widget, path: str) -> None:
    with qtbot.waitSignal(widget.controller.model_changed, timeout=60_000):
        widget.load_checkpoint(path)
    rest(qtbot, widget)


def listeners(viewer) -> int:
    """Count who listens to the viewer and its layers."""
    groups = [viewer.events, viewer.dims.events, viewer.scene.camera.events, viewer.layers.events]
    groups += [layer.events for layer in viewer.layers]
    emitters = itertools.chain(*(getattr(g, "emitters", {}).values() for g in groups))
    return sum(len(emitter.callbacks) for emitter in emitters)


def explanations() -> int:
    gc.collect()
    return sum(isinstance(thing, Explanation) for thing in gc.get_objects())


@pytest.fixture
def api(api: StandIn) -> StandIn:
    api.calls = type("Forgetful", (list,), {"append": lambda *_: None})()
    return api


@pytest.fixture
def widget(qtbot, viewer):
    data, keywords = to_layer_data(head())
    viewer.add_image(data, **keywords)
    widget = ExplainWidget(viewer)
    qtbot.addWidget(widget)
    yield widget
    widget.controller.close()
    rest(qtbot, widget)


@pytest.mark.usefixtures("api")
def test_fifty_computations_leave_nothing_behind(qtbot, viewer, widget) -> None:
    others = explanations()  # that earlier tests still hold
    load(qtbot, widget, "/d/vit.pth")
    questions = itertools.cycle(itertools.product(["g3dvit", "libra_grad"], [0, 1]))

    def once() -> None:
        method, target = next(questions)
        widget.form.run.live.setChecked(False)
        widget.form.question.methods.choose(method)
        widget.form.question.targets.choose(target)
        widget.controller.settle(Threshold("keep", 10.0, "patches"))
        compute(qtbot, widget)

    def census() -> dict[str, int]:
        return {
            "layers": len(viewer.layers),
            "listeners": listeners(viewer),
            "widgets": len(QApplication.allWidgets()),
        }

    for _ in range(WARM):
        once()
    before, memory = census(), psutil.Process().memory_info().rss
    for _ in range(RUNS - WARM):
        once()
    after = census()
    assert after == before
    assert explanations() <= others + MOST_RESULTS + 2  # and cuts that were on their way
    assert after["layers"] == 2
    assert psutil.Process().memory_info().rss - memory < 20 * MEGABYTE


def test_real_network_is_left_as_found(qtbot, viewer, widget, tiny_files) -> None:
    viewer.layers.clear()
    with qtbot.waitSignal(widget.controller.volume_opened):
        widget.controller.open_volume(str(tiny_files / "scan.nii.gz"))
    load(qtbot, widget, str(tiny_files / "vit.pth"))
    network = widget.controller.model.handle.network
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_full_backward_hooks")
    for method in ("g3dvit", "hires_cam", "libra_grad") * 4:
        widget.form.question.methods.choose(method)
        compute(qtbot, widget)
    found = [getattr(m, name, {}) for m in network.modules() for name in hooks]
    assert not any(found)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert len(viewer.layers) == 2


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("computed", [False, True])
def test_closed_form_is_gone(qtbot, viewer, computed) -> None:
    data, keywords = to_layer_data(head())
    viewer.add_image(data, **keywords)
    before = listeners(viewer)
    widget = ExplainWidget(viewer)
    dock = QWidget()
    widget.setParent(dock)
    load(qtbot, widget, "/d/vit.pth")
    if computed:
        compute(qtbot, widget)
    controller = widget.controller
    alive = [weakref.ref(thing) for thing in (widget, widget.form, controller, controller.model)]
    if computed:
        alive.append(weakref.ref(controller.explanation))
    widget.setParent(None)  # all that napari's dock does when it is closed
    dock.deleteLater()
    del widget, controller, dock
    qtbot.wait(20)
    gc.collect()
    viewer.layers.clear()
    gc.collect()
    assert [ref() for ref in alive] == [None] * len(alive)
    viewer.add_image(data, **keywords)
    assert listeners(viewer) == before
