"""Earth mover's distance from the map to the target (Clark et al. 2024), solved exactly."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.optimize import linprog
from scipy.spatial.distance import cdist

from g3dvit_napari.core.evaluation import Evaluation, Floats, Scene, Sign
from g3dvit_napari.core.score import Score, undefined
from g3dvit_napari.core.units import centres_of
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.chance import measured

ROUTES = 200_000  # between patches with too much and patches with too little: seconds
DRAWS = 4


@METRICS.register("Earth mover's score", needs={"truth"}, reference="Clark et al. 2024")
def emd_score(evaluation: Evaluation, *, sign: Sign = "positive") -> Score:
    """Return 1 minus the work that turns the map into the target, over the longest way there is.

    On patches only. The map is spread as mass, the target by the share that it fills of each patch;
    work is mass times millimetres between centres of patches. Higher is better; 1: the same
    distribution. Chance: measured on maps of noise.

    What fools it. A map that is equal everywhere already gets well above one half: only the
    distance from chance says anything.

    Parameters
    ----------
    sign
        Which relevance: what speaks for the class, or sizes.
    """
    if sign == "signed":
        return undefined("mass cannot be negative; choose another sign")
    scene = evaluation.scene
    share = scene.truth_share("patch")
    if share.size * np.count_nonzero(share) > ROUTES:
        return undefined(f"{share.size} patches are too many for an exact solution")
    chance = measured(scene, ("emd",), lambda each: _score(each.values("patch"), scene), DRAWS)
    values = evaluation.values("patch", sign)
    if values.sum() <= 0:
        return undefined("no relevance is positive where it counts", chance)
    return Score(_score(values, scene), chance)


def _score(values: Floats, scene: Scene) -> float:
    share = scene.truth_share("patch")
    far = scene.once("between patches", lambda: _between(scene))
    return 1 - work(values / values.sum(), share / share.sum(), far) / float(far.max())


def _between(scene: Scene) -> Floats:
    """Return the distances (n, n) in mm between the centres of the patches that count."""
    centres = centres_of(scene.placement, scene.patches)[scene.counted_patches]
    return np.asarray(cdist(centres, centres))


def work(supply: Floats, demand: Floats, cost: Floats) -> float:
    """Return the least work that turns one distribution (n) into another; costs are (n, n).

    What both have in the same place stays there, as costs are distances: only the rest is moved.
    """
    excess = supply - demand
    sources, sinks = np.flatnonzero(excess > 0), np.flatnonzero(excess < 0)
    if not sources.size or not sinks.size:
        return 0.0
    m, n = sources.size, sinks.size
    leaving = sparse.kron(sparse.eye_array(m), np.ones((1, n)))
    arriving = sparse.kron(np.ones((1, m)), sparse.eye_array(n))
    moved = np.concatenate([excess[sources], -excess[sinks]])
    found = linprog(  # type: ignore[call-overload]  # the stubs know no sparse constraints
        cost[np.ix_(sources, sinks)].ravel(),
        A_eq=sparse.vstack([leaving, arriving])[:-1].tocsc(),  # the last follows from the others
        b_eq=moved[:-1],
        method="highs",
    )
    return float(found.fun)
