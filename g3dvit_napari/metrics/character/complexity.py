"""How many places hold the relevance: its entropy (Bhatt et al. 2020)."""

from __future__ import annotations

from math import log
from typing import Literal

from scipy.special import entr

from g3dvit_napari.core.evaluation import Evaluation, Floats, Level, Sign
from g3dvit_napari.core.score import Score, undefined
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.chance import draws_for, measured

Unit = Literal["share", "nats"]


@METRICS.register("Complexity", direction="none", reference="Bhatt et al. 2020")
def complexity(
    evaluation: Evaluation,
    *,
    level: Level = "patch",
    sign: Sign = "positive",
    unit: Unit = "share",
) -> Score:
    """Return the entropy of the relevance, spread as a probability over places.

    0: one place has all; 1 as a share, or ln n in nats: all n have the same. Neither is better.
    Chance: measured on maps of uniform noise, which are nearly as complex as can be.

    What fools it. It knows no truth, as sparseness does not. And maps of other resolutions cannot
    be compared in nats.

    Parameters
    ----------
    level
        On voxels of the volume, or on patches.
    sign
        Which relevance: what speaks for the class, or sizes.
    unit
        As a share of the largest entropy of so many places, or in nats.
    """
    values = evaluation.values(level, sign)
    chance = measured(
        evaluation.scene,
        ("complexity", level, unit),
        lambda each: entropy(each.values(level), unit),
        draws_for(values.size),
    )
    if sign == "signed":
        return undefined("shares of signed relevance mean nothing; choose another sign", chance)
    if values.sum() <= 0:
        return undefined("no relevance is positive where it counts", chance)
    return Score(entropy(values, unit), chance)


def entropy(values: Floats, unit: Unit = "nats") -> float:
    """Return the entropy of values (n) that are not negative, divided by their sum."""
    nats = float(entr(values / values.sum()).sum())
    if unit == "nats":
        return nats
    return nats / log(values.size) if values.size > 1 else 0.0
