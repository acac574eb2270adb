"""Colour maps with a gate: transparent below a cut, so that a threshold costs no data upload."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import numpy as np
from napari.utils.colormaps import AVAILABLE_COLORMAPS, Colormap, ensure_colormap
from numpy.typing import NDArray

Edge = Literal["hard", "faded", "contour"]
Array = NDArray[Any]

UNSIGNED, SIGNED, SKY = "inferno", "frost and fire", "sky and amber"
SUFFIX = " (gated)"
STEPS = 64  # between two of them the graphics card interpolates
WHISPER = 0.3  # values below this are dark colours: they fade, instead of veiling the anatomy
FAINTEST = 0.15  # but what a cut lets through keeps an edge: the least share of its opacity,
EDGE_FROM = 0.05  # for cuts from here on; a lower cut lets through what is as good as nothing
AT_CUT = {2: 0.9, 3: 0.55}  # opacity at the cut, per number of displayed dimensions; 1 at the top
SMALLEST_CUT = 1e-3  # zero, also outside the view, stays hidden
# Signed maps are seen through as a volume, sample after sample: their opacities add up on the way.
SEEN_THROUGH = (0.03, 0.9)  # at the cut and at the top

# Evidence for a class in the colours of unsigned maps, evidence against it in their cold mirror:
# the hues of frost, each step exactly as light as inferno's on the other side.
_FROST = (
    *("#dcffff", "#98e3f9", "#5ec2f1", "#39a1e9", "#3082d9", "#2b65c7"),
    *("#284da9", "#253788", "#1f255c", "#131228", "#01000c"),
)
# Equal steps of relevance are equal steps of lightness; signed maps do so on both sides alike.
UNSIGNED_MAPS = (UNSIGNED, "magma", "plasma", "viridis", "cividis")
SIGNED_MAPS = (SIGNED, SKY, "coolwarm")


@cache
def _frost_and_fire() -> Colormap:
    cold = [tuple(int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)) for c in _FROST]
    warm = ensure_colormap(UNSIGNED).map(np.linspace(0, 1, len(cold))[1:])[:, :3]
    return Colormap(np.vstack([cold, warm]), name=SIGNED, display_name=SIGNED)


@cache
def _sky_and_amber() -> Colormap:
    """Return managua (Crameri, 2018) the other way round: warm colours speak for a class."""
    colors = ensure_colormap("managua").map(np.linspace(1, 0, 256))
    return Colormap(colors, name=SKY, display_name=SKY)


def base_name(colormap: Colormap) -> str:
    """Return the name of the colour map behind a gated one."""
    return str(colormap.name).removesuffix(SUFFIX)


def gated(
    base: str, cut: float | None, *, signed: bool = False, edge: Edge = "hard", ndisplay: int = 2
) -> Colormap:
    """Return a colour map that hides values below `cut`, for contrast limits (0, 1) or (-1, 1).

    Parameters
    ----------
    base
        Name of any colour map napari knows.
    cut
        Between 0 and 1, on the absolute value for signed maps; None fades the lowest values only.
    signed
        Whether the map runs from -1 to 1.
    edge
        "hard": nothing below the cut; "faded": a quadratic glimpse of it; "contour": as "hard",
        for a line that is drawn around it.
    ndisplay
        In volumes (3) low values are more transparent, which rounds the shapes.
    """
    if cut is not None:
        cut = float(np.clip(cut, SMALLEST_CUT, 1 - SMALLEST_CUT))
    strength = np.linspace(0, 1, STEPS)
    through = signed and ndisplay == 3
    ends = SEEN_THROUGH if through else (AT_CUT[ndisplay], 1.0)
    bend = 2 if through else 1  # a clear shell around a dense core
    alpha = _alpha(strength, cut, edge, ends, bend)
    if cut is not None and edge != "faded":
        at_cut = float(_alpha(np.array([cut]), cut, edge, ends, bend)[0])
        strength, alpha = _with_step(strength, alpha, cut, at_cut)
    if signed:
        strength = np.concatenate([-strength[::-1], strength])
        alpha = np.concatenate([alpha[::-1], alpha])
    controls = (strength + 1) / 2 if signed else strength
    colors = np.array(colours(base).map(controls))
    colors[:, 3] = alpha
    return Colormap(colors, name=base + SUFFIX, controls=controls, display_name=base + SUFFIX)


def colours(base: str) -> Colormap:
    """Return a colour map by its name, without a gate."""
    ours = {SIGNED: _frost_and_fire, SKY: _sky_and_amber}
    return ours[base]() if base in ours else ensure_colormap(base)


def _alpha(
    strength: Array, cut: float | None, edge: Edge, ends: tuple[float, float], bend: float
) -> Array:
    start = cut or 0.0
    share = np.clip((strength - start) / (1 - start), 0, 1) ** bend
    above = ends[0] + (ends[1] - ends[0]) * share
    whisper = np.clip(strength / WHISPER, 0, 1)
    if cut is None:
        return np.asarray(whisper * above)
    faintest = FAINTEST * min(1.0, cut / EDGE_FROM)
    above *= faintest + (1 - faintest) * whisper
    below = 0.5 * ends[0] * (strength / cut) ** 2 if edge == "faded" else np.zeros_like(strength)
    return np.where(strength < cut, below, above)


def _with_step(strength: Array, alpha: Array, cut: float, at_cut: float) -> tuple[Array, Array]:
    """Insert the cut twice, once on each side, so that the step lies exactly there."""
    place = int(np.searchsorted(strength, cut))
    return np.insert(strength, place, [cut, cut]), np.insert(alpha, place, [0.0, at_cut])


def publish(colormap: Colormap) -> Colormap:
    """Replace the former gate in napari's list of colour maps, which otherwise keeps every one."""
    AVAILABLE_COLORMAPS.pop(colormap.name, None)
    return colormap
