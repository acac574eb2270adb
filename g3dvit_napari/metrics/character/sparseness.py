"""How few places hold the relevance: the Gini index (Chalasani et al. 2020)."""

from __future__ import annotations

import numpy as np

from g3dvit_napari.core.evaluation import Evaluation, Floats, Level, Sign
from g3dvit_napari.core.score import Score, undefined
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.chance import draws_for, measured


@METRICS.register("Sparseness", direction="none", reference="Chalasani et al. 2020")
def sparseness(evaluation: Evaluation, *, level: Level = "patch", sign: Sign = "positive") -> Score:
    """Return the Gini index of the relevance: how unequally places share it.

    0: all have the same; 1 - 1/n: one of n has all. Neither is better. Chance: measured on maps of
    uniform noise, about 1/3 on patches; interpolation makes voxels more equal.

    What fools it. It knows no truth: a single hot patch in the wrong corner is as sparse as in the
    right one, and any power of a map makes it sparser.

    Parameters
    ----------
    level
        On voxels of the volume, or on patches.
    sign
        Which relevance: what speaks for the class, or sizes.
    """
    values = evaluation.values(level, sign)
    chance = measured(
        evaluation.scene,
        ("sparseness", level),
        lambda each: gini(each.values(level)),
        draws_for(values.size),
    )
    if sign == "signed":
        return undefined("shares of signed relevance mean nothing; choose another sign", chance)
    if values.sum() <= 0:
        return undefined("no relevance is positive where it counts", chance)
    return Score(gini(values), chance)


def gini(values: Floats) -> float:
    """Return the Gini index of values (n) that are not negative and not all zero."""
    rising = np.sort(values)
    weights = 2 * np.arange(1, rising.size + 1) - rising.size - 1
    return float(weights @ rising / (rising.size * rising.sum()))
