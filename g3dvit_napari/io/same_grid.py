"""Other files on the grid of the explained volume: a baseline, the regions of an atlas."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.regions import Regions, regions_of
from g3dvit_napari.core.types import Volume
from g3dvit_napari.io.forms import corner_distance_mm
from g3dvit_napari.io.nifti import read_volume

SAME_MM = 0.01  # headers hold single precision, or a quaternion


@dataclass(frozen=True, eq=False)
class SameGrid:
    """Reads files that lie voxel on voxel with a volume, however each of them is stored."""

    placement: Placement

    def image(self, path: str) -> NDArray[np.float32]:
        """Return a volume as the network's input (c f h w), prepared as the explained one."""
        found = self._read(path)
        try:
            return replace(self.placement, volume=found).to_tensor()
        except VolumeError as error:
            raise VolumeError(f"{found.name}: {error}") from error

    def regions(self, path: str, cells: Cells) -> Regions:
        """Return the label of each cell (f h w) of the input from an image of labels."""
        return regions_of(self._read(path), self.placement, cells)

    def _read(self, path: str) -> Volume:
        """Return the values of a file as another volume of the explained one's grid."""
        volume, found = self.placement.volume, read_volume(path)
        if found.shape != volume.shape:
            raise VolumeError(
                f"{found.name} has shape {found.shape}, {volume.name} has {volume.shape}; "
                f"resample it to the grid of {volume.name}"
            )
        apart = corner_distance_mm(found.affine, volume.affine, volume.shape)
        if apart > SAME_MM:
            raise VolumeError(
                f"{found.name} and {volume.name} have affines {found.affine.tolist()} and "
                f"{volume.affine.tolist()}, up to {apart:.3g} mm apart; "
                f"resample it to the grid of {volume.name}"
            )
        return volume.like(found.data, found.name)
