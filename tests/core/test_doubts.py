"""What does not look like the training data is said, with the value found."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from g3dvit_napari.core.doubts import doubts_about
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec
from g3dvit_napari.core.types import Volume

NETWORK = NetworkSpec(image_size=(60, 70, 60), patch=(10, 10, 10))


def doubts(
    affine: np.ndarray, shape: tuple[int, int, int] = (91, 109, 91), size: float | None = 2.0
) -> tuple[str, ...]:
    voxel_size = None if size is None else (size,) * 3
    rules = InputSpec(orientation="LAS", intensity="none", tensor_axes="xyz", voxel_size=voxel_size)
    volume = Volume(np.zeros(shape, np.float32), affine)
    return doubts_about(Placement(volume, ModelSpec(network=NETWORK, input=rules)))


def test_a_normalised_brain_raises_none() -> None:
    assert doubts(np.diag([2.0, 2, 2, 1])) == ()


@pytest.mark.parametrize(
    ("affine", "shape", "said"),
    [
        (np.diag([1.0, 2, 3, 1]), (150, 109, 61), "voxels are 1 x 2 x 3 mm, the network was"),
        (np.diag([2.0, 2, 2, 1]), (91, 150, 91), "measures 182 x 300 x 182 mm"),
        (np.diag([2.0, 2, 2, 1]), (91, 109, 50), "measures 182 x 218 x 100 mm"),
        (
            nib.affines.from_matvec(2 * nib.eulerangles.euler2mat(np.radians(11.5))),
            (91, 109, 91),
            "tilted by 11.5 degrees",
        ),
    ],
)
def test_each_doubt_names_its_value(
    affine: np.ndarray, shape: tuple[int, int, int], said: str
) -> None:
    (doubt,) = doubts(affine, shape)
    assert said in doubt
    assert doubts(affine, shape, size=None) == ()
