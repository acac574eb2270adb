"""Input invariance (Kindermans et al., 2017)."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from g3dvit_napari.core.evaluation import Evaluation
from g3dvit_napari.core.score import Flag, Score, undefined
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.asking import asked, made_by
from g3dvit_napari.metrics.robustness.sensitivity import chance_of, relative_change

SAME = 1e-3  # a change of the logits, as a share of the largest, that counts as none


@METRICS.register(
    "Change by a constant shift",
    needs={"network", "explainer"},
    direction="lower",
    cost="one pass",
    reference="Kindermans et al., The (Un)reliability of Saliency Methods, 2017, arXiv:1711.00867",
)
def input_shift(
    evaluation: Evaluation, *, shift: Annotated[float, {"min": 0.1, "max": 1000.0}] = 100.0
) -> Score:
    """Return how far a map moves when a constant is added to an input and the answer stays.

    ‖a(x + c) - a(x)‖ / ‖a(x)‖, on the map's own cells, for the same class. Lower is better. Chance:
    √2 for signed maps and √(2 - 2/π) for others, as for `max_sensitivity`. A network that
    normalises every patch, as the vit_3d families do, does not see the constant, so its maps should
    not either. Where a logit changes by more than a thousandth of the largest, maps may rightly
    move: then the score is marked uninformative. The method runs once, the network twice.

    What fools it. A constant map is perfect. Methods that multiply by the input fail, and so does a
    comparison with a fixed baseline, which lies elsewhere for the shifted input: that is the
    question they answer, not a mistake in it.

    Parameters
    ----------
    shift
        The constant, in per cent of the image's standard deviation.
    """
    chance, image = chance_of(evaluation), evaluation.scene.placement.to_tensor()
    moved = image + np.float32(shift / 100 * float(image.std()))
    before, after = asked(evaluation.scene).answers([image, moved])[0]
    value = relative_change(evaluation, made_by(evaluation).again(moved))
    if not np.isfinite(value):
        return undefined("the map is zero, or that of the shifted input not finite", chance)
    same = np.abs(after - before).max() <= SAME * np.abs(before).max()
    flags: tuple[Flag, ...] = () if same else ("uninformative",)
    return Score(value, chance, flags=flags)
