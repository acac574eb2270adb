"""g3dvit benchmark: words in, words out, nothing computed of its own."""

from __future__ import annotations

from importlib import util
from pathlib import Path
from types import SimpleNamespace

import pytest
from made_records import made_facts, made_records

from g3dvit_napari import benchmark
from g3dvit_napari.benchmark.records.store import Store
from g3dvit_napari.benchmark.running import entrants as entering
from g3dvit_napari.benchmark.running import run as running
from g3dvit_napari.benchmark.running.entrants import cell_of, entrants
from g3dvit_napari.benchmark.running.plan import plan_of_tier, records_path
from g3dvit_napari.benchmark.training.tiers import MODELS, TIERS
from g3dvit_napari.cli import benchmarking, main
from g3dvit_napari.core.errors import MethodError


def shell(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["benchmark", *words])
    return int(end.value.code or 0)


def test_the_four_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert shell("--help") == 0
    text = capsys.readouterr().out
    for name in ("make", "train", "run", "table"):
        assert f"\n  {name} " in text


def test_table_rebuilds_from_the_records(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell("table", "--out", str(tmp_path)) == 2
    assert "benchmark run" in capsys.readouterr().err
    Store(records_path(tmp_path)).append([*made_facts(), *made_records(volumes=5)])
    assert shell("table", "--out", str(tmp_path), "--no-figures") == 0
    out = capsys.readouterr().out
    assert "report.md" in out.replace("\n", "")
    assert (tmp_path / "tables" / "verdicts.csv").is_file()
    assert not (tmp_path / "figures").exists()


def test_a_missing_extra_is_said_in_plain_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = util.find_spec
    missing = ("matplotlib", "nilearn")
    monkeypatch.setattr(benchmarking, "find_spec", lambda n: None if n in missing else found(n))
    for words in (("table",), ("run",), ("train",), ("make", "brain-site")):
        assert shell(*words) == 2
        assert "g3dvit-napari[benchmark]" in capsys.readouterr().err.replace("\n", "")


def test_make_and_train_hand_over_what_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []

    def train(*words: object, **settings: object) -> list[object]:
        asked.extend([words[:2], settings])
        return [SimpleNamespace(id="cubes-a-seed0", accuracy=0.5, seconds=3.0)]

    monkeypatch.setattr(benchmark, "train", train)
    assert shell("train", "--tier", "nightly", "--only", "cubes", "--processes", "2") == 0
    assert asked[0] == ("nightly", None)
    assert asked[1] == {"device": "cpu", "processes": 2, "only": "cubes"}
    assert "accuracy 0.500" in capsys.readouterr().out
    assert shell("make", "cubes-24-6-4-0.2-aligned-position-layernorm", "--count", "1",
                 "--out", str(tmp_path)) == 0  # fmt: skip
    assert list(tmp_path.glob("*_truth.nii.gz"))


def test_run_hands_over_what_was_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, object] = {}
    monkeypatch.setattr(entering, "entrants", lambda *_, **s: asked.update(s) or ["network"])

    def judge(networks: list[str], plan: object, store: Store, **settings: object) -> int:
        asked.update(networks=networks, plan=plan, path=store.path, **settings)
        return 7

    monkeypatch.setattr(running, "run", judge)
    words = ["--seeds", "0,2", "--methods", "g3dvit", "--metrics", "iou", "--only", "cubes"]
    assert shell("run", "--out", str(tmp_path), *words) == 0
    assert asked["seeds"] == [0, 2]
    assert asked["only"] == "cubes"
    assert asked["plan"] == plan_of_tier("ci", ["g3dvit"], ["iou"])
    assert "7 new scores" in capsys.readouterr().out
    assert shell("run", "--seeds", "one") == 2
    assert "whole numbers" in capsys.readouterr().err

    def stopped(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "run", stopped)
    assert shell("run", "--out", str(tmp_path)) == 2
    assert "goes on" in capsys.readouterr().err


def test_plans_know_all_their_names() -> None:
    for tier in TIERS:
        plan = plan_of_tier(tier)
        assert len({c.name for c in plan.columns}) == len(plan.columns)
    plan = plan_of_tier("ci", limits=(5, 2, 1))
    assert (plan.volumes, plan.volumes_of_many_passes, plan.volumes_of_slow_metrics) == (5, 2, 1)
    with pytest.raises(MethodError, match=r"three numbers .* got 5, 2"):
        plan_of_tier("ci", limits=(5, 2))
    with pytest.raises(MethodError, match="did you mean 'nightly'"):
        plan_of_tier("nightli")


def test_networks_are_chosen_by_name_and_seed(tmp_path: Path) -> None:
    with pytest.raises(MethodError, match="begins with 'cubes-z'"):
        entrants("ci", tmp_path, only="cubes-z")
    with pytest.raises(MethodError, match=r"seed of \[77\]"):
        entrants("ci", tmp_path, seeds=[77])


def test_a_resnet_stands_with_the_vit_that_learned_the_same() -> None:
    known = list(MODELS.values())
    for one in known:
        cell = cell_of(one, known)
        if one.network.kind == "resnet_3d":
            assert any(cell == v.model and v.task == one.task for v in known if v is not one)
        else:
            assert cell == one.model
