"""Increase in confidence (Chattopadhay et al.: Grad-CAM++, WACV 2018)."""

from __future__ import annotations

from math import isfinite, nan

import numpy as np

from g3dvit_napari.core.evaluation import Evaluation
from g3dvit_napari.core.score import Score, undefined
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.faithfulness.soft_masking import answer_to_masked, answers_by_chance


@METRICS.register(
    "Increase in confidence",
    needs={"network"},
    direction="higher",
    cost="one pass",
    reference="Chattopadhay et al. 2018",
)
def increase_in_confidence(evaluation: Evaluation) -> Score:
    """Return whether the network is surer of the class when the map masks the volume: 1 or 0.

    1 if o > p, where o is the probability for the input multiplied by the map, its positive part
    scaled to 0 … 1; averaged over volumes it is the published score. Higher is better. Chance: the
    mean over three random maps of patches.

    What fools it. A volume times a soft map is like nothing the network was trained on, most of all
    where zero is not air but average tissue; a map that is 1 nearly everywhere loses nothing (Poppi
    et al., CVPRW 2021); and a network that normalises every patch, as vit-pytorch's does, hardly
    sees a soft mask, so that random maps may lose less than true ones. It is no verdict.
    """
    chance = float(np.mean([_read(*found) for found in answers_by_chance(evaluation)]))
    found = answer_to_masked(evaluation)
    if found is None:
        return undefined("the map does not vary where it is positive", chance)
    value = _read(*found)
    reason = "" if isfinite(value) else "the network gives the class no probability"
    figures = {"probability": found[0], "probability_masked": found[1]}
    return Score(value, chance, reason=reason, figures=figures)


def _read(whole: float, masked: float) -> float:
    if not isfinite(whole):
        return nan
    return float(masked > whole)
