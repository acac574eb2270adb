"""Sensitivity-n (Ancona et al., ICLR 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from math import nan
from typing import Annotated

import numpy as np

from g3dvit_napari.core.evaluation import Evaluation, Floats, Mask, Scene
from g3dvit_napari.core.removal import Removal, Substrate, Unit
from g3dvit_napari.core.score import Curve, Score, undefined
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.asking import asked
from g3dvit_napari.metrics.robustness.answers import Answer, of_target, stands_still


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
    if not scene.counted_units(unit).any():
        return undefined("no unit lies where relevance counts", 0.0)
    sums, answers = _sums_and_answers(evaluation, removal, draws, answer)
    if not np.isfinite(answers).all():
        return undefined(f"the network's {answer} is not a finite number", 0.0)
    falls = (answers[0] - answers[1:]).reshape(sums.shape)
    pairs = zip(sums, falls, strict=True)
    found = np.array([correlation(sum_, fall, answers) for sum_, fall in pairs])
    defined = np.isfinite(found)
    if not defined.any():
        return undefined("no removal changes the answer, or the relevance is the same", 0.0)
    count = int(scene.counted_units(unit).sum())
    fractions = np.array(_sizes(count))[defined] / count
    curve = Curve(tuple(fractions.tolist()), tuple(found[defined].tolist()))
    return Score(float(found[defined].mean()), 0.0, curves={"correlation by share removed": curve})


def correlation(sums: Floats, falls: Floats, answers: Floats) -> float:
    """Return Pearson's correlation; NaN where one of the two does not vary."""
    if stands_still(sums, sums) or stands_still(falls, answers):
        return nan
    return float(np.corrcoef(sums, falls)[0, 1])


def _sizes(units: int) -> list[int]:
    """Return 1, 2, 4 … up to half of the units."""
    return [2**k for k in range(64) if 2**k <= max(units // 2, 1)]


def _sums_and_answers(
    evaluation: Evaluation, removal: Removal, draws: int, answer: Answer
) -> tuple[Floats, Floats]:
    """Return the relevance of random sets (sizes, draws), and the answers (1 + sizes · draws).

    The first answer is that to the whole volume, the others are those without each set.
    """
    scene, values, sums = evaluation.scene, evaluation.on_units(removal.unit), []

    def masks() -> Iterator[Mask]:
        yield np.zeros(values.shape, dtype=bool)
        for mask in _sets(scene, removal.unit, draws):
            sums.append(values[mask].sum())
            yield mask

    said = asked(scene).hidden(removal, masks())
    return np.reshape(sums, (-1, draws)), of_target(said, scene.target, answer)


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
