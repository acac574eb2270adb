"""Labels of cells against counting voxel by voxel, in world millimetres."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.regions import regions_of
from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec
from g3dvit_napari.core.types import Volume

TILT = np.array(
    [[2.0, 0.1, 0.0, -19.0], [-0.1, 1.5, -0.2, -20.0], [0.0, 0.2, 3.0, -11.0], [0, 0, 0, 1.0]]
)
NETWORK = NetworkSpec(image_size=(12, 20, 15), patch=(4, 5, 5))
CELLS = Cells.tiling((3, 4, 3), (4, 5, 5))


def atlas(seed: int = 0) -> Volume:
    """Boxes of a few labels, and voxels of others among them."""
    rng = np.random.default_rng(seed)
    coarse = rng.choice([0, 3, 7, 1002], (5, 6, 5))
    data = np.kron(coarse, np.ones((4, 4, 4)))[:19, :23, :17]
    data[rng.random(data.shape) < 0.2] = 7
    return Volume(data.astype(np.float32), TILT, "atlas")


def placed(volume: Volume, **rules: Any) -> Placement:
    asked = {"orientation": "LAS", "intensity": "none", "tensor_axes": "zyx", **rules}
    return Placement(volume, ModelSpec(network=NETWORK, input=InputSpec(**asked)))


def counted(labels: Volume, placement: Placement, cells: Cells) -> np.ndarray:
    """The commonest label of the voxels whose centres lie in each cell, found one by one."""
    back = np.linalg.inv(placement.model_affine)
    axes = ["xyz".index(letter) for letter in placement.spec.input.tensor_axes or ""]
    votes: dict[tuple[int, ...], Counter[int]] = {}
    for voxel in np.ndindex(*labels.shape):
        model = (back @ labels.affine @ [*voxel, 1.0])[:3][axes]
        cell = tuple(int(np.floor((m - a) / s + 0.5)) for m, a, s in
                     zip(model, cells.first, cells.size, strict=True))  # fmt: skip
        if all(0 <= c < n for c, n in zip(cell, cells.shape, strict=True)):
            votes.setdefault(cell, Counter())[int(labels.data[voxel])] += 1
    found = np.zeros(cells.shape, dtype=np.int64)
    for cell, seen in votes.items():
        found[cell] = min(seen, key=lambda label: (-seen[label], label))
    return found


@pytest.mark.parametrize(
    "rules",
    [
        {"fit": "crop-pad"},
        {"fit": "crop-pad", "crop_start": (3, -2, 1), "orientation": "PSR", "tensor_axes": "yxz"},
        {"fit": "resize-extent", "orientation": "SAL"},
        {
            "fit": "resample-to-affine",
            "orientation": "RAS",
            "affine": tuple(
                map(tuple, (np.diag([2.2, 1.7, 2.6, 1]) + np.eye(4, k=3) * -14).tolist())
            ),
        },
    ],
)
def test_every_cell_has_the_label_of_most_of_its_voxels(rules: dict[str, Any]) -> None:
    labels = atlas()
    placement = placed(labels, **rules)
    found = regions_of(labels, placement, CELLS)
    wanted = counted(labels, placement, CELLS)
    assert len(np.unique(wanted)) == 4
    assert np.array_equal(found.labels, wanted)
    assert found.lost == ()


def test_cells_smaller_than_voxels_take_the_voxel_they_lie_in() -> None:
    labels = Volume(np.arange(1.0, 28.0).reshape(3, 3, 3), np.diag([4.0, 4, 4, 1]), "atlas")
    fine = NetworkSpec(image_size=(12, 12, 12), patch=(1, 1, 1))
    rules = InputSpec(orientation="RPI", intensity="none", tensor_axes="xzy", fit="resize-extent")
    placement = Placement(labels, ModelSpec(network=fine, input=rules))
    found = regions_of(labels, placement, Cells.voxels((12, 12, 12)))
    wanted = labels.data[:, ::-1, ::-1].transpose(0, 2, 1).repeat(4, 0).repeat(4, 1).repeat(4, 2)
    assert np.array_equal(found.labels, wanted)


def test_cells_beside_the_volume_have_no_region() -> None:
    labels = Volume(np.full((4, 20, 15), 5.0), np.eye(4), "atlas")
    found = regions_of(labels, placed(labels, orientation="RAS", tensor_axes="xyz"), CELLS)
    assert found.labels[:, 0, 0].tolist() == [0, 5, 0]  # eight voxels of padding along x


def test_labels_that_no_cell_got_are_told() -> None:
    labels = Volume(np.full((12, 20, 15), 2.0), np.eye(4), "atlas")
    labels.data[5, 5, 5] = 9  # one voxel of a hundred
    found = regions_of(labels, placed(labels), CELLS)
    assert (found.labels == 2).all()
    assert found.lost == (9,)


@pytest.mark.parametrize(
    ("value", "said"), [(1.5, "1.5 is no label"), (2.0**25, "33554432 is too large")]
)
def test_what_is_no_label_is_refused(value: float, said: str) -> None:
    labels = Volume(np.full((12, 20, 15), value, dtype=np.float32), np.eye(4), "atlas")
    with pytest.raises(VolumeError, match=said):
        regions_of(labels, placed(labels), CELLS)
