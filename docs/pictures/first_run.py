"""The form as it is met for the first time: the note with three steps, the badge below."""

from __future__ import annotations

import napari
from napari.utils.notifications import notification_manager

from g3dvit_napari.plugin.settings import PLUGIN
from g3dvit_napari.plugin.widget import open_form
from pictures.stage import WINDOW, Picture, click, photograph, wait

NAMES = ("first_run",)


def make() -> dict[str, Picture]:
    """Return the pictures by name."""
    from napari.settings import get_plugin_settings

    display = get_plugin_settings(PLUGIN).display
    seen, display.hint_seen = display.hint_seen, False
    with notification_manager.notification_ready.blocker():  # advice about the Qt binding
        viewer = napari.Viewer(show=True)
    viewer.window.resize(*WINDOW)
    form = open_form(viewer).form
    click(form.first_steps.sample)
    wait(lambda: viewer.layers and "CPU" in form.run.device.text())
    picture = photograph(viewer)
    display.hint_seen = seen
    viewer.close()
    return {"first_run": picture}
