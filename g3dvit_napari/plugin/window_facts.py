"""What Qt, napari and OpenGL say of themselves, for `g3dvit doctor`.

Run as a program of its own (`python -m g3dvit_napari.plugin.window_facts`): a broken driver ends a
process without a word, and it shall not be the one that reports. Each fact is a line of JSON,
written at once, so that what was found before stays.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from g3dvit_napari.plugin.settings import PLUGIN

NO_DISPLAY = "no display here"
_SCREENLESS = ("offscreen", "minimal")


def main() -> None:
    """Write one line per fact."""
    facts: dict[str, Callable[[], str]] = {
        "qt": qt_binding,
        "settings": settings_file,
        "opengl": opengl,  # last: it may end the process
    }
    for name, find in facts.items():
        try:
            found = {"name": name, "value": find()}
        except (ImportError, OSError, RuntimeError, ValueError, KeyError) as error:
            found = {"name": name, "error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


def qt_binding() -> str:
    """Return the binding that napari would take, and the version of Qt."""
    import qtpy

    version = qtpy.PYQT_VERSION or qtpy.PYSIDE_VERSION
    return f"{qtpy.API_NAME} {version}, Qt {qtpy.QT_VERSION}"


def settings_file() -> str:
    """Return where napari keeps this plugin's settings, and whether they are there."""
    from napari.settings import get_settings

    own = get_settings().config_path
    if own is None:
        return "not kept between starts (napari was told so)"
    path = Path(own).with_name(f"{PLUGIN}.yaml")
    return f"{path}, {'found' if path.is_file() else 'not there yet: all as delivered'}"


def opengl() -> str:
    """Return who draws: vendor, renderer and version, asked as napari asks."""
    if not has_display():
        return NO_DISPLAY
    from qtpy import API
    from vispy.app import Canvas, use_app
    from vispy.gloo import gl

    use_app(API)
    canvas = Canvas(show=False)
    canvas.set_current()
    names = (gl.GL_VENDOR, gl.GL_RENDERER, gl.GL_VERSION)
    found = [str(gl.glGetParameter(name)) for name in names]
    canvas.close()
    return "; ".join(filter(None, found)) or "no answer from the driver"


def has_display() -> bool:
    """Whether a window could be shown; Qt ends the process where it cannot."""
    if os.environ.get("QT_QPA_PLATFORM") in _SCREENLESS:
        return False
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


if __name__ == "__main__":
    main()
