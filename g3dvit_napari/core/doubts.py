"""Does a volume look like what the network was trained on? Nothing is refused here, only said."""

from __future__ import annotations

import numpy as np

from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.space import obliquity_degrees

EXTENT_MM = (120.0, 260.0)  # of a head, along any axis
TILT_DEGREES = 3.0  # more than that has no volume that was brought to a template


def doubts_about(placement: Placement) -> tuple[str, ...]:
    """Return sentences on size, extent and tilt; none when the spec gives no voxel size."""
    wanted, volume = placement.spec.input.voxel_size, placement.volume
    if wanted is None:
        return ()
    doubts = []
    found = np.linalg.norm(placement.model_affine[:3, :3], axis=0)
    if not np.allclose(found, wanted, rtol=0.05):
        sizes = (" x ".join(f"{s:.3g}" for s in spacing) for spacing in (found, wanted))
        doubts.append("voxels are {} mm, the network was trained on {} mm".format(*sizes))
    extent = np.array(volume.shape) * volume.spacing_mm
    if extent.min() < EXTENT_MM[0] or extent.max() > EXTENT_MM[1]:
        sides = " x ".join(f"{side:.0f}" for side in extent)
        doubts.append(f"the volume measures {sides} mm, which no whole head does")
    tilt = obliquity_degrees(volume.affine)
    if tilt > TILT_DEGREES:
        doubts.append(
            f"the volume is tilted by {tilt:.1f} degrees: if the network was trained on normalised "
            "brains, register it first (fMRIPrep, SPM, ANTs)"
        )
    return tuple(doubts)
