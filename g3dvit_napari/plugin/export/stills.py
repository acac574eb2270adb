"""A picture of the canvas at any size: all that is written on it grows along."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from g3dvit_napari.core.errors import ExportError
from g3dvit_napari.plugin.export import scale_bar
from g3dvit_napari.plugin.picture.line_layer import growing

Background = Literal["window", "black", "white"]
Pixels = NDArray[np.uint8]
LARGEST = 8192  # pixels per side: what graphics cards of the last ten years can draw
_BAR = 150  # pixels of the scale bar at most, on the screen
_STEPS = (1, 2, 5, 10, 20, 25, 50, 75, 100, 150, 200, 250, 500, 750)
_GROWING = ("font_size", "size", "tick_length")


def screen_size(viewer: Any) -> tuple[int, int]:
    """Return width and height of the canvas in the window."""
    height, width = viewer.canvas.size
    return int(width), int(height)


def photograph(viewer: Any, width: int, height: int, background: Background = "window") -> Pixels:
    """Return the canvas as exactly so many pixels (height, width, RGB).

    All that the window shows is in it; where the shape is another one, there is more around it.
    """
    now = screen_size(viewer)
    factor = min(width / now[0], height / now[1])
    length = viewer.canvas.overlays["scale_bar"].length or bar_length(viewer.scene.camera.zoom)
    with ExitStack() as stack:
        stack.enter_context(growing(viewer))
        stack.enter_context(_before(viewer, background))
        bar = scale_bar.of_viewer(viewer, factor, length)
        stack.enter_context(_enlarged(viewer, factor, length))
        if bar is not None:
            stack.enter_context(_unseen_bar(viewer, factor))
        taken = viewer.screenshot(size=(height, width), canvas_only=True, flash=False)
    picture = _exactly(np.ascontiguousarray(taken[..., :3]), width, height)
    return picture if bar is None else bar.onto(picture)


def _exactly(taken: Pixels, width: int, height: int) -> Pixels:
    """Remove the pixel that a screen of fractional scale is off by; refuse more than that."""
    found = taken.shape[1], taken.shape[0]
    if found == (width, height):
        return taken
    if abs(found[0] - width) > 3 or abs(found[1] - height) > 3:
        raise ExportError(
            f"the graphics card drew {found[0]} × {found[1]} pixels instead of {width} × {height}; "
            "choose a smaller picture"
        )
    resized = Pillow.fromarray(taken).resize((width, height), Pillow.Resampling.LANCZOS)
    return np.asarray(resized)


@contextmanager
def _before(viewer: Any, background: Background) -> Iterator[None]:
    """Put another colour behind everything; the letters choose theirs after it."""
    if background == "window":
        yield
        return
    canvas = viewer.canvas
    found = canvas.background_color_override
    canvas.background_color_override = background
    try:
        yield
    finally:
        canvas.background_color_override = found


@contextmanager
def _unseen_bar(viewer: Any, factor: float) -> Iterator[None]:
    """Let napari's scale bar keep a place as large as the one that is drawn there."""
    bar = viewer.canvas.overlays["scale_bar"]
    names = ("colored", "color", "font_size")
    before = [(name, getattr(bar, name)) for name in names]
    bar.font_size = scale_bar.size_in_place(bar.font_size / factor, factor)
    bar.color, bar.colored = scale_bar.CLEAR, True
    try:
        yield
    finally:
        for name, value in before:
            setattr(bar, name, value)


@contextmanager
def _enlarged(viewer: Any, factor: float, length: float) -> Iterator[None]:
    """Let all that is written on the canvas grow with it; otherwise it would be tiny."""
    tiling, bar = viewer.canvas.overlay_tiling, viewer.canvas.overlays["scale_bar"]
    undo: list[tuple[Any, str, Any]] = [(tiling, "padding", tiling.padding)]
    camera = viewer.scene.camera
    undo += [(camera, "zoom", camera.zoom), (bar, "length", bar.length)]
    for overlay in _written(viewer):
        undo += [(overlay, n, getattr(overlay, n)) for n in _GROWING if hasattr(overlay, n)]
    try:
        for thing, name, value in undo:
            setattr(thing, name, length if name == "length" else _grown(value, factor))
        yield
    finally:
        for thing, name, value in undo:
            setattr(thing, name, value)


def _written(viewer: Any) -> list[Any]:
    """Return the overlays in sight that have letters."""
    found = [*viewer.canvas.overlays.values()]
    for layer in viewer.layers:
        found += [layer.name_overlay, getattr(layer, "colorbar", layer.name_overlay)]
    return list(
        {id(one): one for one in found if one.visible and hasattr(one, "font_size")}.values()
    )


def _grown(value: Any, factor: float) -> Any:
    return tuple(factor * v for v in value) if isinstance(value, tuple) else factor * value


def bar_length(zoom: float) -> float:
    """Return a round length in the world's units that fits into the scale bar on the screen."""
    longest = _BAR / zoom
    power = 1000.0 ** np.floor(np.log(longest) / np.log(1000))
    return float(max(step * power for step in _STEPS if step * power <= longest))
