"""The three planes: which axis the slices are counted along. The crosshair stays where it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

Plane = Literal["axial", "coronal", "sagittal"]
PLANES: tuple[Plane, ...] = get_args(Plane)  # sliced along z, y, x
SPATIAL = 3


def order_of(plane: Plane, ndim: int) -> tuple[int, ...]:
    """Return napari's order of axes for a plane; the last two are on the screen."""
    first = ndim - SPATIAL
    sliced = first + PLANES.index(plane)
    others = [axis for axis in range(first, ndim) if axis != sliced]
    return (*range(first), sliced, *others)


def plane_of(order: Sequence[int]) -> Plane | None:
    """Return the plane that an order of axes shows; None for any other order, as after a roll."""
    known = {order_of(plane, len(order)): plane for plane in PLANES if len(order) >= SPATIAL}
    return known.get(tuple(order))


def position_of(viewer: Any, unit_mm: Sequence[float]) -> str:
    """Say where the slices lie, as "z = 26 mm"; nothing in a volume, or with time on the screen.

    Parameters
    ----------
    viewer
        A napari viewer, or its model.
    unit_mm
        Millimetres per unit of the world's last three axes (z y x).
    """
    dims = viewer.dims
    hidden = [axis - dims.ndim + SPATIAL for axis in dims.not_displayed]
    spatial = [axis for axis in hidden if axis >= 0]
    if int(dims.ndisplay) != 2 or len(spatial) != 1:
        return ""
    (axis,) = spatial
    place = dims.point[axis - SPATIAL] * unit_mm[axis]
    return f"{'zyx'[axis]} = {round(place, 1) + 0.0:g} mm"


def show_plane(viewer: Any, plane: Plane) -> None:
    """Turn the slices; the point in the world that they cross at stays."""
    dims = viewer.dims
    if dims.ndim >= SPATIAL:
        dims.order = order_of(plane, dims.ndim)
