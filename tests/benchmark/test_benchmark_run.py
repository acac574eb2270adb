"""A run judges every row by every column, once, and loses nothing that it has done."""

from __future__ import annotations

from dataclasses import replace
from math import isnan
from pathlib import Path

import numpy as np
import pytest
import torch
from made_boxes import made
from other_networks import OTHERS

from g3dvit_napari import api
from g3dvit_napari.benchmark.records.record import Record
from g3dvit_napari.benchmark.records.store import Store
from g3dvit_napari.benchmark.running.columns import column, columns_named
from g3dvit_napari.benchmark.running.plan import Plan, plan_of
from g3dvit_napari.benchmark.running.rows import known_rows, method_row, rows_named, served
from g3dvit_napari.benchmark.running.run import run
from g3dvit_napari.benchmark.running.trained import Trained
from g3dvit_napari.core.controls import CONTROLS
from g3dvit_napari.core.errors import Cancelled, MethodError
from g3dvit_napari.core.types import Volume
from g3dvit_napari.models.handle import ModelHandle

FEW = Plan(rows_named(["g3dvit", "libra_grad", "cam"]), columns_named(["relevance_mass"]))


@pytest.fixture
def trained(tiny_model: ModelHandle, tiny_volume: Volume) -> Trained:
    """Three volumes; the network does not use the signal of the second, and errs in the third."""
    samples = []
    for number in range(3):
        sample = made(f"test {number}", tiny_volume, 0, number)
        right = int(np.argmax(api.predict(sample.volume, tiny_model).logits))
        samples.append(replace(sample, label=right if number < 2 else (right + 1) % 3))
    gate = {"test 0": True, "test 1": False}
    return Trained("boxes", 4, tiny_model, samples, 0.75, gate)


def test_every_method_pooling_and_control_is_a_row() -> None:
    rows = known_rows()
    assert {row.maker for row in rows} == {*api.METHODS, *CONTROLS}
    names = [row.name for row in rows]
    assert len(names) == len(set(names))
    assert {f"g3dvit pooling={p}" for p in ("max", "abs_mean", "relu_mean")} < set(names)
    pooled = [row.settings["pooling"] for row in rows if row.maker == "g3dvit"]
    assert len(set(pooled)) == 4


def test_names_are_chosen_and_strangers_refused() -> None:
    chosen = rows_named(["g3dvit pooling=max", "saliency"])
    assert [row.name for row in chosen if row.kind == "method"] == [
        "saliency",
        "g3dvit pooling=max",
    ]
    assert {row.name for row in chosen if row.kind == "control"} == set(CONTROLS)
    assert columns_named(["relevance_mass level=patch"])[0].settings["level"] == "patch"
    with pytest.raises(MethodError, match="did you mean 'saliency'"):
        rows_named(["salience"])
    with pytest.raises(MethodError, match="relevance_mas"):
        columns_named(["relevance_mas"])


def test_a_network_serves_what_it_can(tiny_model: ModelHandle) -> None:
    rows, reasons = served(known_rows(), tiny_model)
    assert set(reasons) == {m for m in api.METHODS if api.why_not(m, tiny_model)}
    assert "cam" in reasons
    assert not {row.maker for row in rows} & set(reasons)


def test_a_plan_asks_less_of_what_costs_more() -> None:
    plan = Plan(volumes=8, volumes_of_many_passes=2)
    cheap, dear = method_row("saliency"), method_row("occlusion")
    mass = column("relevance_mass")
    assert [plan.asks(cheap, mass, n) for n in (0, 7, 8)] == [True, True, False]
    assert [plan.asks(dear, mass, n) for n in (0, 1, 2)] == [True, True, False]
    assert Plan().asks(dear, mass, 1000)


def test_a_run_says_all_that_is_needed(trained: Trained, tmp_path: Path) -> None:
    store, steps = Store(tmp_path / "records.jsonl"), []
    written = run([trained], FEW, store, progress=lambda f, word: steps.append((f, word)))
    found = store.read()
    rows = [r.name for r in FEW.rows if r.maker != "cam"]
    assert written == len(found.records) == 3 * len(rows)
    assert {(r.sample, r.correct, r.gate) for r in found.records} == {
        ("test 0", True, True),
        ("test 1", True, False),
        ("test 2", False, None),
    }
    fact = found.facts[0]
    assert (fact.accuracy, fact.gate_share, fact.samples) == (0.75, 0.5, 3)
    assert "linear" in fact.not_served["cam"]
    assert steps[-1][0] == 1.0
    assert [f for f, _ in steps] == sorted(f for f, _ in steps)

    by_row = {r.method: r for r in found.records if r.sample == "test 0"}
    assert by_row["oracle"].value == pytest.approx(by_row["oracle"].ceiling)
    assert by_row["constant"].value == by_row["constant"].chance
    assert by_row["constant"].flags == ("degenerate",)
    method = by_row["g3dvit pooling=max"]
    assert method.method_settings["pooling"] == "max"
    assert method.seconds > 0
    assert method.versions["torch"] == torch.__version__
    random = {r.value for r in found.records if r.method == "random"}
    assert len(random) == 3  # every volume has noise of its own


def test_where_no_truth_is_there_is_no_oracle(trained: Trained, tmp_path: Path) -> None:
    first = trained.samples[0]
    blank = replace(first, signal=np.zeros_like(first.signal))
    store = Store(tmp_path / "records.jsonl")
    plan = replace(FEW, columns=columns_named(["relevance_mass", "deletion substrate=twin"]))
    run([replace(trained, samples=[blank])], plan, store)
    found = store.read().records
    assert {r.method for r in found if r.kind == "control"} == {*CONTROLS} - {
        "oracle",
        "inverted_oracle",
    }
    assert all(isnan(r.value) and r.reason for r in found)


def test_records_are_what_the_facade_says(trained: Trained, tmp_path: Path) -> None:
    store = Store(tmp_path / "records.jsonl")
    run([trained], FEW, store)
    sample = trained.samples[0]
    truth = sample.volume.like(sample.signal.astype(np.uint8))
    judged = api.evaluate(
        sample.volume,
        trained.model,
        ["libra_grad"],
        sample.label,
        truth=truth,
        metrics=["relevance_mass"],
    )[0]
    record = next(
        r for r in store.read().records if (r.sample, r.method) == ("test 0", "libra_grad")
    )
    assert record.value == pytest.approx(judged.scores[0].value, rel=1e-6)
    assert record.ceiling == pytest.approx(judged.scores[0].ceiling, rel=1e-6)


def test_what_is_there_is_not_computed_again(trained: Trained, tmp_path: Path) -> None:
    store = Store(tmp_path / "records.jsonl")
    first = run([trained], FEW, store)
    text = store.path.read_text()
    assert run([trained], FEW, store) == 0
    assert store.path.read_text() == text
    store.path.write_text(text[:-40])  # killed in the middle of the last line
    assert run([trained], FEW, store) == 1
    assert len(store.read().records) == first
    more = replace(FEW, rows=rows_named(["g3dvit", "libra_grad", "saliency"]))
    assert run([trained], more, store) == 3


def test_a_stopped_run_keeps_what_it_has_done(trained: Trained, tmp_path: Path) -> None:
    store = Store(tmp_path / "records.jsonl")

    def stop(_: float, word: str) -> None:
        if word == "test 1: libra_grad":
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        run([trained], FEW, store, progress=stop)
    kept = store.read().records
    assert kept[-1].method == "libra_grad"
    assert {r.sample for r in kept} == {"test 0", "test 1"}
    rest = run([trained], FEW, store)
    assert rest + len(kept) == len(store.read().records)


def test_two_processes_say_the_same(trained: Trained, tmp_path: Path) -> None:
    alone, together = Store(tmp_path / "a.jsonl"), Store(tmp_path / "b.jsonl")
    run([trained], FEW, alone)
    run([trained], FEW, together, processes=2)

    def timeless(store: Store) -> dict[object, Record]:
        records = store.read().records
        return {r.key: replace(r, seconds=0.0, metric_seconds=0.0) for r in records}

    assert timeless(alone) == timeless(together)


def test_a_network_of_another_kind_is_compared_with(trained: Trained, tmp_path: Path) -> None:
    other = OTHERS["resnet"]()
    store = Store(tmp_path / "records.jsonl")
    reference = replace(trained, model=other, family="resnet", gate={})
    plan = plan_of(["g3dvit", "layer_cam"], ["relevance_mass"], volumes=1)
    run([trained, reference], plan, store)
    records = [r for r in store.read().records if r.metric.startswith("agreement")]
    assert {r.family for r in records} == {"vit"}
    assert {r.metric for r in records} == {
        f"agreement resnet {method} {figure}"
        for method in ("layer_cam", "grad_cam_element_wise")
        for figure in ("spearman", "dice")
    }
    assert not {r.method for r in records} & set(CONTROLS)
    for record in records:
        assert record.direction == "none"
        assert -1 <= record.value <= 1 or (isnan(record.value) and record.reason)
