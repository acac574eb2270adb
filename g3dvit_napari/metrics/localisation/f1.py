"""F1 (Dice 1945) of a map cut in two and the target."""

from __future__ import annotations

from typing import Annotated

from g3dvit_napari.core.evaluation import Evaluation, Floats, Level, Sign
from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.confusion import Confusion, Cut, CutAt, score_at


@METRICS.register("F1", needs={"truth"}, reference="Dice 1945; Sørensen 1948")
def f1(
    evaluation: Evaluation,
    *,
    level: Level = "voxel",
    sign: Sign = "positive",
    cut: Cut = "otsu",
    top: Annotated[float, {"min": 0.01, "max": 100.0, "step": 0.5}] = 5.0,
) -> Score:
    """Return F1, the same as Dice: twice the overlap over the sum of both sizes.

    Higher is better. Chance: a foreground laid out at random, as large as the map's for the cut
    "top", as that of noise for the others.

    What fools it. As for IoU, to which it is bound by F1 = 2 IoU / (1 + IoU): it ranks single maps
    alike, and reporting both says nothing more.

    Parameters
    ----------
    level
        On voxels of the volume, or on patches; the target is every patch that it touches.
    sign
        Which relevance: what speaks for the class, sizes, or signed values.
    cut
        Above Otsu's threshold, the mean, half of the range, or the strongest places.
    top
        For the cut "top": how many of the places that count, in per cent.
    """
    return score_at(evaluation, _f1, CutAt(level, sign, cut, top))


def _f1(c: Confusion) -> Floats:
    return 2 * c.true_positives / (c.chosen + c.target)
