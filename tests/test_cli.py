"""The shell as a user and as a machine meet it: output, exit codes, start-up."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import nibabel as nib
import numpy as np
import pytest

import g3dvit_napari
from g3dvit_napari.cli import main, terminal
from g3dvit_napari.cli.method_options import typed_parameters
from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.registry import Entry, Parameter
from g3dvit_napari.core.spec import read_spec
from g3dvit_napari.methods import METHODS
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.models.handle import ModelHandle


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Shell = Callable[..., Said]


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("COLUMNS", "100")

    def run(*words: object) -> Said:
        with pytest.raises(SystemExit) as stopped:
            main([str(word) for word in words])
        out, err = capsys.readouterr()
        return Said(int(stopped.value.code or 0), out, err)

    return run


@pytest.fixture
def explain(shell: Shell, tiny_files: Path) -> Shell:
    """g3dvit explain with the tiny network, into the folder "out" next to it."""

    def run(names: Sequence[str] = ("scan.nii.gz",), *words: object) -> Said:
        volumes = [tiny_files / name for name in names]
        common = ("--model", tiny_files / "vit.pth", "--out", tiny_files / "out")
        return shell("explain", *volumes, *common, *words)

    return run


def seconds(*command: str) -> float:
    """Processor time of the quickest of five starts; other work on the machine does not count."""
    took = []
    for _ in range(5):
        before = os.times()
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
        after = os.times()
        took.append(sum(after[2:4]) - sum(before[2:4]))
    return min(took)


@pytest.mark.skipif(os.name == "nt", reason="no processor time of child processes there")
@pytest.mark.parametrize(
    "command",
    [
        ("-c", "import g3dvit_napari"),
        ("-c", "from g3dvit_napari.cli import main; main(['--help'])"),
        ("-c", "from g3dvit_napari.cli import main; main(['explain', '--help'])"),
    ],
    ids=["import", "help", "explain help"],
)
def test_start_up_is_instant(command: tuple[str, ...]) -> None:
    assert seconds(*command) - seconds("-c", "pass") < 0.3


@pytest.mark.parametrize(
    "command", [[], ["explain"], ["inspect"], ["methods"], ["metrics"], ["evaluate"], ["demo"]]
)
def test_help_loads_nothing_heavy(command: list[str]) -> None:
    code = (
        "import sys\n"
        "from g3dvit_napari.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: print('loaded', *sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tempfile.gettempdir(),
    )
    loaded = set(done.stdout.rpartition("loaded ")[2].split())
    assert "g3dvit_napari.cli.app" in loaded
    assert loaded & {"torch", "numpy", "nibabel", "napari", "qtpy", "PyQt5", "PyQt6"} == set()
    assert "Usage: g3dvit" in done.stdout


def test_the_installed_command_runs() -> None:
    command = Path(sys.executable).with_name("g3dvit")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == g3dvit_napari.__version__


def test_explain_writes_and_tells(explain: Shell, tiny_files: Path) -> None:
    said = explain()
    assert said.code == 0
    assert "scan.nii.gz" in said.out
    assert re.search(r"\(probability \d+\.\d %[,)]", said.out)
    written = sorted(p.name for p in (tiny_files / "out").iterdir())
    assert len(written) == 4
    assert all(name in said.out for name in written)
    assert said.err == ""


def test_json_is_one_document_and_says_what_the_facade_says(
    explain: Shell, tiny_files: Path
) -> None:
    said = explain(["scan.nii.gz"], "--json", "--target", "MCI", "--pooling", "max", "--keep", 12)
    result = said.document["results"][0]
    volume = g3dvit_napari.load_volume(tiny_files / "scan.nii.gz")
    model = g3dvit_napari.load_model(tiny_files / "vit.pth")
    expected = g3dvit_napari.explain(volume, model, target="MCI", pooling="max", keep=12)
    assert (said.code, said.document["failed"]) == (0, [])
    assert result["target"] == 2
    assert result["probability"] == pytest.approx(expected.probability, rel=1e-6)
    assert result["status"] == expected.status == "ok"
    native = next(name for name in result["files"] if "native" in name)
    np.testing.assert_allclose(
        np.nan_to_num(nib.load(native).get_fdata()[::-1]),  # the file's first axis runs to the left
        np.nan_to_num(expected.relevance.data),
        atol=1e-6,
    )


def test_each_option_of_a_method_changes_the_map(explain: Shell) -> None:
    def raw(*words: object) -> bytes:
        files = explain(["scan.nii.gz"], "--json", *words).document["results"][0]["files"]
        return nib.load(next(f for f in files if "patch" in f)).get_fdata().tobytes()

    maps = {raw(), raw("--pooling", "max"), raw("--block=-2"), raw("--method", "hires_cam")}
    assert len(maps) == 4
    assert raw("--block", "-1", "--pooling=mean") == raw()


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ("mean", ["mean of 4 frames"]),
        ("2", ["frame 2 of 4"]),
        ("every 3", ["frame 0 of 4", "frame 3 of 4"]),
        ("all", [f"frame {n} of 4" for n in range(4)]),
    ],
)
def test_a_series_gives_one_result_per_frame(
    explain: Shell, frame: str, expected: list[str]
) -> None:
    results = explain(["series.nii.gz"], "--json", "--frame", frame).document["results"]
    assert [result["frame"] for result in results] == expected
    assert len({result["files"][-1] for result in results}) == len(expected)


def test_one_broken_volume_does_not_stop_the_others(explain: Shell, tiny_files: Path) -> None:
    (tiny_files / "broken.nii.gz").write_bytes(b"not a scan")
    said = explain(["broken.nii.gz", "scan.nii.gz"], "--json")
    assert said.code == 1
    assert [Path(r["volume"]).name for r in said.document["results"]] == ["scan.nii.gz"]
    assert [Path(f["volume"]).name for f in said.document["failed"]] == ["broken.nii.gz"]
    assert "broken.nii.gz" in said.err
    assert "Traceback" not in said.err


def test_nothing_done_is_an_error(explain: Shell) -> None:
    said = explain(["absent.nii.gz"])
    assert said.code == 2
    assert "absent.nii.gz" in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--poling", "max"], "did you mean '--pooling'"),
        (["--treshold", "otsu"], "did you mean '--threshold'"),
        (["--pooling", "median"], "no pooling option named 'median'"),
        (["--pooling"], "--pooling needs a value"),
        (["--block", "two"], "block must be a int"),
        (["--method", "gradcam"], "did you mean 'grad_cam'"),
        (["--target", "XY"], "no class named 'XY'"),
        (["--keep", "3", "--value", "0.5"], "only one of --keep, --value"),
        (["--keep", "3", "--threshold", "otsu"], "drop one"),
        (["--absolute", "0.3", "--threshold", "none"], "drop one"),
        (["--threshold", "value"], "give --value instead"),
        (["--keep", "101"], "--keep"),
        (["--spec", "absent.yaml"], "absent.yaml"),
        (["--device", "abacus"], "abacus"),
    ],
)
def test_a_wrong_option_is_refused_in_a_sentence(
    explain: Shell, tiny_files: Path, words: list[str], message: str
) -> None:
    said = explain(["scan.nii.gz"], *words)
    assert said.code == 2
    assert message in said.err
    assert "Traceback" not in said.err
    assert not (tiny_files / "out").exists()


def test_a_lack_of_memory_is_told_in_a_sentence(
    explain: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 GB")

    monkeypatch.setattr(ModelHandle, "forward", fail)
    said = explain(["scan.nii.gz"])
    assert said.code == 2
    assert "9 GB. Choose the device 'cpu' if it was another" in said.err.replace("\n", " ")
    assert "Traceback" not in said.err


def test_a_refusal_reaches_machines_too(shell: Shell, tiny_files: Path) -> None:
    said = shell("explain", tiny_files / "scan.nii.gz", "--model", "absent.pth", "--json")
    assert said.code == 2
    assert said.document["error"] in said.err.replace("\n", " ")


def test_thresholds_reach_the_facade(explain: Shell) -> None:
    def sidecar(*words: object) -> str:
        files = explain(["scan.nii.gz"], "--json", *words).document["results"][0]["files"]
        return Path(files[-1]).read_text("utf-8")

    def cut(*words: object) -> Any:
        return explain(["scan.nii.gz"], "--json", *words).document["results"][0]["cut"]

    assert cut("--value", "0.25") == pytest.approx(0.25)
    assert cut("--threshold", "none") is None
    assert cut("--threshold", "otsu") != cut("--keep", "50")
    assert sidecar("--stage", "voxels") != sidecar("--stage", "patches")


def test_another_number_of_the_class_can_be_explained(explain: Shell) -> None:
    words = ("--json", "--method", "hires_cam", "--target", "CN")
    plain = explain(["scan.nii.gz"], *words).document["results"][0]
    contrast = ("--objective", "contrast", "--against", "MCI")
    told = explain(["scan.nii.gz"], *words, *contrast).document["results"][0]
    assert (plain["objective"], told["objective"]) == ("logit", "contrast")
    own = json.loads(Path(told["files"][-1]).read_text("utf-8"))["Explanation"]
    assert (own["Objective"], own["Against"]["Name"]) == ("contrast", "MCI")
    said = explain(["scan.nii.gz"], *words, "--objective", "contrast")
    assert (said.code, "give against=CLASS" in said.err) == (2, True)


def test_methods_say_what_a_network_cannot_serve(shell: Any, tiny_files: Path) -> None:
    said = shell("methods", "--model", tiny_files / "vit.pth", "--json")
    reasons = {entry["name"]: entry["why_not"] for entry in said.document}
    assert reasons["g3dvit"] is None
    assert set(reasons) == set(g3dvit_napari.api.METHODS)
    listed = shell("methods").out
    assert listed.index("Instant") < listed.index("One pass") < listed.index("libra_grad")


def test_results_of_two_volumes_never_replace_each_other(explain: Shell, tiny_files: Path) -> None:
    scan = (tiny_files / "scan.nii.gz").read_bytes()
    for name in ("sub-1_T1w.nii.gz", "sub-1_T2w.nii.gz", "other/sub-1_T1w.nii.gz"):
        (tiny_files / name).parent.mkdir(exist_ok=True)
        (tiny_files / name).write_bytes(scan)
    results = explain(["sub-1_T1w.nii.gz", "sub-1_T2w.nii.gz"], "--json").document["results"]
    assert set(results[0]["files"]).isdisjoint(results[1]["files"])
    said = explain(["sub-1_T1w.nii.gz", "other/sub-1_T1w.nii.gz"])
    assert said.code == 2
    assert "'sub-1_T1w'" in said.err


def test_a_map_that_shows_nothing_is_said(explain: Shell, tiny_files: Path) -> None:
    import torch

    state = torch.load(tiny_files / "vit.pth", weights_only=True)
    for name in state:
        if name.startswith("transformer") and ".norm." in name:
            state[name].fill_(1.0 if name.endswith("weight") else 0.0)
    torch.save(state, tiny_files / "vit.pth")
    said = explain()
    assert said.code == 0
    assert "no map: rounding noise" in said.out


def test_texts_from_files_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say("[red]AD[/red] :smile: \x1b[2J\x07")
    assert capsys.readouterr().out == "[red]AD[/red] :smile: \ufffd[2J\ufffd\n"


def test_inspect_tells_what_is_open_and_writes_a_spec(shell: Shell, tiny_files: Path) -> None:
    (tiny_files / "vit.spec.yaml").unlink()
    draft = tiny_files / "draft.yaml"
    said = shell("inspect", tiny_files / "vit.pth", "--write-spec", draft)
    assert said.code == 0
    assert "network.heads" in said.out
    assert "input.orientation" in said.out
    assert read_spec(draft).network.dim == 24
    again = shell("inspect", tiny_files / "vit.pth", "--write-spec", draft)
    assert again.code == 2
    assert "exists already" in again.err


def test_inspect_with_its_spec_leaves_nothing_open(shell: Shell, tiny_files: Path) -> None:
    document = shell("inspect", tiny_files / "vit.pth", "--json").document
    assert document["complete"] is True
    assert document["questions"] == []
    assert document["spec"]["network"]["heads"] == 3
    assert "Nothing is open" in shell("inspect", tiny_files / "vit.pth").out


def test_inspect_refuses_a_scan(shell: Shell, tiny_files: Path) -> None:
    said = shell("inspect", tiny_files / "scan.nii.gz")
    assert said.code == 2
    assert "Traceback" not in said.err


def test_methods_lists_every_method_with_its_options(shell: Shell) -> None:
    listed = shell("methods", "--json").document
    assert [method["name"] for method in listed] == list(METHODS)
    text = shell("methods").out
    for entry in METHODS.values():
        assert entry.title in text
        assert all(f"--{p.name.replace('_', '-')}" in text for p in entry.parameters)


def test_metrics_lists_every_metric_with_its_direction(shell: Shell) -> None:
    said = shell("metrics")
    listed = shell("metrics", "--json").document
    assert [metric["name"] for metric in listed] == list(METRICS)
    assert all(f"{metric['name']}  {metric['title']}" in said.out for metric in listed)
    assert {metric["better"] for metric in listed} <= {"higher", "lower", "none"}
    assert "needs truth" in said.out


def test_demo_runs_the_demo(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    stand_in = ModuleType("g3dvit_napari.plugin.demo")
    stand_in.run_demo = lambda out, headless, _say: asked.append((out, headless)) or 0  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "g3dvit_napari.plugin.demo", stand_in)
    assert shell("demo", "--headless", "--out", "pictures").code == 0
    assert shell("demo").code == 0
    assert asked == [(Path("pictures"), True), (None, False)]


@pytest.mark.parametrize("absent", [["napari"], ["PyQt5", "PyQt6", "PySide6"]])
def test_demo_without_a_window_says_what_to_install(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, absent: list[str]
) -> None:
    for binding in absent:
        monkeypatch.setitem(sys.modules, binding, None)
    said = shell("demo")
    assert said.code == 2
    assert 'pip install "g3dvit-napari[pyqt5]"' in said.err


def test_words_become_the_types_that_a_method_declares() -> None:
    parameters = (
        Parameter("signed", False, bool),
        Parameter("grid_step", 2, int, {"min": 1, "max": 8}),
        Parameter("blur", 0.5, float),
    )
    entry = Entry("stand_in", "Stand-in", lambda: None, parameters)
    typed = typed_parameters(entry, {"--signed": "yes", "--grid-step": "4", "--blur": "1e-1"})
    assert typed == {"signed": True, "grid_step": 4, "blur": 0.1}
    assert typed_parameters(entry, {"--grid_step": "4"}) == {"grid_step": 4}
    with pytest.raises(MethodError, match="true or false"):
        typed_parameters(entry, {"--signed": "perhaps"})
    with pytest.raises(MethodError, match="between 1 and 8"):
        typed_parameters(entry, {"--grid-step": "9"})


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_progress_goes_to_stderr_of_a_terminal(tiny_files: Path) -> None:
    import pty

    try:
        primary, secondary = pty.openpty()
    except OSError:
        pytest.skip("this machine has no pseudo-terminals")
    command = [sys.executable, "-c", "from g3dvit_napari.cli import main; main()", "explain"]
    options = ["--model", "vit.pth", "--json", "scan.nii.gz"]
    process = subprocess.Popen(
        [*command, *options],
        cwd=tiny_files,
        stdout=subprocess.PIPE,
        stderr=secondary,
        env={**os.environ, "TERM": "xterm"},
    )
    out, _ = process.communicate(timeout=120)
    os.close(secondary)
    shown = os.read(primary, 1 << 16).decode("utf-8", "replace")
    os.close(primary)
    assert json.loads(out)["failed"] == []
    assert "loading the network" in shown


def test_what_is_doubtful_about_a_file_is_said(explain: Shell, tiny_files: Path) -> None:
    image = nib.load(tiny_files / "scan.nii.gz")
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    image.to_filename(tiny_files / "lost.nii.gz")
    said = explain(["lost.nii.gz"])
    assert said.code == 0
    assert "warning: " in said.out + said.err
    assert "left and right" in " ".join((said.out + said.err).split())
    document = explain(["lost.nii.gz"], "--json").document
    assert "left and right" in " ".join(document["results"][0]["warnings"])


def test_the_spec_says_which_frame_is_meant_unless_told(explain: Shell, tiny_files: Path) -> None:
    spec = tiny_files / "vit.spec.yaml"
    spec.write_text(spec.read_text().replace("frame: mean", "frame: '2'"))
    assert explain(["series.nii.gz"], "--json").document["results"][0]["frame"] == "frame 2 of 4"
    told = explain(["series.nii.gz"], "--frame", "mean", "--json").document["results"]
    assert [result["frame"] for result in told] == ["mean of 4 frames"]
