"""What g3dvit doctor says, of a whole installation and of broken ones."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from g3dvit_napari.cli import examining, main
from g3dvit_napari.cli.doctor import report
from g3dvit_napari.cli.examining import Fact, examine, without_home

NAMES = (
    *("system", "Python", "g3dvit-napari", "napari", "npe2", "torch", "numpy", "nibabel"),
    *("Qt", "settings", "OpenGL", "device", "manifest", "extras found"),
)


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """No display, whatever this computer has."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


def facts() -> dict[str, Fact]:
    return {fact.name: fact for fact in examine()}


def other_process(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(examining, "_WINDOW_FACTS", [sys.executable, "-c", code])


@pytest.mark.usefixtures("blind")
def test_every_line_is_there_without_a_display(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["doctor"])
    out = capsys.readouterr().out
    assert not stopped.value.code
    lines = {line[2:].partition("  ")[0] for line in out.splitlines() if line.startswith("  ")}
    assert set(NAMES) <= lines
    assert "no display here" in out
    assert str(Path.home()) not in out
    assert out.endswith("Nothing is amiss.\n")


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["doctor", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert set(NAMES) <= set(document["facts"])
    assert document["facts"]["Python"] == sys.version.split()[0]
    assert document["facts"]["manifest"].startswith("found and valid, ")
    assert "GB free" in document["facts"]["device"]
    assert document["to_do"] == {}


def test_without_qt_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    known = examining.version_of
    absent = (*examining.BINDINGS, "PySide6-Essentials")
    monkeypatch.setattr(
        examining,
        "version_of",
        lambda name: "" if name in absent or name.startswith("pyqt") else known(name),
    )
    found = facts()
    assert found["Qt"] == Fact("Qt", "no binding installed", f"for the window: {examining.INSTALL}")
    assert "OpenGL" not in found
    assert "pyqt5 (no " in found["extras missing"].value


def test_broken_qt_is_told_with_its_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As where the libraries of another environment are in the way."""
    for name in examining.BINDINGS:
        (tmp_path / f"{name}.py").write_text("raise ImportError('libEGL.so.1 is not there')")
    root = Path(examining.__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{root}")
    monkeypatch.delenv("QT_API", raising=False)
    found = facts()
    assert found["Qt"].value.startswith("failed: ")
    assert examining.INSTALL in found["Qt"].cure


def test_a_driver_that_ends_the_process_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    line = json.dumps({"name": "qt", "value": "PyQt5 5.15, Qt 5.15"})
    code = f"import os, sys; print({line!r}, flush=True); sys.stderr.write('no swrast'); "
    other_process(monkeypatch, code + "sys.stderr.flush(); os._exit(134)")
    found = facts()
    assert found["Qt"] == Fact("Qt", "PyQt5 5.15, Qt 5.15")
    assert found["OpenGL"].value == "failed: the process ended with 134. no swrast"
    assert "driver" in found["OpenGL"].cure


def test_a_driver_that_never_answers_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examining, "PATIENCE", 0.2)
    other_process(monkeypatch, "import time; time.sleep(30)")
    assert "no answer within" in facts()["OpenGL"].value


def test_a_manifest_that_napari_does_not_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("npe2.PluginManager.discover", lambda *_, **__: None)
    found = facts()["manifest"]
    assert "not found" in found.value
    assert "install again" in found.cure


def test_what_is_amiss_stands_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [Fact("Qt", "failed: \x1b[2Jx", "install it"), Fact("Python", "3.12")]
    monkeypatch.setattr("g3dvit_napari.cli.doctor.examine", lambda: told)
    report(as_json=False)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert out.splitlines()[-2:] == ["To do:", "  Qt: install it"]


def test_the_person_is_not_named() -> None:
    assert without_home(f"{Path.home()}/x.yaml, found") == "~/x.yaml, found"


@pytest.mark.window
def test_opengl_is_asked_where_there_is_a_display() -> None:
    command = [sys.executable, "-m", "g3dvit_napari.plugin.window_facts"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = {found["name"]: found for found in map(json.loads, done.stdout.splitlines())}
    assert "value" in told["qt"]
    assert told["settings"]["value"].partition(", ")[0].endswith("g3dvit-napari.yaml")
    assert told["opengl"]["value"].count(";") == 2
