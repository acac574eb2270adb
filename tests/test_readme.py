"""What the documentation shows, works: every snippet of the README runs on the sample files."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from g3dvit_napari.core.spec import read_spec
from g3dvit_napari.io.samples import sample_path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SAMPLES = (
    "brain.nii.gz",
    "brain_lesion.nii.gz",
    "brain_series.nii.gz",
    "brain_vit.pth",
    "brain_vit.spec.yaml",
)


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def shell_lines(start: str) -> list[str]:
    lines = "".join(blocks("sh")).splitlines()
    return [line for line in lines if line.split()[0] == start]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in SAMPLES:
        shutil.copy(sample_path(name), tmp_path)
    return tmp_path


def test_every_snippet_is_of_a_kind_that_is_tested() -> None:
    assert set(re.findall(r"^```(\w+)$", README, re.MULTILINE)) == {"sh", "python", "yaml"}
    lines = "".join(blocks("sh")).splitlines()
    assert {line.split()[0] for line in lines} == {"make", "pip", "g3dvit"}


def test_the_two_commands_come_first() -> None:
    assert blocks("sh")[0].split("\n")[:2] == ["make demo", "make test"]


@pytest.mark.parametrize("line", shell_lines("make"))
def test_make_knows_the_target(line: str) -> None:
    subprocess.run([*shlex.split(line), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize("line", shell_lines("pip"))
def test_pip_knows_the_extra(line: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (extra,) = re.findall(r"\[(\w+)\]", line)
    assert extra in project["optional-dependencies"]


def test_the_python_snippets_run(folder: Path) -> None:
    code = "\n".join(blocks("python"))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert " ok\n" in done.stdout
    assert len(list((folder / "out").iterdir())) == 4


@pytest.mark.parametrize("line", shell_lines("g3dvit"))
def test_the_shell_snippets_run(line: str, folder: Path) -> None:
    command, *words = shlex.split(line)
    program = Path(sys.executable).with_name(command)
    done = subprocess.run(
        [program, *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("text", blocks("yaml"))
def test_the_specs_are_complete(text: str, tmp_path: Path) -> None:
    (tmp_path / "readme.yaml").write_text(text, encoding="utf-8")
    assert read_spec(tmp_path / "readme.yaml").missing == ()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []
