"""How much denser relevance is in a region of interest than in the brain."""

from __future__ import annotations

from math import log2
from typing import Literal

from g3dvit_napari.core.evaluation import Evaluation, Sign
from g3dvit_napari.core.score import Score, undefined
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.enrichment import enrichment_of


@METRICS.register("Region enrichment", needs={"truth"}, reference="our definition")
def roi_enrichment(
    evaluation: Evaluation,
    *,
    sign: Sign = "positive",
    scale: Literal["ratio", "log2"] = "ratio",
) -> Score:
    """Return the region's share of the brain's relevance over its share of the brain's volume.

    Higher is better; the mask of the truth is the region, and the brain all that counts where no
    brain is given. Chance: 1, or 0 on the scale of log2, where a region without any relevance has
    no value.

    What fools it. Being denser than average is no evidence: a smooth blob anywhere in the middle of
    the brain enriches whatever lies there. Read it with its rank among shifted maps.

    Parameters
    ----------
    sign
        Which relevance: what speaks for the class, or sizes.
    scale
        As a ratio, or in doublings.
    """
    chance = 1.0 if scale == "ratio" else 0.0
    if sign == "signed":
        return undefined("a share of signed relevance means nothing; choose another sign", chance)
    found = enrichment_of(evaluation, sign)
    if found != found:
        return undefined("no relevance is positive in the brain", chance)
    if scale == "ratio":
        return Score(found, chance)
    if found == 0:
        return undefined("no relevance lies in the region: it has no logarithm", chance)
    return Score(log2(found), chance)
