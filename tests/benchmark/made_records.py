"""Records of methods whose quality is known, because it was made up."""

from __future__ import annotations

from math import nan

import numpy as np

from g3dvit_napari.benchmark.records.record import Facts, Record
from g3dvit_napari.benchmark.records.versions import versions
from g3dvit_napari.core.score import Curve

QUALITY = {"saliency": 0.3, "g3dvit": 0.2, "hires_cam": 0.6, "legrad": 0.6}
CONTROLS = {"oracle": 1.0, "random": 0.0}
CELLS = ("boxes", "balls")
CHANCE, CEILING = 0.1, 0.8
FRACTIONS = tuple((s / 20) ** 2 for s in range(21))


def made_records(seeds: int = 2, volumes: int = 12, spread: float = 0.05) -> list[Record]:
    """Return records of three metrics; the third volume is named wrongly, the fourth invalid."""
    found = []
    rng = np.random.default_rng(11)
    for cell in CELLS:
        for seed in range(seeds):
            shift = rng.normal(0.0, 0.02)
            for volume in range(volumes):
                for method, quality in {**QUALITY, **CONTROLS}.items():
                    noise = 0.0 if method == "oracle" else rng.normal(shift, spread)
                    reached = float(np.clip(quality + noise, 0.0, 1.0))
                    found += _of_map(cell, seed, f"test {volume}", method, reached)
    return found


def _of_map(cell: str, seed: int, sample: str, method: str, reached: float) -> list[Record]:
    control = method in CONTROLS
    start = {
        "cell": cell,
        "family": "vit",
        "seed": seed,
        "sample": sample,
        "method": method,
        "kind": "control" if control else "method",
        "correct": sample != "test 2",
        "gate": sample != "test 3",
        "seconds": 0.01 * (1 + len(method)),
        "versions": versions(),
    }
    falling = tuple(float(np.exp(-8 * reached * f) * (1 - f)) for f in FRACTIONS)
    rising = tuple(1.0 - value for value in falling)
    mass = CHANCE + reached * (CEILING - CHANCE)
    records = [
        Record(**start, metric="relevance_mass", value=mass, chance=CHANCE, ceiling=CEILING),
        Record(
            **start,
            metric="deletion",
            value=float(np.trapezoid(falling, FRACTIONS)),
            chance=0.5,
            direction="lower",
            curves={"deletion": Curve(FRACTIONS, falling)},
        ),
        Record(
            **start,
            metric="insertion",
            value=float(np.trapezoid(rising, FRACTIONS)),
            chance=0.5,
            curves={"insertion": Curve(FRACTIONS, rising)},
        ),
        Record(**start, metric="sparseness", value=reached / 2, chance=nan, direction="none"),
    ]
    if not control:
        records += [
            Record(
                **start,
                metric=f"agreement resnet layer_cam {figure}",
                value=reached / 3,
                chance=0.0 if figure == "spearman" else 0.05,
                direction="none",
            )
            for figure in ("spearman", "dice")
        ]
    return records


def made_facts(seeds: int = 2) -> list[Facts]:
    reasons = {"cam": "the head is not linear"}
    return [
        Facts(cell, "vit", seed, 0.97, 0.9, 12, reasons, versions())
        for cell in CELLS
        for seed in range(seeds)
    ]
