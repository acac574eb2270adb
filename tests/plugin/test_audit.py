"""Whatever control there is: explained, named, reached by keys, and whole at 280 × 600 pixels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from made_heads import head
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDockWidget,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QScrollBar,
    QTabBar,
    QWidget,
)

from g3dvit_napari.plugin.controls.section import REASON
from g3dvit_napari.plugin.picture.layers import to_layer_data
from g3dvit_napari.plugin.widget import open_form

pytestmark = [pytest.mark.window, pytest.mark.usefixtures("api")]
WIDTH, HEIGHT = 280, 600
CONTROLS = (QAbstractButton, QComboBox, QAbstractSlider, QAbstractSpinBox, QLineEdit)
LISTS = (QAbstractItemView,)


@pytest.fixture(params=["empty", "explained"])
def form(request, qtbot, make_napari_viewer):
    """The form in a real window, as at the start, and after an explanation."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1000, 760)
    widget = open_form(viewer)
    if request.param == "explained":
        data, keywords = to_layer_data(head())
        viewer.add_image(data, **keywords)
        with qtbot.waitSignal(widget.controller.model_changed, timeout=60_000):
            widget.load_checkpoint("/d/vit.pth")
        with qtbot.waitSignal(widget.controller.explained, timeout=20_000):
            qtbot.mouseClick(widget.form.run.button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: widget.controller.lanes.at_rest, timeout=20_000)
    yield widget.form
    widget.controller.cancel()
    qtbot.waitUntil(lambda: widget.controller.lanes.at_rest, timeout=20_000)


def is_part(widget: QWidget) -> bool:
    """Whether a widget belongs to a larger control, as the field in a spin box does."""
    if isinstance(widget, QScrollBar) or widget.objectName().startswith("qt_"):
        return True
    above = widget.parentWidget()
    while above is not None and not isinstance(above, QScrollArea):
        if isinstance(above, (*CONTROLS, *LISTS, QTabBar)):
            return True
        above = above.parentWidget()
    return False


def controls(page: QWidget, kinds=(*CONTROLS, *LISTS)) -> Iterator[QWidget]:
    """Yield the controls that are shown now, the parts of larger ones left out."""
    for widget in page.findChildren(QWidget):
        if isinstance(widget, kinds) and widget.isVisible() and not is_part(widget):
            yield widget


def pages(form) -> Iterator[str]:
    """Turn to each page in turn, and yield its title."""
    for number in range(form.pages.count()):
        form.pages.setCurrentIndex(number)
        QApplication.processEvents()
        yield form.pages.tabText(number)


def named(widget: QWidget) -> str:
    """Return a control in words for the list of those that fail."""
    text = widget.text() if hasattr(widget, "text") and callable(widget.text) else ""
    return f"{type(widget).__name__} {widget.accessibleName() or text or widget.objectName()!r}"


def reasons(control: QWidget) -> Iterator[str]:
    """Yield why a control, or what it is a part of, cannot be used."""
    while control is not None:
        if control.property(REASON):
            yield control.property(REASON)
        control = control.parentWidget()


def faults(control: QWidget, buddies: set[QWidget]) -> Iterator[str]:
    """Yield what a user would miss about a control."""
    proxy = control.focusProxy()
    if not control.toolTip() and not (proxy and proxy.toolTip()):
        yield "no tooltip"
    reads = isinstance(control, QAbstractButton) and any(map(str.isalpha, control.text()))
    if not (control.accessibleName() or reads or control in buddies):
        yield "no name"
    if control.isEnabled():
        keys = control.focusPolicy() & Qt.FocusPolicy.TabFocus
        if not keys and not proxy and not is_one_of_a_group(control):
            yield "not reached by keys"
    elif not any(control.toolTip().startswith(reason) for reason in reasons(control)):
        yield f"disabled without a reason: {control.toolTip()!r}"


def test_every_control_is_explained_named_and_reached(form) -> None:
    buddies = {label.buddy() for label in form.findChildren(QLabel)}
    found, seen = [], 0
    for title in pages(form):
        page, number = form.pages.currentWidget(), form.pages.currentIndex()
        found += [] if form.pages.tabToolTip(number) else [(title, "the page has no tooltip")]
        found += [] if isinstance(page, QScrollArea) else [(title, "the page does not scroll")]
        passed = chain_of(form)
        for control in controls(form):
            seen += 1
            found += [(title, named(control), fault) for fault in faults(control, buddies)]
            wanted = control.isEnabled() and control.focusPolicy() & Qt.FocusPolicy.TabFocus
            if wanted and control not in passed:
                found.append((title, named(control), "not in the order of the Tab key"))
    assert not found, "\n".join(map(str, found))
    assert seen > 30


def test_tab_goes_from_the_method_to_its_parameters(qtbot, form) -> None:
    methods, rows = form.question.methods, form.question.parameters
    if not methods.isEnabled():
        return  # no network, no parameters
    first, second = (control for control in controls(rows) if control.isEnabled())
    methods.setFocus()
    for here, there in ((methods, first), (first, second)):
        qtbot.keyClick(here, Qt.Key.Key_Tab)
        assert form.window().focusWidget() is there


def is_one_of_a_group(control: QWidget) -> bool:
    """Whether the arrow keys reach a button from its neighbour, as in a group of radio buttons."""
    return isinstance(control, QAbstractButton) and control.group() is not None


def chain_of(form: QWidget) -> set[QWidget]:
    """Return what the Tab key passes inside the form, by Qt's own order.

    The form is one stretch of the window's order. The walk ends where that does: PySide would hold
    napari's own widgets for good once they were handed to Python.
    """
    here, passed = form, set()
    while form is here or form.isAncestorOf(here):
        assert here not in passed, "the order of the Tab key runs in a circle inside the form"
        passed.add(here)
        here = here.nextInFocusChain()
    return passed


def float_narrow(qtbot, form) -> None:
    """Bring the form to the smallest size that it must bear."""
    dock = form
    while not isinstance(dock, QDockWidget):
        dock = dock.parentWidget()
    dock.setFloating(True)
    dock.resize(WIDTH, HEIGHT)
    qtbot.wait(50)


def room(button: QPushButton) -> int:
    """Return how many pixels of a button are left beside its text."""
    text = button.text().replace("&", "")
    widest = max(button.fontMetrics().horizontalAdvance(line) for line in text.split("\n"))
    return button.width() - widest


def squeezed(form: QWidget) -> Iterator[str]:
    """Yield the controls of the page in front that are cut off."""
    for control in controls(form):
        right = control.mapTo(form, QPoint(control.width(), 0)).x()
        if right > form.width() + 1:
            yield f"{named(control)} ends at {right} of {form.width()} pixels"
        if isinstance(control, QPushButton) and control.text() and room(control) < 0:
            yield f"{named(control)} lacks {-room(control)} pixels for its text"


def wide(page: QWidget) -> Iterator[str]:
    """Yield the controls that ask for much of the width, to be found quickly."""
    for control in controls(page):
        asked = max(control.minimumSizeHint().width(), control.minimumWidth())
        if asked > WIDTH / 3:
            yield f"{named(control)}: {asked}"


def test_nothing_is_cut_off_at_280_by_600(qtbot, form) -> None:
    float_narrow(qtbot, form)
    assert form.width() <= WIDTH
    assert form.minimumSizeHint().width() <= WIDTH
    found = []
    for title in pages(form):
        page = form.pages.currentWidget()
        asked = page.widget().minimumSizeHint().width()
        left = page.viewport().width()  # what the scroll bar leaves
        if asked > left:
            found.append((title, f"asks for {asked} of {left} pixels", *wide(page)))
        found += [(title, fault) for fault in squeezed(form)]
        longer = page.widget().height() - page.viewport().height()
        assert page.verticalScrollBar().maximum() == max(longer, 0), title
    bar = form.pages.tabBar()
    for number in range(bar.count()):
        words = bar.fontMetrics().horizontalAdvance(bar.tabText(number))
        if bar.tabRect(number).right() > WIDTH or words > bar.tabRect(number).width():
            found.append((bar.tabText(number), "the tab is cut off"))
    assert not found, "\n".join(map(str, found))
