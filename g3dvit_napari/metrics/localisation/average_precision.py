"""Average precision: the area under precision over recall."""

from __future__ import annotations

import numpy as np

from g3dvit_napari.core.evaluation import Evaluation, Level, Sign
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.ranking import Ranking, ranking_of


@METRICS.register("Average precision", needs={"truth"}, reference="Davis & Goadrich 2006")
def average_precision(
    evaluation: Evaluation, *, level: Level = "voxel", sign: Sign = "positive"
) -> Score:
    """Return the precision at every distinct value of the map, weighted by the recall it adds.

    Higher is better. Chance: what random orders get on average (Bestgen 2015); a little more than
    the target's share, as one early hit pays. On voxels, smooth noise gets up to half more.

    What fools it. It depends on how large the target is: scores of targets of different sizes
    cannot be averaged without their chance.

    Parameters
    ----------
    level
        On voxels of the volume, or on patches; the target is every patch that it touches.
    sign
        Which relevance: what speaks for the class, sizes, or signed values.
    """
    found = ranking_of(evaluation, level, sign)
    gained = found.groups[1] / found.target
    return Score(float((gained * found.hits / found.taken).sum()), chance_of(found))


def chance_of(ranking: Ranking) -> float:
    """Return the mean average precision of all orders of so many places (Bestgen 2015)."""
    count, target = ranking.count, ranking.target
    if target == count:
        return 1.0
    harmonic = float((1 / np.arange(1, count + 1)).sum())
    others = (target - 1) / (count - 1)  # of the other places, how many are in the target
    return (harmonic + others * (count - harmonic)) / count
