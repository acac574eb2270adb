"""Our volumes as napari image layers, and napari image layers as our volumes.

napari arrays run (z, y, x); with a positive scale and a translate in millimetres its world is
(S, A, R), so the status bar shows the scanner's own coordinates. An affine whose axes are permuted
crashes napari in slices and an oblique one is drawn there without its tilt, so a volume is always
shown along its own axes: tilts go into the name, and the true affine into the metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray

from g3dvit_napari.core import space
from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.types import Volume

Array = NDArray[Any]
KEY = "g3dvit"  # our entry in `layer.metadata`
NEGLIGIBLE_TILT = 0.05  # degrees; scanners round their angles more coarsely than this
AXES = ("z", "y", "x")
HEADROOM = 0.15  # keeps white matter light grey, so that an overlay stands out


@dataclass(frozen=True, eq=False)
class Grid:
    """How one volume's grid is drawn: an affine (x y z) that napari can show, shared by overlays.

    `shown` maps indices to napari's world, `true` to the scanner's; they differ only by a tilt.
    Both are in mm; a layer of someone else may have other units (z y x), of so many mm each.
    """

    shown: space.Affine
    true: space.Affine
    units: tuple[str, ...] = ("mm", "mm", "mm")
    unit_mm: tuple[float, ...] = (1.0, 1.0, 1.0)

    @property
    def tilt_degrees(self) -> float:
        """The tilt that is not drawn; 0 where it is negligible or drawn."""
        if np.allclose(self.shown, self.true, atol=1e-6):
            return 0.0
        tilt = space.obliquity_degrees(self.true)
        return tilt if tilt >= NEGLIGIBLE_TILT else 0.0

    @property
    def badge(self) -> str:
        """Words for a tilt that is not drawn, or nothing."""
        return f"oblique {self.tilt_degrees:.1f}°, grid view" if self.tilt_degrees else ""

    def keywords(self, shown: space.Affine | None = None) -> dict[str, Any]:
        """Return the layer keywords for an affine drawn in this grid (its own by default)."""
        shown = self.shown if shown is None else shown
        shown = np.diag([*(1 / np.array(self.unit_mm[::-1])), 1.0]) @ shown
        units_labels = {"units": self.units, "axis_labels": AXES}
        linear = shown[:3, :3]
        if np.allclose(linear, np.diag(np.diag(linear)), atol=1e-9):
            scale, offset = np.diag(linear)[::-1], shown[:3, 3][::-1]
            return {"scale": tuple(scale), "translate": tuple(offset), **units_labels}
        return {"affine": to_zyx(shown), **units_labels}


def grid_of(volume: Volume) -> Grid:
    """Return the grid of a canonical volume, drawn along its own axes and centred in place."""
    centre = (np.array(volume.shape) - 1) / 2
    shown = np.diag([*volume.spacing_mm, 1.0])
    shown[:3, 3] = volume.affine[:3, :3] @ centre + volume.affine[:3, 3] - shown[:3, :3] @ centre
    return Grid(shown, volume.affine)


def canonical(volume: Volume) -> Volume:
    """Return the same volume with its axes in closest RAS+ order."""
    codes = space.closest_codes(volume.affine)
    if codes == "RAS":
        return volume
    affine = space.affine_from_codes(volume.affine, volume.shape, codes)
    return Volume(space.from_codes(volume.data, codes), affine, volume.name, volume.source)


def to_zyx(affine: space.Affine) -> space.Affine:
    """Reorder both sides of an affine between (x, y, z) and (z, y, x)."""
    order = [2, 1, 0, 3]
    swapped: space.Affine = affine[np.ix_(order, order)]
    return swapped


def to_layer_data(volume: Volume) -> tuple[Array, dict[str, Any]]:
    """Return the array (z, y, x) and the keywords for `add_image` of a volume."""
    volume = canonical(volume)
    grid = grid_of(volume)
    name = f"{volume.name} ({grid.badge})" if grid.badge else volume.name
    keywords: dict[str, Any] = {
        "name": name,
        "metadata": metadata_of(volume, "volume", grid.shown),
        "colormap": "gray",
        "interpolation2d": "linear",
    }
    return volume.data.transpose(), keywords | _robust_range(volume.data) | grid.keywords()


def _robust_range(data: Array) -> dict[str, tuple[float, float]]:
    """Return contrast limits that a few bright vessels cannot spoil."""
    sample = data[::2, ::2, ::2]
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return {}
    low, high = np.percentile(sample, [1, 99.8])
    high += HEADROOM * (high - low)
    return {"contrast_limits": (float(low), float(high))} if high > low else {}


def series_layer_data(
    frames: Array, volume: Volume, repetition_time: float | None = None
) -> tuple[Array, dict[str, Any]]:
    """Return frames (t, z, y, x) and keywords for `add_image`; `volume` is any one of them."""
    _, keywords = to_layer_data(volume)
    seconds = repetition_time or (volume.source and volume.source.repetition_time) or 1.0
    keywords["scale"] = (seconds, *keywords["scale"])
    keywords["translate"] = (0.0, *keywords["translate"])
    keywords["units"] = ("s", *keywords["units"])
    keywords["axis_labels"] = ("t", *keywords["axis_labels"])
    return frames, keywords


def metadata_of(volume: Volume, role: str, shown: space.Affine, **more: Any) -> dict[str, Any]:
    """Return the metadata of a layer of ours: its role, the true affine and where it is drawn."""
    entry = {
        "role": role,
        "affine": volume.affine.tolist(),
        "shown": shown.tolist(),
        "shape": volume.shape,
        "repeated": 1,  # array cells per voxel, see `maps.detail_of`
        "source": volume.source,
    }
    return {KEY: {**entry, **more}}


def entry_of(layer: Layer) -> Mapping[str, Any]:
    """Return our entry in a layer's metadata; empty for layers of others."""
    entry = layer.metadata.get(KEY)
    return entry if isinstance(entry, Mapping) else {}


def role_of(layer: Layer) -> str:
    """Return what a layer of ours is for ("volume", "relevance" ...); empty for others."""
    return str(entry_of(layer).get("role", ""))


def volume_of(layer: Layer, frame: int | Literal["mean"] = "mean") -> Volume:
    """Return the canonical volume behind an image layer; its world is taken as RAS+ millimetres.

    Parameters
    ----------
    layer
        An image layer (z, y, x) or (t, z, y, x), ours or anyone's, however it is placed.
    frame
        Which frame of a series.
    """
    data = _frame(layer, frame).transpose()
    name = str(layer.name)
    if not _placed_by_us(layer):
        return canonical(Volume(data, drawn_affine(layer), name))
    entry = entry_of(layer)
    step = int(entry["repeated"])
    affine = np.array(entry["affine"], dtype=float)
    return canonical(Volume(data[::step, ::step, ::step], affine, name, entry["source"]))


def grid_over(layer: Layer, volume: Volume) -> Grid:
    """Return the grid for maps of `volume`, the volume of `layer`, that lie exactly on that layer.

    A tilted layer of someone else is tilted by napari, so its maps are, too; units are copied,
    because napari drops the units of a whole scene when those of two layers cannot be converted.
    """
    grid = grid_of(volume)
    if _placed_by_us(layer):
        return grid
    tilted = space.obliquity_degrees(volume.affine) >= NEGLIGIBLE_TILT
    shown = volume.affine if tilted else grid.shown
    units = tuple(str(unit) for unit in layer.units[-3:])
    return Grid(shown, volume.affine, units, tuple(_millimetres(layer)))


def _frame(layer: Layer, frame: int | Literal["mean"]) -> Array:
    if not isinstance(layer, Image) or layer.rgb:
        raise VolumeError(
            f"layer {layer.name!r} is not a grey image (it is {type(layer).__name__}"
            f"{', in colour' if isinstance(layer, Image) else ''}); choose an image layer"
        )
    data = layer.data[0] if layer.multiscale else layer.data
    if data.ndim == 4:
        chosen = data.mean(axis=0) if frame == "mean" else _at(data, int(frame), layer)
        return np.asarray(chosen)
    if data.ndim != 3:
        raise VolumeError(
            f"layer {layer.name!r} has {data.ndim} dimensions; a volume has 3, a series 4"
        )
    return np.asarray(data)


def _at(data: Any, frame: int, layer: Layer) -> Any:
    if not -len(data) <= frame < len(data):
        raise VolumeError(f"layer {layer.name!r} has no frame {frame}; choose 0 to {len(data) - 1}")
    return data[frame]


def _placed_by_us(layer: Layer) -> bool:
    """Whether we made the layer and nobody moved, turned or reshaped it since."""
    entry = entry_of(layer)
    if "shown" not in entry:
        return False
    wanted = tuple(n * entry["repeated"] for n in reversed(entry["shape"]))
    same_shape = tuple(layer.data.shape[-3:]) == wanted
    return same_shape and bool(np.allclose(drawn_affine(layer), entry["shown"], atol=1e-3))


def drawn_affine(layer: Layer) -> space.Affine:
    """Return where napari draws a layer: (x, y, z) index to world millimetres.

    Composes scale, translate, rotate, shear and affine, all of which multiply in napari.
    """
    origin = np.array(layer.data_to_world((0.0,) * layer.ndim))[-3:]
    matrix = np.eye(4)
    for axis in range(3):
        corner = np.zeros(layer.ndim)
        corner[layer.ndim - 3 + axis] = 1
        matrix[:3, axis] = np.array(layer.data_to_world(tuple(corner)))[-3:] - origin
    matrix[:3, 3] = origin
    return to_zyx(np.diag([*_millimetres(layer), 1.0]) @ matrix)


def _millimetres(layer: Layer) -> list[float]:
    """Millimetres per unit of the last three axes; pixels count as millimetres."""
    factors = []
    for unit in layer.units[-3:]:
        quantity = 1.0 * unit
        length = quantity.check("[length]") and not str(unit).startswith("pixel")
        factors.append(float(quantity.to("mm").magnitude) if length else 1.0)
    return factors


def is_volume(layer: Layer) -> bool:
    """Whether a layer can be explained: a grey image of three or four axes that is no map."""
    return (
        isinstance(layer, Image)
        and not layer.rgb
        and layer.ndim in (3, 4)
        and role_of(layer) in ("", "volume")
    )
