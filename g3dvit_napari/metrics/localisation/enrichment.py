"""How much denser relevance is in a region than in the brain around it, here and elsewhere."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy import fft

from g3dvit_napari.core.evaluation import Evaluation, Floats, Mask, Scene, Sign

LEFT = 0.5  # of the relevance must still lie in the brain after a shift


def around(scene: Scene) -> Mask:
    """Return what a region is compared with (x y z): the brain, or all places that count."""
    return scene.counted if scene.brain is None else scene.counted & scene.brain


def enrichment_of(evaluation: Evaluation, sign: Sign) -> float:
    """Return the density of relevance in the region over that around; NaN where there is none."""
    region, brain = _masks(evaluation.scene)
    values = _volume(evaluation, sign)
    total = float(values[brain].sum())
    if total <= 0:
        return float("nan")
    return float(values[region].sum() / total * brain.sum() / region.sum())


def shifted(evaluation: Evaluation, sign: Sign) -> Floats:
    """Return the enrichment (n) of the map flipped and shifted in every way inside the brain.

    A map runs along a torus: what leaves the brain's bounding box on one side comes in on the
    other (as in Harms et al. 2001). Shifts that move more than half of it out of the brain are left
    out. All are computed at once, as correlations: nothing is drawn.
    """
    region, brain = _masks(evaluation.scene)
    box = tuple(slice(i.min(), i.max() + 1) for i in np.nonzero(brain))
    values = np.where(brain, _volume(evaluation, sign), 0.0)[box]
    spectrum = fft.fftn(values)
    found = []
    for axes in _flips():
        masks = fft.fftn(np.flip(region[box], axes) + 1j * np.flip(brain[box], axes))
        for turned in (np.conj(spectrum), spectrum):  # as it is, and flipped along all axes
            sums = fft.ifftn(masks * turned).ravel()
            kept = sums.imag >= LEFT * values.sum()
            found.append(np.maximum(sums.real[kept], 0.0) / sums.imag[kept])
    enriched: Floats = np.concatenate(found) * (brain.sum() / region.sum())
    return enriched


def _flips() -> list[tuple[int, ...]]:
    """Return which axes are flipped, for the four ways that leave the first as it is."""
    ways = product((False, True), repeat=2)
    return [tuple(axis for axis in (1, 2) if way[axis - 1]) for way in ways]


def _masks(scene: Scene) -> tuple[Mask, Mask]:
    """Return the region (x y z) and what is around it, itself included."""
    brain = scene.once("around", lambda: around(scene))
    return scene.once("region", lambda: scene.mask("truth") & brain), brain


def _volume(evaluation: Evaluation, sign: Sign) -> Floats:
    """Return the map (x y z); zero where nothing counts."""
    counted = evaluation.scene.counted
    values: Floats = np.zeros(counted.shape)
    values[counted] = evaluation.values("voxel", sign)
    return values
