"""Pointing game (Zhang et al. 2018): does the strongest place lie in the target?"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from g3dvit_napari.core.evaluation import Evaluation, Floats, Level, Mask, Scene, Sign
from g3dvit_napari.core.score import Score, undefined
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.localisation.distance import Unit, to_target

Part = Literal["any", "edge", "interior"]
FULL = 1 - 1e-9  # a patch this full of target holds nothing else
REACH = 1 + 1e-9  # distances are roots; a tolerance of two voxels includes two voxels


@METRICS.register("Pointing game", needs={"truth"}, reference="Zhang et al. 2018")
def pointing_game(
    evaluation: Evaluation,
    *,
    level: Level = "voxel",
    sign: Sign = "positive",
    part: Part = "any",
    tolerance: Annotated[float, {"min": 0.0, "max": 100.0, "step": 0.5}] = 0.0,
    unit: Unit = "mm",
) -> Score:
    """Return 1 if the strongest place lies in the target, else 0; of several the share that does.

    Higher is better. Chance: the share of the places that would be a hit.

    A tolerance lets the target grow, by the distance between centres of voxels, the limit
    included. TorchRay's limit is not: its 15 pixels are anything from 14.97 to 14.99 here.

    What fools it. One place decides. On voxels the strongest one lies at the centre of a patch, so
    a target between two centres cannot be hit by a map of patches, and one that holds a centre is
    hit by luck more often than its size says: compare with the oracle, or choose patches.

    Parameters
    ----------
    level
        On voxels of the volume, or on patches; the target is every patch that it touches.
    sign
        Which relevance: what speaks for the class, sizes, or signed values.
    part
        Patches only: hits are patches that the target touches, fills in part, or fills.
    tolerance
        How far from the target the strongest place may lie.
    unit
        Of the tolerance: millimetres, voxels, or halves of a patch's diagonal.
    """
    if part != "any" and (level != "patch" or tolerance > 0):
        return undefined("edge and interior are patches of the target itself, without tolerance")
    scene = evaluation.scene
    key = ("hits", level, part, tolerance, unit)
    hits = scene.once(key, lambda: _hits(scene, level, part, (tolerance, unit)))
    if not hits.any():
        return undefined(
            f"no patch is {'filled by' if part == 'interior' else 'on the edge of'} it"
        )
    values = evaluation.values(level, sign)
    several = float(np.count_nonzero(values == values.max()))
    found = share_of_strongest(values, hits)
    return Score(found, float(hits.mean()), figures={"strongest_places": several})


def share_of_strongest(values: Floats, hits: Mask) -> float:
    """Return the share of the places with the largest value (n) that are hits."""
    return float(hits[values == values.max()].mean())


def _hits(scene: Scene, level: Level, part: Part, reach: tuple[float, Unit]) -> Mask:
    """Return the places (n) that count as a hit."""
    share = scene.truth_share(level)
    if part != "any":
        return share >= FULL if part == "interior" else (share > 0) & (share < FULL)
    tolerance, unit = reach
    if tolerance == 0:
        return share > 0
    return scene.share(to_target(scene, unit) <= tolerance * REACH, level) > 0
