"""Relevance mass accuracy (Arras et al. 2022), or energy-based pointing game (Wang et al. 2020)."""

from __future__ import annotations

from math import nan

from g3dvit_napari.core.evaluation import Evaluation, Level, Sign
from g3dvit_napari.core.score import Score, undefined
from g3dvit_napari.metrics import METRICS


@METRICS.register("Relevance mass", needs={"truth"}, reference="Arras et al. 2022, eq. 8")
def relevance_mass(
    evaluation: Evaluation, *, level: Level = "voxel", sign: Sign = "positive"
) -> Score:
    """Return the share of the relevance that lies in the target.

    Chance: the target's share of the places that count.

    Parameters
    ----------
    level
        On voxels of the volume, or on patches; a patch counts by the share that the target fills.
    sign
        Which relevance: what speaks for the class, or sizes.
    """
    found = evaluation.compared(level, sign)
    chance = float(found.share.mean()) if found.share.size else nan
    total = found.values.sum()
    if sign == "signed":
        return undefined("a share of signed relevance means nothing; choose another sign", chance)
    if total <= 0:
        return undefined("no relevance is positive where it counts", chance)
    return Score(float((found.values * found.share).sum() / total), chance)
