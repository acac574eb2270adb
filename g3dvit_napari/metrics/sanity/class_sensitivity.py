"""Random logit test (Sixt, Granz and Landgraf, ICML 2020)."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from g3dvit_napari.core.evaluation import Evaluation, Scene, Sign
from g3dvit_napari.core.score import Score, undefined
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.asking import made_by
from g3dvit_napari.metrics.sanity.similarity import Similarity, likeness, on_patches


@METRICS.register(
    "Class sensitivity",
    needs={"explainer"},
    direction="lower",
    cost="many passes",
    reference="Sixt et al., When Explanations Lie, ICML 2020",
)
def class_sensitivity(
    evaluation: Evaluation,
    *,
    similarity: Similarity = "spearman",
    sign: Sign = "signed",
    others: Annotated[int, {"min": 1, "max": 1000}] = 1,
) -> Score:
    """Return how alike the maps of the explained class and of another one are, on patches.

    The mean over other classes, drawn at random. Lower is better. Chance: 1, what a method gets
    that does not ask which class it explains, such as rollout. Not defined for a regression. The
    method runs once per other class.

    What fools it. A map of noise is perfect. Where two classes share their evidence, as sides of
    one question do, good maps are alike in size and opposite in sign: compared by "abs" they look
    blind to the class. The positive parts of such maps, which unsigned methods return, differ.

    Parameters
    ----------
    similarity
        "spearman": rank correlation; "ssim": structural similarity; "overlap": of the strongest
        5 %.
    sign
        Of signed maps, whether values are compared, sizes, or what speaks for the class.
    others
        How many other classes; all, where there are not so many.
    """
    scene = evaluation.scene
    rest = [number for number in range(classes_of(scene)) if number != scene.target]
    if not rest:
        return undefined("the network has one output, so there is no other class", 1.0)
    drawn = np.random.default_rng(scene.seed).permutation(rest)[:others]
    explainer, original = made_by(evaluation), on_patches(evaluation, sign)
    maps = [evaluation.like(explainer.of_class(int(number))) for number in drawn]
    found = [likeness(similarity, original, on_patches(one, sign)) for one in maps]
    if not np.isfinite(found).all():
        return undefined("the map of another class is not finite, or too small for ssim", 1.0)
    return Score(float(np.mean(found)), 1.0)


def classes_of(scene: Scene) -> int:
    """Return how many classes a network tells apart: two for a yes/no head of a single logit."""
    network = scene.placement.spec.network
    if network.classes == 1:
        return 1 if network.output == "regression" else 2
    return network.classes or 1
