"""What this computer and this installation are: the facts of `g3dvit doctor`.

Nothing here may fail: what cannot be found out is said to be so, and what helps stands beside it.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "g3dvit-napari"
LIBRARIES = ("napari", "npe2", "superqt", "torch", "numpy", "scipy", "nibabel")
BINDINGS = ("PyQt5", "PyQt6", "PySide6")
PATIENCE = 60.0  # seconds, for a driver that never answers
INSTALL = f'pip install "{PACKAGE}[pyqt5]"'
_EXTRA = re.compile(r"(?P<name>[\w.-]+).*;.*extra == ['\"](?P<extra>\w+)['\"]")
_WINDOW_TITLES = {"qt": "Qt", "settings": "settings", "opengl": "OpenGL"}
_WINDOW_FACTS = [sys.executable, "-m", "g3dvit_napari.plugin.window_facts"]


@dataclass(frozen=True)
class Fact:
    """A line of the report; a cure says that something is amiss, and what to do."""

    name: str
    value: str
    cure: str = ""


def examine() -> list[Fact]:
    """Return all facts, in the order in which they are read."""
    return [
        Fact("system", f"{_system()}, {platform.machine()}"),
        Fact("Python", platform.python_version()),
        Fact(PACKAGE, version_of(PACKAGE) or "not installed, run from its folder"),
        *(_library(name) for name in LIBRARIES),
        *_window(),
        _device(),
        _manifest(),
        *_extras(),
    ]


def version_of(name: str) -> str:
    """Return the installed version of a distribution; empty: it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def without_home(text: str) -> str:
    """Return a text without the name of the person whose computer this is."""
    home = str(Path.home())
    return text.replace(home, "~") if len(home) > 1 else text


def _system() -> str:
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, Linux {platform.release()}"
    except (OSError, KeyError, AttributeError):  # no Linux, or an unusual one
        return f"{platform.system()} {platform.release()}"


def _library(name: str) -> Fact:
    found = version_of(name)
    if found:
        return Fact(name, found)
    windows = name in ("napari", "npe2", "superqt")
    return Fact(name, "not installed", f"for the window: {INSTALL}" if windows else "install again")


def _bindings() -> list[str]:
    names = {name: version_of(name) or version_of(f"{name}-Essentials") for name in BINDINGS}
    return [f"{name} {version}" for name, version in names.items() if version]


def _window() -> Iterator[Fact]:
    """Yield what a process of its own finds out about Qt, the settings and OpenGL."""
    if not _bindings():
        yield Fact("Qt", "no binding installed", f"for the window: {INSTALL}")
        return
    told, ending = _asked()
    for key, name in _WINDOW_TITLES.items():
        found = told.get(key, {"error": ending})
        error = found.get("error", "")
        value = f"failed: {error}" if error else found["value"]
        yield Fact(name, without_home(value), _cure(key, value) if error else "")


def _cure(key: str, value: str) -> str:
    if key == "opengl":
        return "renew the graphics driver; on a server without a screen: xvfb-run g3dvit demo"
    if key == "qt" or "ImportError" in value:
        return f"Qt cannot be loaded; in a new environment: {INSTALL}"
    return "napari's settings cannot be read: napari --reset"


def _asked() -> tuple[dict[str, dict[str, str]], str]:
    """Return what the other process told before its end, and how it ended."""
    command = [*_WINDOW_FACTS]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired as late:
        output = late.stdout or ""
        text = output.decode() if isinstance(output, bytes) else output
        return _read(text), f"no answer within {PATIENCE:.0f} s"
    last = (done.stderr.strip().splitlines() or [""])[-1]
    return _read(done.stdout), f"the process ended with {done.returncode}. {last}".strip()


def _read(output: str) -> dict[str, dict[str, str]]:
    lines = [line for line in output.splitlines() if line.startswith("{")]
    return {found["name"]: found for found in map(json.loads, lines)}


def _device() -> Fact:
    from g3dvit_napari import api

    try:
        return Fact("device", api.usual_device().words)
    except (ImportError, OSError, RuntimeError) as error:
        return Fact("device", f"failed: {without_home(str(error))}", "install PyTorch again")


def _manifest() -> Fact:
    """Say whether napari would find the plugin, and whether what it names is there."""
    if not version_of("npe2"):
        return Fact("manifest", "not looked for: npe2 is not installed")
    from npe2 import PluginManager

    again = f"install again: {INSTALL}"
    manager = PluginManager()
    manager.discover(include_npe1=False)
    try:
        found = manager.get_manifest(PACKAGE)
    except KeyError:
        return Fact("manifest", "not found: napari will not list the plugin", again)
    commands = found.contributions.commands or []
    modules = {str(command.python_name).partition(":")[0] for command in commands}
    lacking = [module for module in sorted(modules) if find_spec(module) is None]
    if lacking:
        return Fact("manifest", f"found, but it names {', '.join(lacking)}: not there", again)
    return Fact("manifest", f"found and valid, {len(commands)} commands")


def _extras() -> Iterator[Fact]:
    """Yield which optional parts of this package are complete, and what the others lack."""
    lacking = _lacking()
    found = [extra for extra, missing in lacking.items() if not missing]
    yield Fact("extras found", ", ".join(found) or "none")
    rest = [f"{extra} (no {', '.join(names)})" for extra, names in lacking.items() if names]
    if rest:
        yield Fact("extras missing", ", ".join(rest))


def _lacking() -> dict[str, list[str]]:
    """Return of every extra the distributions that are not installed."""
    try:
        required = importlib.metadata.requires(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    lacking: dict[str, list[str]] = {}
    for requirement in required:
        found = _EXTRA.match(requirement)
        if found:
            missing = lacking.setdefault(found["extra"], [])
            if not version_of(found["name"]):
                missing.append(found["name"])
    return lacking
