"""What a metric sees: one raw map, where it lies, the truth where it is known, and whom to ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.explainer import Explainer
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.network import Network
from g3dvit_napari.core.removal import Unit
from g3dvit_napari.core.units import (
    averaged,
    numbers_of,
    on_input,
    patch_cells,
    settled,
    share_of_cells,
)

Level = Literal["voxel", "patch"]
Sign = Literal["positive", "abs", "signed"]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Kept = MutableMapping[Any, Any]
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Scene:
    """What all maps of one class of one volume share.

    placement
        Where the network's patches lie in the volume.
    target
        The number of the explained class.
    truth, distractor
        (x y z) on the volume's own grid: where the signal is; where something is that looks like it
        and does not matter.
    brain
        (x y z): where anything can be that a network should look at.
    valid
        (x y z): where relevance counts at all; all of the field of view when not given. To ask how
        much lies in the brain, give `brain` and leave this open.
    twin
        The network's input (c f h w) for the same volume without the signal, where one exists.
    seed
        Of everything that is drawn at random.
    kept
        What was computed once for all maps: chance values, ceilings, baselines. Another scene,
        also one made by `replace`, starts with nothing.
    """

    placement: Placement
    target: int
    truth: Mask | None = None
    distractor: Mask | None = None
    brain: Mask | None = None
    valid: Mask | None = None
    twin: NDArray[np.float32] | None = None
    network: Network | None = None
    seed: int = 0
    kept: Kept = field(default_factory=dict, init=False)

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """Return what was kept under a key; make it the first time."""
        return _once(self.kept, key, make)

    @cached_property
    def seen(self) -> Mask:
        """The voxels of the volume (x y z) in the network's field of view."""
        return self.placement.field_of_view > 0

    @cached_property
    def counted(self) -> Mask:
        """The voxels of the volume (x y z) where relevance counts."""
        return self.seen if self.valid is None else self.seen & self.valid

    @cached_property
    def counted_patches(self) -> Mask:
        """The patches (n) that hold a voxel where relevance counts."""
        return self.patches_of(self.counted)

    @cached_property
    def patches(self) -> Cells:
        """The network's patches (f h w), or what takes their place."""
        return patch_cells(self.placement)

    @cached_property
    def patch_numbers(self) -> NDArray[np.int64]:
        """Which patch, counted along f h w, each voxel (x y z) lies in; -1: in none."""
        return numbers_of(self.placement.with_cells(self.patches), self.patches.shape)

    @cached_property
    def counted_input(self) -> Mask:
        """The voxels of the network's input (f h w) where relevance counts."""
        if self.valid is None:
            return np.ones(self.placement.spec.network.image_size or (1, 1, 1), dtype=bool)
        return on_input(self.valid, self.placement)

    def counted_units(self, unit: Unit) -> Mask:
        """Return which units, numbered along f h w, hold a place where relevance counts."""
        if unit == "voxel":
            return self.counted_input.ravel()
        if self.valid is None:
            return np.ones(self.patches.count, dtype=bool)
        return self.counted_patches

    def share_of_patches(self, mask: Mask) -> Floats:
        """Return the share (patches) of each patch's voxels in the volume that a mask holds."""
        return share_of_cells(mask, self.patch_numbers, self.patches.count)

    def patches_of(self, mask: Mask) -> Mask:
        """Return the patches (n) that hold a voxel of a mask (x y z)."""
        return np.nan_to_num(self.share_of_patches(mask)) > 0

    def share(self, mask: Mask, level: Level) -> Floats:
        """Return the share (n) of every place that counts which a mask (x y z) fills."""
        if level == "voxel":
            return mask[self.counted].astype(np.float64)
        return self.share_of_patches(mask & self.counted)[self.counted_patches]

    def mask(self, name: Literal["truth", "distractor", "brain"]) -> Mask:
        """Return a mask (x y z) that a metric has asked for.

        Raises
        ------
        ValueError
            When it was not given.
        """
        found: Mask | None = getattr(self, name)
        if found is None:
            raise ValueError(f"there is no {name} to compare with; a metric must ask first")
        return found

    def truth_share(self, level: Level) -> Floats:
        """Return the share (n) of every place that counts which the target fills."""
        return self.once(("truth", level), lambda: self.share(self.mask("truth"), level))


@dataclass(frozen=True, eq=False)
class Compared:
    """Values and target at the places that count, in one order (n)."""

    values: Floats
    target: Mask
    share: Floats  # of each place that the target fills: 0 or 1 on voxels


@dataclass(frozen=True, eq=False)
class Evaluation:
    """One map to be judged.

    tokens
        The raw map (f h w), signed, before any post-processing.
    cells
        Where its values lie in the input; None: one per patch.
    signed
        Whether negative values mean something. If not, they are cut off first, as the method says.
    degenerate
        Whether the map is zero, constant or rounding noise: it then gets the chance value.
    explainer
        None for maps that no method made.
    figures
        What the method measured of itself, such as its completeness error.
    """

    tokens: Floats
    scene: Scene
    cells: Cells | None = None
    signed: bool = False
    degenerate: bool = False
    explainer: Explainer | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    kept: Kept = field(default_factory=dict, init=False)  # of this map: its values, their order

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """Return what was kept under a key; make it the first time."""
        return _once(self.kept, key, make)

    def of_map(self, tokens: NDArray[Any], cells: Cells | None = None) -> Evaluation:
        """Return the same scene with another map, such as a control."""
        values = np.asarray(tokens, dtype=np.float64)
        return replace(
            self, tokens=values, cells=cells, degenerate=False, explainer=None, figures={}
        )

    def like(self, tokens: NDArray[Any]) -> Evaluation:
        """Return another map by the same method, on the same cells."""
        values = np.asarray(tokens, dtype=np.float64)
        return replace(self, tokens=values, degenerate=False, figures={})

    def on_units(self, unit: Unit) -> Floats:
        """Return the map's value (n) for each unit of the input, numbered along f h w."""
        return (self.patches if unit == "patch" else self.input_voxels).ravel()

    @cached_property
    def placement(self) -> Placement:
        """Where the map lies in the volume."""
        return self.scene.placement.with_cells(self.cells)

    @cached_property
    def everywhere(self) -> Evaluation:
        """The same map where all of the field of view counts."""
        scene = self.scene
        if scene.valid is None:
            return self
        return replace(self, scene=scene.once("everywhere", lambda: replace(scene, valid=None)))

    @cached_property
    def as_meant(self) -> Floats:
        """The raw map (f h w), without its negative part where that means nothing."""
        return self.tokens if self.signed else np.maximum(self.tokens, 0.0)

    @cached_property
    def patches(self) -> Floats:
        """The map on the network's patches (f h w): finer ones averaged, coarser ones repeated."""
        cells = self.placement.map_cells or self.scene.patches
        return averaged(self.as_meant, cells, self.scene.patches)

    @cached_property
    def input_voxels(self) -> Floats:
        """The map on the voxels of the network's input (f h w), each as its nearest cell."""
        image = self.scene.placement.spec.network.image_size or (1, 1, 1)
        return averaged(
            self.as_meant, self.placement.map_cells or self.scene.patches, Cells.voxels(image)
        )

    @cached_property
    def voxels(self) -> Floats:
        """The map on the volume's own grid (x y z), as it is drawn; NaN where nothing was seen.

        In double precision: equal cells leave equal voxels between them, up to 1e-15.
        """
        return self.placement.to_native(self.as_meant, dtype=np.float64)

    def compared(self, level: Level = "voxel", sign: Sign = "positive") -> Compared:
        """Return values and target at the places that count.

        The sign is taken on the map's own cells, before anything is interpolated.

        Raises
        ------
        ValueError
            When the scene has no truth.
        """
        share = self.scene.truth_share(level)
        return Compared(self.values(level, sign), share > 0, share)

    def against(self, mask: Mask, level: Level = "voxel", sign: Sign = "positive") -> Compared:
        """Return values at the places that count, and which of them lie in a mask (x y z)."""
        share = self.scene.share(mask, level)
        return Compared(self.values(level, sign), share > 0, share)

    def values(self, level: Level = "voxel", sign: Sign = "positive") -> Floats:
        """Return the map's values (n) at the places that count, equal ones exactly equal."""
        return self.once(("values", level, sign), lambda: self._values(level, sign))

    def _values(self, level: Level, sign: Sign) -> Floats:
        made = self.with_sign(sign)
        if level == "voxel":
            return settled(made.voxels[self.scene.counted])
        return settled(made.patches.ravel()[self.scene.counted_patches])

    def with_sign(self, sign: Sign) -> Evaluation:
        """Return the map with its positive part alone, its sizes, or as it is."""
        if sign == "signed" or not self.signed:
            return self
        tokens = np.abs(self.tokens) if sign == "abs" else np.maximum(self.tokens, 0.0)
        return replace(self, tokens=tokens, signed=False)


def _once(kept: Kept, key: Any, make: Callable[[], T]) -> T:
    if key not in kept:
        kept[key] = make()
    return cast(T, kept[key])
