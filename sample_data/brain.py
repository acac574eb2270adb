"""A brain with a known lesion: subjects drawn from the MNI template, one seed per subject.

Every subject is the symmetric MNI template (as it ships with nilearn), bent, shaded and made noisy,
on the 91 x 109 x 91 grid of 2 mm in LAS that SPM and CONN write. It carries one dark lesion in the
deep white matter of the left or of the right half. The lesion is the only difference between the
classes, and its place is known voxel by voxel. Numpy and scipy only; the template is read from
nilearn's files without importing nilearn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float32]
Box = tuple[slice, slice, slice]

VERSION = 1  # part of every seed: a change of the generator must change it
SHAPE = (91, 109, 91)
AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
CLASSES = ("no lesion", "left lesion", "right lesion")
SPLITS = ("train", "held out", "shown", "benchmark")

SITE = np.array([33.0, -18.0, 28.0])  # mm, of the right half; the left one is its mirror image
JITTER = np.array([6.0, 28.0, 12.0])  # mm to either side, uniform
RADIUS = (11.0, 14.0)  # mm, uniform
DEPTH = (0.55, 0.70)  # share of the signal that the lesion takes away, uniform
EDGE = 4.0  # mm, over which a lesion fades
WARP = 2.5  # mm, standard deviation at the control points
NOISE = 0.03  # of the brightest white matter
PEAK = 400.0  # int16 value of the brightest white matter


@dataclass(frozen=True)
class Subject:
    """A brain without lesion and without noise; `signal` is 1 at the brightest white matter."""

    signal: Array
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Sample:
    """One scan as a scanner would store it, and the truth about it."""

    data: NDArray[np.int16]
    lesion: NDArray[np.bool_]
    label: int


class Brain:
    """Draws subjects, lesions and noise."""

    def draw(self, split: str, index: int, label: int | None = None) -> Sample:
        """Return sample number `index` of a split; the classes take turns if none is given."""
        label = index % len(CLASSES) if label is None else label
        rng = generator(split, index)
        subject = self.subject(rng)
        signal, lesion = with_lesions(subject, label, rng)
        return Sample(scan(signal, subject.mask, rng), lesion, label)

    def subject(self, rng: np.random.Generator) -> Subject:
        """Return the template bent, turned, scaled and shaded at random."""
        where = _world_to_index(self._positions + _displacement(rng), self._template[1])
        bent = ndimage.map_coordinates(self._template[0], where, order=1).astype(np.float32)
        mask = ndimage.binary_opening(bent > 0.12)
        shading = np.exp(_smooth(rng, 3, 0.10)) * rng.uniform(0.9, 1.1)
        return Subject(bent * mask * shading.astype(np.float32), mask)

    @cached_property
    def _template(self) -> tuple[Array, NDArray[np.float64]]:
        image = nib.load(template_path())
        data = np.asarray(image.dataobj, dtype=np.float32)
        data = ndimage.gaussian_filter(data / np.percentile(data[data > 0], 99), 0.7)
        return data, image.affine

    @cached_property
    def _positions(self) -> Array:
        """World position of every voxel, (3, x, y, z)."""
        return _positions_mm().astype(np.float32)


def generator(split: str, index: int) -> np.random.Generator:
    """Return the random generator of one sample, the same on every machine."""
    return np.random.default_rng([VERSION, SPLITS.index(split), index])


def template_path() -> Path:
    """Return where nilearn keeps the MNI152 T1 template."""
    found = find_spec("nilearn")
    if found is None or found.origin is None:
        raise SystemExit("the template comes with nilearn: pip install nilearn")
    folder = Path(found.origin).parent / "datasets" / "data"
    return folder / "mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"


def with_lesions(
    subject: Subject, label: int, rng: np.random.Generator, count: int = 1
) -> tuple[Array, NDArray[np.bool_]]:
    """Return the signal with a lesion (in training more) on the side of the class, and its mask.

    The random numbers taken do not depend on the label: the same state gives twins of one subject.
    """
    side = {"left lesion": -1, "right lesion": 1}.get(CLASSES[label], 0)
    left_over, lesion = np.ones(SHAPE, dtype=np.float32), np.zeros(SHAPE, dtype=bool)
    for _ in range(count):
        box, inside, depth = _ball(rng, side or 1)
        left_over[box] = np.minimum(left_over[box], 1 - depth * inside)
        lesion[box] |= inside > 0.5
    if side == 0:
        return subject.signal, np.zeros_like(lesion)
    return subject.signal * left_over, lesion & subject.mask


def _ball(rng: np.random.Generator, side: int) -> tuple[Box, Array, float]:
    """Return where a ragged ball lies, how much of every voxel there it fills, and its depth."""
    centre = (SITE + rng.uniform(-JITTER, JITTER)) * (side, 1, 1)
    radius, depth = rng.uniform(*RADIUS), rng.uniform(*DEPTH)
    box = _box(centre, radius * 1.9)
    offset = _positions_mm(box) - centre[:, None, None, None]
    ragged = ndimage.gaussian_filter(rng.standard_normal(offset.shape[1:]), 2.0)
    distance = np.linalg.norm(offset, axis=0) / radius + 0.25 * ragged / ragged.std()
    inside = np.clip((1.0 - distance) * radius / EDGE + 0.5, 0, 1)
    return box, inside.astype(np.float32), depth


def scan(signal: Array, mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int16]:
    """Return the signal with noise inside the head, as int16."""
    noisy = signal.copy()
    noisy[mask] += NOISE * rng.standard_normal(int(mask.sum()), dtype=np.float32)
    stored: NDArray[np.int16] = np.clip(np.rint(noisy * PEAK), 0, 32767).astype(np.int16)
    return stored


def _positions_mm(box: Box = (slice(None), slice(None), slice(None))) -> NDArray[np.float64]:
    """Return the world position of every voxel of a part of the grid, (3, x, y, z)."""
    whole = (range(n)[part] for n, part in zip(SHAPE, box, strict=True))
    index = np.stack(np.meshgrid(*whole, indexing="ij")).astype(np.float64)
    return np.einsum("ij,jxyz->ixyz", AFFINE[:3, :3], index) + AFFINE[:3, 3, None, None, None]


def _box(centre: NDArray[np.float64], reach: float) -> Box:
    middle = np.linalg.solve(AFFINE, [*centre, 1])[:3]
    low = np.floor(middle - reach / 2).astype(int).clip(0)
    high = np.ceil(middle + reach / 2).astype(int) + 1
    x, y, z = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    return x, y, z


def _displacement(rng: np.random.Generator) -> Array:
    """Return a random smooth bend with a small turn, scaling and shift, in mm (3, x, y, z)."""
    bend = np.stack([_smooth(rng, 5, WARP) for _ in range(3)])
    linear = np.diag(rng.normal(0, 0.02, 3)) + _turn(rng.normal(0, 0.03, 3))
    centred = _positions_mm() - np.array([0, -18, 10])[:, None, None, None]
    shift = rng.normal(0, 1.5, 3)[:, None, None, None]
    return (bend + np.einsum("ij,jxyz->ixyz", linear, centred) + shift).astype(np.float32)


def _turn(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the generator of a small rotation, radians."""
    a, b, c = angles
    return np.array([[0, -c, b], [c, 0, -a], [-b, a, 0]])


def _smooth(rng: np.random.Generator, points: int, spread: float) -> NDArray[np.float64]:
    """Return a smooth random field through `points` control points along each axis."""
    control = rng.normal(0, spread, (points,) * 3)
    factors = [n / points for n in SHAPE]
    field = ndimage.zoom(control, factors, order=2, mode="nearest", grid_mode=True)
    return np.asarray(field)


def _world_to_index(world: Array, affine: NDArray[np.float64]) -> NDArray[np.float64]:
    inverse = np.linalg.inv(affine)
    return np.einsum("ij,jxyz->ixyz", inverse[:3, :3], world) + inverse[:3, 3, None, None, None]
