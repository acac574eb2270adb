"""A map cut in two against the target: the counts that IoU, F1 and their kin are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import nan
from typing import Literal

import numpy as np
from scipy.special import gammaln

from g3dvit_napari.core.evaluation import Compared, Evaluation, Floats, Level, Scene, Sign
from g3dvit_napari.core.otsu import otsu
from g3dvit_napari.core.score import Score, undefined
from g3dvit_napari.metrics.chance import draws_for, random_maps
from g3dvit_napari.metrics.localisation.ranking import Ranking, ranking_of, top_count

Cut = Literal["otsu", "mean", "half", "top"]


@dataclass(frozen=True)
class CutAt:
    """How a map is cut in two: what is above the cut stands in front.

    cut
        "otsu": Otsu's threshold, 256 bins (as AGCAM's survey and scikit-image); "mean": the mean
        (as Chefer et al. 2021); "half": halfway between smallest and largest; "top": so many per
        cent of the places that count, ties by expectation.
    """

    level: Level
    sign: Sign
    cut: Cut
    top: float


@dataclass(frozen=True, eq=False)
class Confusion:
    """How a foreground meets a target.

    true_positives, weights
        (m) Places of the foreground in the target, and how probable each count is: one certain
        count, but where ties are broken at random.
    chosen, target, count
        Places in the foreground, in the target, and all that count.
    """

    true_positives: Floats
    weights: Floats
    chosen: int
    target: int
    count: int

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Places in the foreground, in the target, and all."""
        return self.chosen, self.target, self.count

    @property
    def true_negatives(self) -> Floats:
        """Places (m) that are neither in the foreground nor in the target."""
        return self.count - self.chosen - self.target + self.true_positives

    def expected(self, measure: Measure) -> float:
        """Return the mean of a measure over all ways to break ties."""
        return float((self.weights * measure(self)).sum())

    def scored(self, measure: Measure, chance: float) -> Score:
        """Return a measure with its chance, and how much of the map is in the foreground."""
        shown = {"foreground": self.chosen / self.count}
        return Score(self.expected(measure), chance, figures=shown)


Measure = Callable[[Confusion], Floats]

CUTS: Mapping[Cut, Callable[[Floats], float | None]] = {
    "otsu": otsu,
    "mean": lambda values: float(values.mean()),
    "half": lambda values: float(values.min() + values.max()) / 2,
}


def score_at(evaluation: Evaluation, measure: Measure, at: CutAt) -> Score:
    """Return a measure of a map cut in two, with its chance.

    Chance is a foreground laid out at random: for the cut "top" as large as the map's, for the
    others as large as that of noise which is cut by the same rule. A map that is equal everywhere
    has no cut: it gets chance.
    """
    target = evaluation.scene.truth_share(at.level) > 0
    if target.all():
        return undefined("the target touches every patch that counts")
    if at.cut == "top":
        found = at_top(ranking_of(evaluation, at.level, at.sign), at.top)
        return found.scored(measure, _drawn(*found.sizes).expected(measure))
    key = ("cut", at.level, at.sign, at.cut)
    halves = evaluation.once(key, lambda: above(evaluation.compared(at.level, at.sign), at.cut))
    noise = evaluation.scene.once(("noise", at.level, at.cut), lambda: _noise(evaluation.scene, at))
    chance = float(np.mean([each.expected(measure) for each in noise])) if noise else nan
    if halves is None:
        return Score(chance, chance, flags=("degenerate",))
    return halves.scored(measure, chance)


def above(compared: Compared, cut: Cut) -> Confusion | None:
    """Return what lies above a cut; None where all values are equal."""
    values = compared.values
    at = CUTS[cut](values)
    if at is None or values.min() == values.max():
        return None
    front = values > at
    hits = np.count_nonzero(front & compared.target)
    return Confusion(
        np.array([float(hits)]),
        np.ones(1),
        int(np.count_nonzero(front)),
        int(np.count_nonzero(compared.target)),
        values.size,
    )


def at_top(ranking: Ranking, percent: float) -> Confusion:
    """Return what the strongest places meet; among equal ones, those kept are drawn at random."""
    chosen = top_count(ranking.count, percent)
    group = ranking.group_of(chosen)
    places, inside = (int(each[group]) for each in ranking.groups)
    taken, hits = int(ranking.taken[group]) - places, int(ranking.hits[group]) - inside
    drawn = _drawn(chosen - taken, inside, places)
    counts = hits + drawn.true_positives
    return Confusion(counts, drawn.weights, chosen, ranking.target, ranking.count)


def _drawn(chosen: int, target: int, count: int) -> Confusion:
    """Return the confusion of places drawn at random: true positives are hypergeometric."""
    hits = np.arange(max(0, chosen + target - count), min(chosen, target) + 1, dtype=np.float64)
    logs = (
        _log_ways(target, hits)
        + _log_ways(count - target, chosen - hits)
        - _log_ways(count, np.float64(chosen))
    )
    weights = np.exp(logs)
    return Confusion(hits, weights / weights.sum(), chosen, target, count)


def _log_ways(of: int, some: Floats | np.float64) -> Floats:
    """Return the logarithm of the binomial coefficient."""
    return np.asarray(gammaln(of + 1) - gammaln(some + 1) - gammaln(of - some + 1))


def _noise(scene: Scene, at: CutAt) -> list[Confusion]:
    """Return foregrounds as large as those of noise, laid out at random."""
    draws = draws_for(4 * scene.truth_share(at.level).size)  # its size hardly varies
    cuts = (above(each.compared(at.level), at.cut) for each in random_maps(scene, draws))
    return [_drawn(*each.sizes) for each in cuts if each is not None]
