"""The share of the relevance that lies in a mask: in the target, a distractor, or the brain."""

from __future__ import annotations

from math import nan

from g3dvit_napari.core.evaluation import Floats, Sign
from g3dvit_napari.core.score import Score, undefined


def score_of_share(values: Floats, share: Floats, sign: Sign) -> Score:
    """Return the share of the relevance (n) in places that a mask fills by a share (n) each.

    Chance is the mask's share of the places.
    """
    chance = float(share.mean()) if share.size else nan
    if sign == "signed":
        return undefined("a share of signed relevance means nothing; choose another sign", chance)
    total = float(values.sum())
    if total <= 0:
        return undefined("no relevance is positive where it counts", chance)
    return Score(float(values @ share) / total, chance)
