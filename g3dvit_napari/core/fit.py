"""The exact way from a volume into the network's tensor, and back.

Into it: orientation, then crop/pad, stretch or resample, then intensity, then tensor axes, as the
model spec says. Back: the same steps undone; what the network never saw is NaN, not zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from g3dvit_napari.core import space
from g3dvit_napari.core.axes import Line, affine_transform, box, transformed, within
from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.errors import SpecError, VolumeError
from g3dvit_napari.core.intensity import normalise
from g3dvit_napari.core.spec import ModelSpec, Triple
from g3dvit_napari.core.types import Volume

Array = NDArray[Any]
Real = TypeVar("Real", np.float32, np.float64)
ALIASING_STEP = 1.5  # above this shrink factor linear interpolation aliases: average instead


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the network's grids lie in one volume.

    Three grids share the head: the volume's (RAS+), the network's input ("model grid", in the
    orientation of the spec) and that of the map's cells. All affines are exact.

    Parameters
    ----------
    volume
        The volume to explain.
    spec
        A complete model spec.
    map_cells
        Where the values of a map lie in the input (f h w); None: one per patch.
    """

    volume: Volume
    spec: ModelSpec
    map_cells: Cells | None = None

    def __post_init__(self) -> None:
        if self.spec.missing:
            raise SpecError(f"the model spec leaves open: {', '.join(self.spec.missing)}; add them")
        if (self.spec.network.channels or 1) != 1:
            raise SpecError(
                f"the network takes {self.spec.network.channels} channels, a volume has one; "
                "a network of several channels cannot be fed from one volume"
            )

    @property
    def codes(self) -> str:
        """Axis codes of the model grid."""
        asked = self.spec.input.orientation or "stored"
        if asked != "stored":
            return asked
        return self.volume.source.orientation if self.volume.source else "RAS"

    @property
    def grid(self) -> Triple:
        """Shape of the model grid (x y z)."""
        return self.spec.to_xyz(self.spec.network.image_size or (0, 0, 0))

    def with_cells(self, cells: Cells | None) -> Placement:
        """Return the same placement for a map of other cells."""
        return self if cells == self.map_cells else replace(self, map_cells=cells)

    @cached_property
    def cells(self) -> Cells:
        """The cells of the map, along the axes of the model grid (x y z)."""
        network = self.spec.network
        found = self.map_cells or Cells.tiling(network.token_grid, network.patch or (1, 1, 1))
        axes = self._axes_of_xyz
        return Cells(
            space.reordered(found.shape, axes),
            space.reordered(found.size, axes),
            space.reordered(found.first, axes),
        )

    @property
    def covered(self) -> Triple:
        """Voxels of the model grid that the network sees: a rest smaller than a patch is not."""
        network = self.spec.network
        if network.patch is None or not network.drops_rest:
            return self.grid
        patch = self.spec.to_xyz(network.patch)
        x, y, z = (n // p * p for n, p in zip(self.grid, patch, strict=True))
        return x, y, z

    @cached_property
    def _oriented(self) -> Array:
        return space.to_codes(self.volume.data, self.codes)

    @cached_property
    def _oriented_affine(self) -> space.Affine:
        return space.affine_to_codes(self.volume.affine, self.volume.shape, self.codes)

    @cached_property
    def index_map(self) -> space.Affine:
        """Affine from model-grid indices to indices of the volume, both oriented as `codes`."""
        rules, shape = self.spec.input, self._oriented.shape
        if rules.fit == "resize-extent":
            step = [n / m for n, m in zip(shape, self.grid, strict=True)]
            return space.step_affine([(s - 1) / 2 for s in step], step)
        if rules.fit == "crop-pad":
            centred = [(n - m) // 2 for n, m in zip(shape, self.grid, strict=True)]
            return space.step_affine(rules.crop_start or centred, (1, 1, 1))
        if rules.affine is None:
            raise SpecError("fit resample-to-affine needs input.affine, the grid's 4 x 4 affine")
        target = np.array(rules.affine, dtype=float)
        if target.shape != (4, 4) or space.closest_codes(target) != self.codes:
            raise SpecError(
                f"input.affine must be 4 x 4 and run along {self.codes} as input.orientation says"
            )
        inverse: space.Affine = np.linalg.inv(self._oriented_affine) @ target
        return inverse

    @cached_property
    def model_affine(self) -> space.Affine:
        """Affine of the model grid (x y z, oriented as `codes`) to world mm."""
        return self._oriented_affine @ self.index_map

    @cached_property
    def _steps(self) -> tuple[Array, Array] | None:
        """Start and step per axis when the two grids are parallel, else None."""
        linear = self.index_map[:3, :3]
        if np.abs(linear - np.diag(np.diag(linear))).max() > 1e-6:
            return None
        return self.index_map[:3, 3], np.diag(linear)

    def to_tensor(self) -> NDArray[np.float32]:
        """Return the network's input (c f h w), float32."""
        fitted = self._fitted()
        values = normalise(fitted, self._oriented, self.spec.input)
        if not np.isfinite(values).all():
            raise VolumeError(
                f"{int((~np.isfinite(values)).sum())} input values are not finite; "
                "check the volume and the intensity section of the model spec"
            )
        axes = ["xyz".index(letter) for letter in self.spec.input.tensor_axes or "xyz"]
        return np.ascontiguousarray(values.transpose(axes))[None]

    def _fitted(self) -> Array:
        if self.spec.input.fit == "crop-pad":
            return self._cropped()
        if self._steps is None:
            return self._sampled()
        positions = [a + s * np.arange(m) for a, s, m in zip(*self._steps, self.grid, strict=True)]
        weights = [
            space.area_weights(p, s, n) if abs(s) > ALIASING_STEP else space.linear_weights(p, n)
            for p, s, n in zip(positions, self._steps[1], self._oriented.shape, strict=True)
        ]
        fitted = space.separable(self._oriented.astype(np.float64), weights)
        inside = [within(p, n) for p, n in zip(positions, self._oriented.shape, strict=True)]
        return np.where(box(inside), fitted, self.spec.input.pad_value)

    def _cropped(self) -> Array:
        start = [int(v) for v in self.index_map[:3, 3]]
        result = np.full(self.grid, self.spec.input.pad_value, dtype=self._oriented.dtype)
        into, out = [], []
        for c, m, n in zip(start, self.grid, self._oriented.shape, strict=True):
            low, high = max(c, 0), min(c + m, n)
            if low >= high:
                raise VolumeError(
                    f"the crop from voxel {c} of {m} voxels lies outside the volume of {n}; "
                    "check input.crop_start, input.orientation and the volume"
                )
            into.append(slice(low - c, high - c))
            out.append(slice(low, high))
        result[tuple(into)] = self._oriented[tuple(out)]
        return result

    def _sampled(self) -> Array:
        """Sample an oblique model grid, smoothing first where it is much coarser."""
        data = self._oriented.astype(np.float64)
        shrink = np.linalg.norm(self.index_map[:3, :3], axis=1)
        if shrink.max() > ALIASING_STEP:
            data = ndimage.gaussian_filter(data, np.maximum(shrink - 1, 0) / 2, mode="nearest")
        fitted = affine_transform(data, self.index_map, self.grid)
        indices = transformed(self.index_map, self.grid)
        inside = np.logical_and.reduce(
            [within(i, n) for i, n in zip(indices, data.shape, strict=True)]
        )
        return np.where(inside, fitted, self.spec.input.pad_value)

    def patch_volume(self, values: Array, name: str = "relevance") -> Volume:
        """Return a map (f h w) as a volume on the grid of its cells, RAS+, its affine exact."""
        cells = self._to_xyz(values)
        affine = self.model_affine @ space.step_affine(self.cells.first, self.cells.size)
        return Volume(
            np.ascontiguousarray(space.from_codes(cells, self.codes)),
            space.affine_from_codes(affine, cells.shape, self.codes),
            name,
            self.volume.source,
        )

    def tokens_of(self, patches: Volume) -> Array:
        """Undo `patch_volume`: return the token map (f h w) of a volume on the patch grid."""
        axes = ["xyz".index(letter) for letter in self.spec.input.tensor_axes or "xyz"]
        return space.to_codes(patches.data, self.codes).transpose(axes)

    @property
    def _axes_of_xyz(self) -> list[int]:
        axes = self.spec.input.tensor_axes or "xyz"
        return [axes.index(letter) for letter in "xyz"]

    def _to_xyz(self, values: Array) -> Array:
        return values.transpose(self._axes_of_xyz)

    def to_native(
        self,
        values: Array,
        interpolation: Literal["linear", "nearest"] = "linear",
        dtype: type[Real] = np.float32,  # type: ignore[assignment]
    ) -> NDArray[Real]:
        """Bring a map (f h w) to the grid of the volume (x y z, RAS+), single or double precision.

        Cells to model grid with clamped edges and half-cell centres (for patches as torch's
        trilinear `interpolate` with `align_corners=False`), then model grid to the volume: exact
        for crops, linear otherwise. NaN outside the field of view.
        """
        values = self._to_xyz(values).astype(dtype)
        if self._steps is None:
            native = self._oblique(values, interpolation)
        else:
            native = space.separable(values, self._weights[interpolation])
            native[~box(self._inside)] = np.nan
        return np.ascontiguousarray(space.from_codes(native, self.codes))

    @cached_property
    def _model_positions(self) -> list[Array]:
        """Per axis: the place of every voxel of the oriented volume, in model-grid voxels."""
        start, step = self._steps or (np.zeros(3), np.ones(3))
        shape = self._oriented.shape
        return [(np.arange(n) - a) / s for n, a, s in zip(shape, start, step, strict=True)]

    @cached_property
    def _inside(self) -> list[Array]:
        return [within(m, n) for m, n in zip(self._model_positions, self.covered, strict=True)]

    @cached_property
    def _weights(self) -> dict[str, list[Array]]:
        """Per axis and interpolation: cells to voxels of the oriented volume (new, old)."""
        weights: dict[str, list[Array]] = {"linear": [], "nearest": []}
        for m, n, line in zip(self._model_positions, self.covered, self._lines, strict=True):
            up = space.linear_weights(line.of_voxels(np.arange(n)), line.count)
            weights["linear"].append(space.linear_weights(m, n) @ up)
            weights["nearest"].append(space.nearest_weights(line.of_voxels(m), line.count))
        return weights

    def _oblique(self, values: Array, interpolation: Literal["linear", "nearest"]) -> Array:
        """Interpolate on the model grid, then sample it at the voxels of the tilted volume."""
        make = space.linear_weights if interpolation == "linear" else space.nearest_weights
        weights = [
            make(line.of_voxels(np.arange(n)), line.count)
            for n, line in zip(self.covered, self._lines, strict=True)
        ]
        model_map = space.separable(values, weights)
        back: space.Affine = np.linalg.inv(self.index_map)
        order: Literal[0, 1] = 1 if interpolation == "linear" else 0
        native = affine_transform(model_map, back, self._oriented.shape, order)
        places = transformed(back, self._oriented.shape)
        seen = [within(m, n) for m, n in zip(places, self.covered, strict=True)]
        native[~np.logical_and.reduce(seen)] = np.nan
        return native

    @property
    def _lines(self) -> list[Line]:
        cells = self.cells
        return [Line(*line) for line in zip(cells.shape, cells.size, cells.first, strict=True)]

    @cached_property
    def field_of_view(self) -> NDArray[np.uint8]:
        """1 where the network sees the voxel of the volume (x y z, RAS+), else 0."""
        one = replace(self, map_cells=Cells.tiling((1, 1, 1), self.spec.network.image_size or ()))
        ones = np.ones((1, 1, 1), dtype=np.float32)
        return np.isfinite(one.to_native(ones, "nearest")).astype(np.uint8)
