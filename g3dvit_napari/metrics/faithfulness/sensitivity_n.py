"""Sensitivity-n (Ancona et al., ICLR 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np

from g3dvit_napari.core.evaluation import Evaluation, Floats, Mask, Scene
from g3dvit_napari.core.removal import Removal, Substrate, Unit
from g3dvit_napari.core.score import Curve, Score, undefined
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.faithfulness.courses import network_of, why_not

Answer = Literal["probability", "logit"]
_NO_SPREAD = 1e-9  # of the largest size: such numbers are all the same


@METRICS.register(
    "Sensitivity-n",
    needs={"network"},
    direction="higher",
    cost="many passes",
    reference="Ancona et al. 2018",
)
def sensitivity_n(
    evaluation: Evaluation,
    *,
    substrate: Substrate = "zero",
    unit: Unit = "patch",
    draws: Annotated[int, {"min": 3, "max": 1000}] = 32,
    answer: Answer = "probability",
) -> Score:
    """Return how well the sums of relevance over random parts predict what removing them costs.

    For n = 1, 2, 4 … half of the units, Pearson's correlation over random sets of n units between
    the sum of their relevance and the fall of the answer; the score is the mean over n, the curve
    has each. Higher is better, 1 for a linear network and a complete map. Chance: 0, for a map that
    knows nothing. The sets are the same for all maps of a scene.

    What fools it. Small n on large volumes measure noise: a set of one patch rarely meets the
    target. Where the answer does not change at all, n is left out.

    Parameters
    ----------
    substrate
        What stands where a part was.
    unit
        Whether patches go at once, or voxels.
    draws
        How many sets of each size.
    answer
        Whether the class's probability falls, or its logit, as in the paper.
    """
    scene, removal = evaluation.scene, Removal(substrate, unit)
    if reason := why_not(scene, removal):
        return undefined(reason, 0.0)
    sums, falls = _sums_and_falls(evaluation, removal, draws, answer)
    found = np.array([correlation(a, b) for a, b in zip(sums, falls, strict=True)])
    defined = np.isfinite(found)
    if not defined.any():
        return undefined("no removal changes the answer, or the relevance is the same", 0.0)
    count = int(scene.counted_units(unit).sum())
    fractions = np.array(_sizes(count))[defined] / count
    curve = Curve(tuple(fractions.tolist()), tuple(found[defined].tolist()))
    return Score(float(found[defined].mean()), 0.0, curves={"correlation by share removed": curve})


def correlation(a: Floats, b: Floats) -> float:
    """Return Pearson's correlation; NaN where one of the two does not vary."""
    if min(_spread(a), _spread(b)) <= _NO_SPREAD:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _spread(values: Floats) -> float:
    largest = np.abs(values).max()
    return float(np.ptp(values) / largest) if largest > 0 else 0.0


def _sizes(units: int) -> list[int]:
    """Return 1, 2, 4 … up to half of the units."""
    return [2**k for k in range(64) if 2**k <= max(units // 2, 1)]


def _sums_and_falls(
    evaluation: Evaluation, removal: Removal, draws: int, answer: Answer
) -> tuple[Floats, Floats]:
    """Return the sums of relevance and the falls of the answer (sizes, draws) of random sets."""
    scene, values, sums = evaluation.scene, evaluation.on_units(removal.unit), []

    def masks() -> Iterator[Mask]:
        yield np.zeros(values.shape, dtype=bool)
        for mask in _sets(scene, removal.unit, draws):
            sums.append(values[mask].sum())
            yield mask

    logits, probabilities = network_of(scene).hidden(removal, masks())
    answers = (logits if answer == "logit" else probabilities)[:, scene.target]
    falls = (answers[0] - answers[1:]).reshape(-1, draws)
    return np.reshape(sums, falls.shape), falls


def _sets(scene: Scene, unit: Unit, draws: int) -> Iterator[Mask]:
    """Yield so many random sets (units) of each size of the units that count."""
    inside = scene.counted_units(unit)
    counted = np.flatnonzero(inside)
    for size in _sizes(len(counted)):
        random = np.random.default_rng((scene.seed, size))
        for _ in range(draws):
            mask = np.zeros(inside.shape, dtype=bool)
            mask[random.choice(counted, size, replace=False)] = True
            yield mask
