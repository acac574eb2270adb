"""g3dvit evaluate: scores beside chance, on the screen and in files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from g3dvit_napari import api
from g3dvit_napari.cli import main
from g3dvit_napari.cli.evaluating import settings_from
from g3dvit_napari.core.errors import MethodError

Evaluate = Callable[..., tuple[int, str, str]]


@pytest.fixture
def evaluate(
    tiny_files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Evaluate:
    """g3dvit evaluate with the tiny network; a mask that lies voxel on voxel, and one elsewhere."""
    monkeypatch.setenv("COLUMNS", "140")
    scan = nib.load(tiny_files / "scan.nii.gz")
    inside = np.zeros(scan.shape, np.uint8)
    inside[5:9, 8:14, 3:8] = 1
    nib.Nifti1Image(inside, scan.affine).to_filename(tiny_files / "roi.nii.gz")
    fine = np.repeat(inside, 2, axis=0)  # the same place on voxels half as long
    affine = scan.affine @ np.diag([0.5, 1, 1, 1])
    affine[:3, 3] -= scan.affine[:3, 0] / 4
    nib.Nifti1Image(fine, affine).to_filename(tiny_files / "fine.nii.gz")

    def run(*words: object) -> tuple[int, str, str]:
        common = ("--model", tiny_files / "vit.pth", "--out", tiny_files / "out")
        line = ["evaluate", str(tiny_files / "scan.nii.gz"), *map(str, common), *map(str, words)]
        with pytest.raises(SystemExit) as stopped:
            main(line)
        said = capsys.readouterr()
        return int(stopped.value.code or 0), said.out, said.err

    return run


def scores_of(document: Any, method: int = 0) -> dict[str, Any]:
    return {score["metric"]: score for score in document["methods"][method]["scores"]}


def test_the_table_has_chance_beside_every_value(evaluate: Evaluate, tiny_files: Path) -> None:
    code, out, _ = evaluate(
        "--method", "libra_grad,saliency", "--mask", tiny_files / "roi.nii.gz",
        "--metrics", "relevance_mass", "--target", "MCI",
    )  # fmt: skip
    assert code == 0
    row = next(line.split() for line in out.splitlines() if "relevance_mass" in line)
    said = " ".join(out.split())  # lines are broken where the terminal ends
    assert "libra_grad: " in said
    assert "of 1 check that was run" in said
    document = json.loads((tiny_files / "out" / "scan_scores.json").read_text())
    values = [scores_of(document, n)["relevance_mass"]["value"] for n in (0, 1)]
    chance = scores_of(document)["relevance_mass"]["chance"]
    assert [float(cell) for cell in (row[2], *row[4:])] == pytest.approx(
        [chance, *values], rel=5e-3
    )
    assert document["target_name"] == "MCI"


def test_what_the_shell_writes_is_what_python_says(evaluate: Evaluate, tiny_files: Path) -> None:
    roi = tiny_files / "roi.nii.gz"
    evaluate("--method", "libra_grad", "--mask", roi, "--set", "relevance_mass.level=patch",
             "--metrics", "relevance_mass", "--target", "MCI")  # fmt: skip
    volume, model = (
        api.load_volume(tiny_files / "scan.nii.gz"),
        api.load_model(tiny_files / "vit.pth"),
    )
    (judged,) = api.evaluate(
        volume,
        model,
        ["libra_grad"],
        "MCI",
        truth=api.load_volume(roi),
        metrics=["relevance_mass"],
        settings={"relevance_mass": {"level": "patch"}},
    )
    with (tiny_files / "out" / "scan_scores.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["value"]) == pytest.approx(judged.scores[0].value, rel=1e-5)
    assert float(row["chance"]) == pytest.approx(judged.scores[0].chance, rel=1e-5)
    assert row["settings"] == "level=patch;sign=positive"


def test_a_mask_may_lie_on_another_grid(evaluate: Evaluate, tiny_files: Path) -> None:
    found = []
    for name in ("roi", "fine"):
        mask = tiny_files / f"{name}.nii.gz"
        _, out, _ = evaluate("--json", "--method", "saliency", "--mask", mask)
        found.append(scores_of(json.loads(out))["relevance_mass"]["value"])
    assert found[0] == pytest.approx(found[1])


def test_without_a_mask_it_is_said_what_was_not_computed(evaluate: Evaluate) -> None:
    code, out, _ = evaluate("--metrics", "relevance_mass")
    assert code == 0
    assert "not computed, no mask says where the signal is: relevance_mass" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--method", "salency"), "did you mean 'saliency'"),
        (("--metrics", "relevance_mas"), "did you mean 'relevance_mass'"),
        (("--set", "relevance_mass"), "METRIC.SETTING=VALUE"),
        (("--set", "relevance_mass.levle=patch"), "did you mean 'level'"),
        (("--set", "relevance_mass.level=pixel"), "level"),
        (("--method", ","), "no explanation method is named"),
    ],
)
def test_a_wrong_word_is_refused_in_a_sentence(
    evaluate: Evaluate, words: tuple[str, ...], said: str
) -> None:
    code, _, err = evaluate(*words)
    assert code == 2
    assert said in err


def test_settings_are_typed() -> None:
    assert settings_from(["relevance_mass.sign=abs"]) == {"relevance_mass": {"sign": "abs"}}
    with pytest.raises(MethodError, match="needs a value"):
        settings_from(["relevance_mass.sign="])


def test_curves_are_drawn_and_unnamed_metrics_are_the_quick_ones(
    evaluate: Evaluate, tiny_files: Path
) -> None:
    code, _, _ = evaluate("--method", "saliency", "--mask", tiny_files / "roi.nii.gz")
    assert code == 0
    document = json.loads((tiny_files / "out" / "scan_scores.json").read_text())
    quick = {name for name, entry in api.METRICS.items() if entry.cost != "many passes"}
    assert set(scores_of(document)) == quick | {"deletion", "insertion"}
    picture = Image.open(tiny_files / "out" / "scan_curves.png").convert("RGB")
    assert len(picture.getcolors(1 << 20)) > 50  # lines and words, not an empty sheet


def test_every_metric_can_be_asked_for(evaluate: Evaluate, tiny_files: Path) -> None:
    roi = tiny_files / "roi.nii.gz"
    twin = tiny_files / "twin.nii.gz"
    scan = nib.load(tiny_files / "scan.nii.gz")
    nib.Nifti1Image(
        np.where(nib.load(roi).get_fdata(), 450, scan.get_fdata()), scan.affine
    ).to_filename(twin)
    code, out, _ = evaluate("--metrics", "all", "--mask", roi, "--distractor", roi, "--twin", twin,
                            "--set", "deletion.substrate=twin", "--json")  # fmt: skip
    assert code == 0
    found = scores_of(json.loads(out))
    assert set(found) == set(api.METRICS)
    assert all(score["reason"] or score["value"] is not None for score in found.values())
    assert found["deletion"]["value"] is not None
    assert found["distractor_mass"]["value"] == found["relevance_mass"]["value"]
