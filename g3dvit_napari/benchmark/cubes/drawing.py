"""Draw one sample of a cell: background, noise, a cube, and the same without the cube."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from g3dvit_napari.benchmark.cubes import places
from g3dvit_napari.benchmark.cubes.cell import Cell
from g3dvit_napari.benchmark.sample import Sample, Split, generator

VERSION = 1  # part of every seed: a change of the generator must change it
PLACE, CONTENT, NOISE = range(3)  # streams of random numbers
STEP = 1 / 64  # noise is a multiple of it: equal on every machine, and files compress
SMOOTHING = 2.0  # voxels
AFFINE = np.eye(4)

Values = NDArray[np.float32]


@dataclass(frozen=True)
class _Cube:
    """A cube and the values in it (x y z)."""

    corner: NDArray[np.int64]
    values: NDArray[np.float64]


def draw(cell: Cell, split: Split, index: int) -> Sample:
    """Return sample number `index` of a split; it depends on nothing else."""
    where, what = (generator(VERSION, split, index, stream) for stream in (PLACE, CONTENT))
    found = _corners(cell, split, where)
    label, cubes = _content(cell, found, what)
    others = [_distractor(cell, found[-1])] if cell.distractor else []
    noise = noise_of(cell, generator(VERSION, split, index, NOISE))
    return Sample(
        data=_painted(cell, [*others, *cubes]) + noise,
        twin=_painted(cell, others) + noise,
        signal=_mask(cell, cubes),
        distractor=_mask(cell, others),
        label=label,
        drawn=_drawn_of(cell, cubes, others),
        affine=AFFINE,
        name=f"{cell.name}_{split}_{index}",
        twin_label=0 if cell.question == "triple" else None,
    )


def noise_of(cell: Cell, rng: np.random.Generator) -> Values:
    """Return the noise (x y z) of a cell, in steps of `STEP`."""
    shape = (cell.grid,) * 3
    if cell.noise == 0:
        return np.zeros(shape, dtype=np.float32)
    noise = rng.standard_normal(shape)
    if cell.smooth:
        noise = ndimage.gaussian_filter(noise, SMOOTHING, mode="wrap")
        noise /= _deviation(cell.grid)
    return (np.rint(cell.noise * noise / STEP) * STEP).astype(np.float32)


def _deviation(grid: int) -> float:
    """Return the standard deviation that smoothing leaves of white noise on a grid."""
    impulse = np.zeros((grid,) * 3)
    impulse[0, 0, 0] = 1
    return float(np.sqrt((ndimage.gaussian_filter(impulse, SMOOTHING, mode="wrap") ** 2).sum()))


def _corners(cell: Cell, split: Split, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Return where the cubes of the signal lie, then that of the distractor; none overlap."""
    free = places.corners(cell, split)
    wanted = (2 if cell.question == "xor" else 1) + cell.distractor
    found: list[NDArray[np.int64]] = []
    for _ in range(wanted):
        found.append(free[rng.integers(len(free))])
        free = places.apart(found[-1], free, cell.cube)
    return found


def _content(
    cell: Cell, corners: Sequence[NDArray[np.int64]], rng: np.random.Generator
) -> tuple[int, list[_Cube]]:
    """Return the class and the cubes that make it."""
    label = int(rng.integers(len(cell.class_names)))
    if cell.question == "position":
        return places.nearest_place(corners[0], cell), [_even(cell, corners[0], 1.0)]
    if cell.question == "triple" and label == 0:
        return 0, []
    if cell.question == "texture":
        sign = float(rng.choice([-1.0, 1.0]))
        return label, [_Cube(corners[0], cell.background + sign * stripes(cell.cube, label))]
    if cell.question == "xor":
        first = float(rng.choice([-1.0, 1.0]))
        second = first if label == 0 else -first
        return label, [_even(cell, c, v) for c, v in zip(corners, (first, second), strict=False)]
    sign = label - 1 if cell.question == "triple" else label
    return label, [_even(cell, corners[0], 1.0 if sign == 1 else -1.0)]


def stripes(cube: int, axis: int) -> NDArray[np.float64]:
    """Return stripes of one voxel (x y z) along an axis, of mean zero."""
    wave = (-1.0) ** np.arange(cube)
    shape = [1, 1, 1]
    shape[axis] = cube
    return np.broadcast_to((wave - wave.mean()).reshape(shape), (cube,) * 3)


def _distractor(cell: Cell, corner: NDArray[np.int64]) -> _Cube:
    """Return a cube of the same size that says nothing about the class.

    Where a cube is asked for its place, the other one is as far from the background to the other
    side. Where it is asked for its sign, the other one is a chequerboard of both. Where it is asked
    for its stripes, the other one has none.
    """
    if cell.question == "position":
        return _even(cell, corner, 2 * cell.background - 1.0)
    if cell.question == "texture":
        return _even(cell, corner, cell.background + 1.0)
    x, y, z = np.indices((cell.cube,) * 3)
    board = (-1.0) ** (x + y + z)
    return _Cube(corner, cell.background + board - board.mean())


def _even(cell: Cell, corner: NDArray[np.int64], value: float) -> _Cube:
    return _Cube(corner, np.full((cell.cube,) * 3, value))


def _painted(cell: Cell, cubes: Sequence[_Cube]) -> Values:
    data = np.full((cell.grid,) * 3, cell.background, dtype=np.float32)
    for cube in cubes:
        data[places.box(cube.corner, cell.cube)] = cube.values
    return data


def _mask(cell: Cell, cubes: Sequence[_Cube]) -> NDArray[np.bool_]:
    mask = np.zeros((cell.grid,) * 3, dtype=bool)
    for cube in cubes:
        mask |= places.cube_mask(cell.grid, cube.corner, cell.cube)
    return mask


def _drawn_of(cell: Cell, cubes: Sequence[_Cube], others: Sequence[_Cube]) -> dict[str, Any]:
    return {
        "corners": [cube.corner.tolist() for cube in cubes],
        "distractors": [cube.corner.tolist() for cube in others],
        "first_values": [float(cube.values.flat[0]) for cube in cubes],
        "background": cell.background,
        "noise": cell.noise,
    }
