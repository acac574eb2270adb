"""The shape of the project: who imports whom, sizes, names, and what napari finds."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from npe2 import PluginManager, PluginManifest

import g3dvit_napari
from g3dvit_napari.core.spec import preset_names
from g3dvit_napari.methods import METHODS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "g3dvit_napari"
SOURCES = sorted(
    f
    for part in ("g3dvit_napari", "sample_data", "benchmarks")
    for f in (ROOT / part).rglob("*.py")
)
FILE_LINES, FUNCTION_LINES, POSITIONAL = 300, 40, 5
FOLDER_DEPTH = 3  # the package, a part of it, a family in that
FORBIDDEN_NAMES = {"utils", "helpers", "common", "misc", "base", "manager"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions_of(source: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, Function):
            yield node


def body_lines(function: Function) -> int:
    """Lines of the body; what the docstring explains does not count against it."""
    has_docstring = ast.get_docstring(function) is not None
    body = function.body[1:] if has_docstring else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def run_python(code: str, **environment: str) -> str:
    """Return what a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        cwd=tempfile.gettempdir(),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_contracts_hold() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_stay_small() -> None:
    lengths = {f.relative_to(ROOT): len(f.read_text("utf-8").splitlines()) for f in SOURCES}
    assert {f: n for f, n in lengths.items() if n > FILE_LINES} == {}


def test_functions_stay_small() -> None:
    found = {
        f"{f.relative_to(ROOT)}:{function.name}": body_lines(function)
        for f in SOURCES
        for function in functions_of(f)
    }
    assert len(found) > 100
    assert {name: n for name, n in found.items() if n > FUNCTION_LINES} == {}


def test_functions_take_few_positional_parameters() -> None:
    # A command's parameters are options that typer passes by name; what stands in for one of
    # torch's own functions takes what torch passes.
    sources = [f for f in SOURCES if f.name not in ("app.py", "backward.py")]
    found = {
        f"{f.relative_to(ROOT)}:{function.name}": len(
            [
                a
                for a in function.args.posonlyargs + function.args.args
                if a.arg not in ("self", "cls")
            ]
        )
        for f in sources
        for function in functions_of(f)
    }
    assert {name: n for name, n in found.items() if n > POSITIONAL} == {}


def test_every_file_says_what_it_is_for() -> None:
    assert [f for f in SOURCES if not ast.get_docstring(ast.parse(f.read_text("utf-8")))] == []


def test_names_say_something_and_folders_stay_flat() -> None:
    for source in (*SOURCES, *(ROOT / "tests").rglob("*.py")):
        parts = source.relative_to(ROOT).with_suffix("").parts
        assert not FORBIDDEN_NAMES & set(parts), source
        assert len(parts) - 1 <= FOLDER_DEPTH, source


def test_one_file_is_one_method() -> None:
    files = {f.stem for f in (PACKAGE / "methods").rglob("*.py")} - {"__init__"}
    assert set(METHODS) == files


def test_the_plugin_uses_only_public_napari() -> None:
    private = re.compile(r"(napari|npe2|vispy)(\.\w+)*\._")
    found = []
    for source in (PACKAGE / "plugin").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            found += [(source.name, name) for name in names if private.match(name)]
    assert found == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, g3dvit_napari, g3dvit_napari.cli; print(*sys.modules)"
    loaded = set(run_python(code).split())
    heavy = {
        "torch",
        "numpy",
        "scipy",
        "nibabel",
        "napari",
        "qtpy",
        "PyQt5",
        "PyQt6",
        "rich.console",
    }
    assert "g3dvit_napari.cli.app" in loaded
    assert loaded & heavy == set()


def test_the_public_names_exist() -> None:
    for name in g3dvit_napari.__all__:
        assert getattr(g3dvit_napari, name) is not None
        assert name in dir(g3dvit_napari)
    with pytest.raises(AttributeError, match="no attribute 'explode'"):
        g3dvit_napari.explode  # noqa: B018


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(ROOT / "napari.yaml")


def test_napari_finds_the_manifest_of_an_editable_install() -> None:
    manager = PluginManager()
    manager.discover(include_npe1=False)
    found = manager.get_manifest("g3dvit-napari")
    assert found.display_name == found.name
    assert found.package_version == g3dvit_napari.__version__


def test_every_command_of_the_manifest_resolves(manifest: PluginManifest) -> None:
    manifest.validate_imports()


def test_every_contribution_names_a_declared_command(manifest: PluginManifest) -> None:
    contributed = manifest.contributions
    declared = {command.id for command in contributed.commands or ()}
    used = {
        item.command
        for kind in ("widgets", "readers", "writers", "sample_data", "themes")
        for item in getattr(contributed, kind) or ()
    }
    used |= {item.command for menu in (contributed.menus or {}).values() for item in menu}
    assert declared
    assert used == declared
    assert all(name.startswith("g3dvit-napari.") for name in declared)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_everything_once(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert len(names) == len(set(names))
    wanted = {"g3dvit_napari/napari.yaml", "g3dvit_napari/py.typed"}
    wanted |= {f"g3dvit_napari/core/presets/{name}.yaml" for name in preset_names()}
    samples = [f for f in (ROOT / "sample_data" / "files").rglob("*") if f.is_file()]
    wanted |= {f"g3dvit_napari/sample_data/{f.name}" for f in samples}
    assert wanted <= set(names)
    assert not [name for name in names if name.startswith("tests/")]
    assert wheel.stat().st_size < 8_000_000


def test_an_installed_wheel_has_manifest_plugin_and_samples(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(wheel)], check=True, capture_output=True)
    code = (
        "from npe2 import PluginManager\n"
        "import g3dvit_napari\n"
        "from g3dvit_napari.io.samples import sample_path\n"
        "manager = PluginManager()\n"
        "manager.discover(include_npe1=False)\n"
        "found = manager.get_manifest('g3dvit-napari')\n"
        "found.validate_imports()\n"
        "sample = sample_path('brain.nii.gz')\n"
        "print(g3dvit_napari.__file__, sample, found.display_name, sep='|')\n"
    )
    *where, title = run_python(code, PYTHONPATH=str(target)).strip().splitlines()[-1].split("|")
    assert all(Path(path).is_relative_to(target) for path in where)
    assert title == "g3dvit-napari"


def test_every_test_file_has_a_name_of_its_own() -> None:
    names = [file.name for file in (ROOT / "tests").rglob("*.py") if file.name != "conftest.py"]
    assert sorted(set(names)) == sorted(names)  # two of one name cannot be collected together
