"""Is a region richer in relevance than by accident, given how the map is made?"""

from __future__ import annotations

import numpy as np

from g3dvit_napari.core.evaluation import Evaluation, Floats, Sign
from g3dvit_napari.core.score import Curve, Score, undefined
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.enrichment import enrichment_of, shifted

QUANTILES = np.array([0.0, 0.025, 0.05, 0.25, 0.5, 0.75, 0.95, 0.975, 1.0])
SAME = 1e-9  # relative: what Fourier transforms leave of a tie


@METRICS.register("Region among shifted maps", needs={"truth"}, reference="Harms et al. 2001")
def roi_rank(evaluation: Evaluation, *, sign: Sign = "positive") -> Score:
    """Return the share of flipped and shifted maps that enrich the region less; ties count half.

    Higher is better. Chance: 0.5. The map is flipped along any axes and shifted by any number of
    voxels inside the brain, or inside all that counts where none is given; enrichment is as in the
    metric of that name. What leaves the brain's bounding box on one side comes in on the other, and
    shifts that leave less than half of the relevance in the brain are not looked at.

    What fools it. Neighbouring shifts are nearly the same map, so a rank of 0.99 is less rare than
    it looks; and methods that always look at the middle rank high for regions there.

    Parameters
    ----------
    sign
        Which relevance: what speaks for the class, or sizes.
    """
    if sign == "signed":
        return undefined("a share of signed relevance means nothing; choose another sign", 0.5)
    found = enrichment_of(evaluation, sign)
    if found != found:
        return undefined("no relevance is positive in the brain", 0.5)
    null = shifted(evaluation, sign)
    spread = Curve(tuple(QUANTILES.tolist()), tuple(np.quantile(null, QUANTILES).tolist()))
    curves = {"enrichment of shifted maps": spread}
    return Score(_rank(found, null), 0.5, figures={"enrichment": found}, curves=curves)


def _rank(found: float, null: Floats) -> float:
    same = np.abs(null - found) <= SAME * max(found, float(null.max()))
    return float(np.mean(np.where(same, 0.5, null < found)))
