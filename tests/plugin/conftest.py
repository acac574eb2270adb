"""What the tests of the plugin share."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_heads import head
from patience import rest
from stand_in import StandIn

SCREENSHOTS = Path(__file__).parents[1] / "screenshots"


@pytest.fixture
def viewer() -> object:
    """Return a viewer's model: everything but the window."""
    from napari.components import ViewerModel

    return ViewerModel()


@pytest.fixture
def screenshots() -> Path:
    """Return the folder for pictures that a person may look at."""
    SCREENSHOTS.mkdir(exist_ok=True)
    return SCREENSHOTS


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Return the stand-in that the plugin gets instead of the facade."""
    stand_in = StandIn()
    monkeypatch.setattr("g3dvit_napari.plugin.jobs.facade", lambda: stand_in)
    return stand_in


@pytest.fixture
def anatomy(viewer: Any) -> Any:
    """Return the layer of a made head in the viewer's model."""
    from g3dvit_napari.plugin.picture.layers import to_layer_data

    data, keywords = to_layer_data(head())
    return viewer.add_image(data, **keywords)


@pytest.fixture
def loaded_form(qtbot: Any, viewer: Any, anatomy: Any, api: StandIn) -> Iterator[Any]:  # noqa: ARG001
    """Return a form over a head, with a network that is a stand-in; all is at rest."""
    from g3dvit_napari.plugin.widget import ExplainWidget

    widget = ExplainWidget(viewer)
    qtbot.addWidget(widget)
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    rest(qtbot, widget)
    yield widget
    widget.controller.release()
    rest(qtbot, widget)
    widget.controller.close()


@pytest.fixture
def explained_window(qtbot: Any, make_napari_viewer: Any, api: StandIn) -> Any:  # noqa: ARG001
    """Return a form in a real window: a head is explained by the stand-in, the peak is in sight."""
    from qtpy.QtWidgets import QApplication

    from g3dvit_napari.plugin.picture.layers import to_layer_data
    from g3dvit_napari.plugin.widget import open_form

    viewer = make_napari_viewer(show=True)
    viewer.window.resize(900, 560)
    data, keywords = to_layer_data(head())
    viewer.add_image(data, **keywords)
    widget = open_form(viewer)
    with qtbot.waitSignal(widget.controller.model_changed):
        widget.load_checkpoint("/d/vit.pth")
    with qtbot.waitSignal(widget.controller.explained):
        widget.compute()
    rest(qtbot, widget)
    widget.controller.jump_to_peak()
    widget.form.turn_to("Look")
    QApplication.processEvents()
    return widget


def pytest_configure(config: pytest.Config) -> None:
    """Let PyQt5 pass, which napari supports and advises against."""
    for words in ("System theme detection requires a Qt6 backend", "napari support for the PyQt5"):
        config.addinivalue_line("filterwarnings", f"ignore:{words}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests of real windows a second try: a virtual display loses an event now and then."""
    for item in items:
        if item.get_closest_marker("window"):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session", autouse=True)
def quick_collections() -> None:
    """Take what stays for good out of the collections that napari asks for with each layer."""
    for name in ("napari.qt", "torch", "g3dvit_napari.api", "g3dvit_napari.plugin.widget"):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Keep the settings of the person who runs the tests out of them."""
    if "plugin_settings" not in request.fixturenames:
        monkeypatch.setattr("g3dvit_napari.plugin.settings._kept_by_napari", lambda: None)
