"""What the tests of the plugin share."""

from __future__ import annotations

from pathlib import Path

import pytest
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


def pytest_configure(config: pytest.Config) -> None:
    """Let PyQt5 pass, which napari supports and advises against."""
    for words in ("System theme detection requires a Qt6 backend", "napari support for the PyQt5"):
        config.addinivalue_line("filterwarnings", f"ignore:{words}")


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Keep the settings of the person who runs the tests out of them."""
    if "plugin_settings" not in request.fixturenames:
        monkeypatch.setattr("g3dvit_napari.plugin.settings._kept_by_napari", lambda: None)
