"""The dock closed and opened again, twenty times, or a comparison ended: nothing of it stays."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
import weakref

import psutil
import pytest
from made_heads import head
from qtpy.QtCore import QCoreApplication, QEvent, Qt
from qtpy.QtWidgets import QApplication
from vispy.visuals import TextVisual

from g3dvit_napari.plugin.picture.layers import to_layer_data
from g3dvit_napari.plugin.settings import PLUGIN
from g3dvit_napari.plugin.widget import TITLE, ExplainWidget, open_form

pytestmark = pytest.mark.window
WARM_UP, TIMES, TRACED = 3, 20, 5
MOST_GROWTH = 256 << 10  # each time
MANY, MOST_RESIDENT = 30, 15 << 20  # measured: 1.6 MB in 60; 49 MB in 20 with nothing cleared away


def listeners(viewer) -> int:
    """Count who listens to the viewer and its layers, and who is asked about the mouse."""
    groups = [viewer.events, viewer.dims.events, viewer.scene.camera.events, viewer.layers.events]
    groups += [layer.events for layer in viewer.layers]
    emitters = itertools.chain(*(getattr(g, "emitters", {}).values() for g in groups))
    mouse = (viewer.mouse_move_callbacks, viewer.mouse_drag_callbacks, viewer.mouse_wheel_callbacks)
    heard = sum(is_alive(callback) for emitter in emitters for callback in emitter.callbacks)
    return heard + sum(map(len, mouse))


def is_alive(callback: object) -> bool:
    """Whether a listener exists; napari forgets those that have gone at the next event."""
    if isinstance(callback, tuple):
        return callback[0]() is not None
    return True


def clear_away(qtbot) -> None:
    """Let Qt delete what was to be deleted later, and Python what nobody holds."""
    qtbot.wait(20)
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    qtbot.wait(1)
    gc.collect()


def open_and_close(qtbot, viewer) -> weakref.ref[ExplainWidget]:
    """Open the dock, explain something, close it; return what should be gone."""
    widget = open_form(viewer)
    with qtbot.waitSignal(widget.controller.model_changed, timeout=60_000):
        widget.load_checkpoint("/d/vit.pth")
    with qtbot.waitSignal(widget.controller.explained, timeout=20_000):
        qtbot.mouseClick(widget.form.run.button, Qt.MouseButton.LeftButton)
    lanes = widget.controller.lanes
    qtbot.waitUntil(lambda: lanes.at_rest, timeout=20_000)
    dock, _ = viewer.window.add_plugin_dock_widget(PLUGIN, TITLE)
    viewer.window.remove_dock_widget(dock)
    qtbot.waitUntil(lambda: lanes.at_rest, timeout=20_000)
    return weakref.ref(widget)


@pytest.fixture
def viewer(make_napari_viewer, api):
    """A window with a head, and a stand-in that does not remember how it was called."""
    api.calls = type("Forgetful", (list,), {"append": lambda *_: None})()
    viewer = make_napari_viewer(show=True)
    data, keywords = to_layer_data(head())
    viewer.add_image(data, **keywords)
    return viewer


def drawn_texts() -> int:
    """Count the texts that vispy draws, and those that it draws no more but holds."""
    return sum(issubclass(type(thing), TextVisual) for thing in gc.get_objects())


def test_what_a_closed_form_drew_is_gone_without_being_asked(qtbot, viewer) -> None:
    open_and_close(qtbot, viewer)
    clear_away(qtbot)
    before = drawn_texts()
    gc.disable()  # Python's own rounds come when they like
    try:
        open_and_close(qtbot, viewer)
        left = drawn_texts()
        qtbot.waitUntil(lambda: drawn_texts() == before, timeout=10_000)
    finally:
        gc.enable()
    assert left > before


def test_what_an_ended_comparison_drew_is_gone_without_being_asked(qtbot, viewer) -> None:
    widget = open_form(viewer)
    with qtbot.waitSignal(widget.controller.model_changed, timeout=60_000):
        widget.load_checkpoint("/d/vit.pth")
    widget.form.turn_to("Compare")
    widget.form.compare.kinds.choose("classes")

    def compare_and_back() -> None:
        with qtbot.waitSignal(widget.controller.comparison.changed, timeout=20_000):
            qtbot.mouseClick(widget.form.compare.go, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: widget.controller.lanes.at_rest, timeout=20_000)
        qtbot.mouseClick(widget.form.compare.back, Qt.MouseButton.LeftButton)

    compare_and_back()
    clear_away(qtbot)
    before = drawn_texts()
    gc.disable()
    try:
        compare_and_back()
        left = drawn_texts()
        qtbot.waitUntil(lambda: drawn_texts() == before, timeout=10_000)
    finally:
        gc.enable()
    assert left > before


@pytest.mark.heavy
def test_memory_of_the_process_levels_off(qtbot, viewer) -> None:
    def resident_after(times: int) -> int:
        for _ in range(times):
            open_and_close(qtbot, viewer)
            qtbot.wait(200)
        clear_away(qtbot)
        return int(psutil.Process().memory_info().rss)

    before = resident_after(10)
    grown = [resident_after(MANY) - before for _ in range(2)]
    assert max(grown) < MOST_RESIDENT, [f"{part / (1 << 20):.1f} MB" for part in grown]


def test_twenty_times_closed_and_opened(qtbot, viewer) -> None:
    gone = [open_and_close(qtbot, viewer) for _ in range(WARM_UP)]
    clear_away(qtbot)

    def census() -> dict[str, int]:
        return {
            "layers": len(viewer.layers),
            "listeners": listeners(viewer),
            "widgets": len(QApplication.allWidgets()),
        }

    before = census()
    gone += [open_and_close(qtbot, viewer) for _ in range(TIMES - TRACED)]
    clear_away(qtbot)
    tracemalloc.start()  # Python's own and numpy's: what C's allocator keeps goes up and down
    gone += [open_and_close(qtbot, viewer) for _ in range(TRACED)]
    clear_away(qtbot)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert census() == before
    assert [widget() for widget in gone] == [None] * len(gone)
    assert grown < TRACED * MOST_GROWTH, f"{grown / (1 << 20):.1f} MB"


def choose_in_menu(viewer, words: str) -> None:
    """Choose an entry of the menu *Plugins*, as a click on it does."""
    bar = viewer.window._qt_window.menuBar()
    (menu,) = (entry.menu() for entry in bar.actions() if "Plugins" in entry.text())
    menu.aboutToShow.emit()
    (entry,) = (one for one in menu.actions() if one.text().startswith(words))
    entry.trigger()


def test_the_menu_and_what_opens_the_form_by_itself_share_one(viewer) -> None:
    choose_in_menu(viewer, TITLE)
    forms = viewer.window._qt_window.findChildren(ExplainWidget)
    assert len(forms) == 1
    assert open_form(viewer) is forms[0]
    assert viewer.window._qt_window.findChildren(ExplainWidget) == forms
