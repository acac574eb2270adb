"""Completeness (Sundararajan, Taly and Yan, ICML 2017; Bach et al., PLOS ONE 2015)."""

from __future__ import annotations

import numpy as np

from g3dvit_napari.core.evaluation import Evaluation
from g3dvit_napari.core.score import Score, undefined
from g3dvit_napari.metrics import METRICS

TINY = 1e-12  # a difference of two scores below which nothing is divided by it
_ELSEWHERE = ("prefix_tokens", "biases")  # what of the score no place gets
AGREE = 1e-3  # between a method's own sum and that of its map, as a share of the score


@METRICS.register(
    "Completeness error",
    direction="lower",
    reference="Sundararajan et al., Axiomatic Attribution for Deep Networks, ICML 2017, prop. 1",
)
def completeness(evaluation: Evaluation) -> Score:
    """Return how far a map is from adding up to the score that it claims to share out.

    |Σ a - (F(x) - F(b))| / |F(x) - F(b)|, b the method's own baseline; for methods that share F(x)
    out among tokens and biases, |Σ a + tokens in front + biases - F(x)| / |F(x)|. Lower is better,
    below 0.01 is usual. Chance: 1, that of a map of zeros. Only for methods that claim it, which
    those do that report the score they share out beside the map; the sum is taken from the map. A
    map that shows sizes, or several blocks at once, claims nothing. The network is not asked.

    What fools it. A complete map may put everything in the wrong place. It tells whether an
    integral has converged and whether rules keep what they should, nothing else.
    """
    figures = evaluation.figures
    if "score" not in figures:
        return undefined("the method does not claim that its map adds up to a score", 1.0)
    shared = figures["score"] - figures.get("score_baseline", 0.0)
    total = float(evaluation.tokens.sum()) + sum(figures.get(name, 0.0) for name in _ELSEWHERE)
    if not np.isfinite([total, shared]).all() or abs(shared) < TINY:
        return undefined("the score that is shared out is zero, or not finite", 1.0)
    error, own = abs(total - shared), abs(figures.get("completeness_error", total - shared))
    if abs(error - own) > AGREE * abs(shared):
        return undefined(
            "the method keeps the score, but its map is not meant to add up to it", 1.0
        )
    return Score(error / abs(shared), 1.0)
