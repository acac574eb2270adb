"""Model parameter randomisation test (Adebayo et al., NeurIPS 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np

from g3dvit_napari.core.evaluation import Evaluation, Sign
from g3dvit_napari.core.score import Curve, Score, undefined
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.asking import made_by
from g3dvit_napari.metrics.sanity.redrawn import redrawn
from g3dvit_napari.metrics.sanity.similarity import (
    Similarity,
    level_of_chance,
    likeness,
    likeness_of_controls,
    on_patches,
)

Order = Literal["cascading", "independent"]


@METRICS.register(
    "Model randomisation",
    needs={"explainer"},
    direction="lower",
    cost="many passes",
    reference="Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018",
)
def model_randomisation(
    evaluation: Evaluation,
    *,
    order: Order = "cascading",
    similarity: Similarity = "spearman",
    sign: Sign = "abs",
    draws: Annotated[int, {"min": 1, "max": 100}] = 1,
) -> Score:
    """Return how alike a map stays when the network forgets all it has learned.

    The weights are drawn anew stage by stage: head, last block ... first block, patch embedding,
    position embedding, class token. The curve holds the similarity to the original map, on patches,
    after each stage. The value is that after the last: of a network that has learned nothing.
    Independent, one stage at a time is drawn anew; the value is then the mean over all stages.
    Lower is better, as far as chance: the level that 95 of 100 control maps stay below, the map
    with its places shuffled. A method passes where it falls to that level. A network of s stages is
    copied and explained s times per draw.

    What fools it. It is necessary and never a ranking: a map of noise passes. Scales survive
    top-down randomisation (Binder et al., CVPR 2023), and maps that multiply by the input keep its
    support, which the sizes show and the signs hide: hence "abs". Maps of unrelated networks are
    smooth, so one volume may lie above the level by accident: average volumes.

    Parameters
    ----------
    order
        "cascading": every stage is drawn anew together with those before it; "independent": each
        one alone.
    similarity
        "spearman": rank correlation; "ssim": structural similarity; "overlap": of the strongest
        5 %.
    sign
        Of signed maps, whether sizes are compared, values, or what speaks for the class.
    draws
        How many networks are drawn; the mean is taken.
    """
    original = on_patches(evaluation, sign)
    controls = likeness_of_controls(similarity, original, evaluation.scene.seed)
    chance = level_of_chance(controls)
    stages = tuple(made_by(evaluation).stages)
    parts = [
        stages[: number + 1] if order == "cascading" else (stage,)
        for number, stage in enumerate(stages)
    ]
    found = np.array([_after(evaluation, part, similarity, sign, draws) for part in parts])
    if not np.isfinite(found).all():
        return undefined("a map after randomisation is not finite, or too small for ssim", chance)
    value = float(found[-1] if order == "cascading" else found.mean())
    shares = tuple(float(n) for n in np.arange(len(stages) + 1) / len(stages))
    itself = likeness(similarity, original, original)
    curve = Curve(shares, (itself, *map(float, found)), ("nothing", *stages))
    figures = {"chance_mean": float(controls.mean())}
    return Score(value, chance, figures=figures, curves={order: curve})


def _after(
    evaluation: Evaluation, stages: Sequence[str], kind: Similarity, sign: Sign, draws: int
) -> float:
    """Return the mean similarity to the maps of networks with some stages drawn anew."""
    original, seed = on_patches(evaluation, sign), evaluation.scene.seed
    others = (redrawn(evaluation, stages, seed + number) for number in range(draws))
    return float(np.mean([likeness(kind, original, on_patches(one, sign)) for one in others]))
