"""How far from the target the relevance lies on average."""

from __future__ import annotations

from typing import Literal

from g3dvit_napari.core.evaluation import Evaluation, Level, Sign
from g3dvit_napari.core.score import Score, undefined
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.distance import mean_distance


@METRICS.register(
    "Distance of relevance", needs={"truth"}, direction="lower", reference="our definition"
)
def mass_distance(
    evaluation: Evaluation,
    *,
    level: Level = "voxel",
    sign: Sign = "positive",
    unit: Literal["chance", "mm"] = "chance",
) -> Score:
    """Return the mean distance of the relevance from the target, weighted by its size.

    Lower is better; 0: all of it lies inside. Distances run between centres of voxels, in the
    head, whatever the voxels' shape; a patch counts with the mean over its voxels. Chance: the mean
    distance of all places, which is the unit of the default.

    What fools it. A little relevance everywhere weighs more than a miss nearby, so sparse maps look
    good. In mm it depends on the field of view: compare with chance.

    Parameters
    ----------
    level
        On voxels of the volume, or on patches.
    sign
        Which relevance: what speaks for the class, or sizes.
    unit
        As a share of what a map that is equal everywhere gets, or in millimetres.
    """
    far = mean_distance(evaluation.scene, level)
    even = float(far.mean())
    chance = 1.0 if unit == "chance" else even
    if sign == "signed":
        return undefined("a mean needs weights without sign; choose another sign", chance)
    values = evaluation.values(level, sign)
    total = float(values.sum())
    if total <= 0:
        return undefined("no relevance is positive where it counts", chance)
    found = float(values @ far) / total
    value = found / even if unit == "chance" else found
    return Score(value, chance, figures={"mm": found, "mm_chance": even})
