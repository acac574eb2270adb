"""Faithfulness correlation (Bhatt, Weller and Moura, IJCAI 2020)."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.evaluation import Evaluation, Scene
from g3dvit_napari.core.removal import Removal, Substrate
from g3dvit_napari.core.score import Score, undefined
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.asking import asked
from g3dvit_napari.metrics.robustness.answers import Answer, of_target, stands_still

Floats = NDArray[np.float64]


@METRICS.register(
    "Faithfulness correlation",
    needs={"network"},
    cost="many passes",
    reference="Bhatt et al., Evaluating and Aggregating Feature-based Model Explanations, "
    "IJCAI 2020, eq. 2",
)
def faithfulness_correlation(
    evaluation: Evaluation,
    *,
    substrate: Substrate = "zero",
    share: Annotated[float, {"min": 0.1, "max": 90.0}] = 10.0,
    draws: Annotated[int, {"min": 3, "max": 10000}] = 200,
    answer: Answer = "probability",
) -> Score:
    """Return how the relevance of random sets of patches goes with what their removal costs.

    Pearson's correlation, over random sets Q of patches, of Σ_{i in Q} a_i with F(x) - F(x without
    Q). Higher is better. Chance: 0, what a map that has nothing to do with the network gets on
    average. Of a linear network the map w·x gets 1. Not defined where all sets are equally relevant
    or no set changes the answer. The network is asked once per set and once for the whole image;
    all maps of a scene share the sets and the answers.

    What fools it. Removed patches leave an image that the network has never seen, and the substrate
    favours some methods (Tomsett et al., AAAI 2020). A sure network's probability hardly moves
    before most of the evidence is gone: then take the logit, or a larger share.

    Parameters
    ----------
    substrate
        What stands where a patch was.
    share
        How many per cent of the patches each set holds; at least one.
    draws
        How many sets.
    answer
        Which number of the class falls: its logit or its probability.
    """
    removal = Removal(substrate, "patch")
    sets, said = _removed(evaluation.scene, removal, share, draws)
    answers = of_target(said, evaluation.scene.target, answer)
    if not np.isfinite(answers).all():
        return undefined(f"the network's {answer} is not a finite number", 0.0)
    costs, relevance = answers[0] - answers[1:], sets @ evaluation.on_units("patch")
    if stands_still(costs, answers):
        return undefined(f"no set of patches changes the {answer}", 0.0)
    if stands_still(relevance, relevance):
        return undefined("all sets of patches are equally relevant", 0.0)
    return Score(float(np.corrcoef(relevance, costs)[0, 1]), 0.0)


def _removed(
    scene: Scene, removal: Removal, share: float, draws: int
) -> tuple[NDArray[np.bool_], tuple[Floats, Floats]]:
    """Return random sets (draws, patches), and the answers without none of them and each."""

    def made() -> tuple[NDArray[np.bool_], tuple[Floats, Floats]]:
        counted = np.flatnonzero(scene.counted_units("patch"))
        size = max(round(len(counted) * share / 100), 1)
        random = np.random.default_rng([scene.seed, draws])
        sets = np.zeros((draws, scene.patches.count), dtype=bool)
        for row in sets:
            row[random.choice(counted, size, replace=False)] = True
        nothing = np.zeros_like(sets[:1])
        network = asked(scene)
        return sets, network.hidden(removal, list(np.concatenate([nothing, sets])))

    return scene.once(("faithfulness_correlation", removal, share, draws), made)
