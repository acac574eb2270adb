"""A cut and what it keeps, in words."""

from __future__ import annotations

from math import floor, log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from g3dvit_napari.core.types import Threshold
    from g3dvit_napari.summaries.extent import Extent, Kept, Sizes

_ENDINGS = {"1": "st", "2": "nd", "3": "rd"}


def words_of_cut(extent: Extent, cut: float | None, threshold: Threshold) -> str:
    """Say a cut in both terms: as a value, and as a percentile."""
    if cut is None:
        return "No cut: all of the field of view is kept."
    sign = "±" if extent.signed else ""
    words = f"cut {sign}{number(cut)} = {_terms(extent.voxels, cut)}"
    if threshold.stage == "patches":
        words += f" of voxels\n(of patches: {_terms(extent.patches, cut)})"
    return words


def figures_of(kept: Kept, clusters: int | None) -> dict[str, str]:
    """Return the figures of a cut as rows of a small table; clusters may still be counted."""
    return {
        "Voxels kept": f"{kept.voxels:,} ({percent(kept.share)})",
        "Volume": f"{kept.ml:.3g} mL" if kept.ml < 100 else f"{kept.ml:,.0f} mL",
        "Clusters": "…" if clusters is None else f"{clusters:,}",
        "Inside": _inside(kept),
    }


def _inside(kept: Kept) -> str:
    if kept.chance == 0:
        return "— (mask empty here)"
    share = "—" if kept.inside is None else _roughly(kept.inside)
    return f"{share} (chance {_roughly(kept.chance)})"


def number(value: float) -> str:
    """Return a value between 0 and 1 with at least two digits that count."""
    return f"{value:.2f}" if value >= 0.1 or value == 0 else f"{value:.2g}"


def percent(share: float) -> str:
    """Return a share in per cent, as exactly as it takes not to become 0."""
    return f"{100 * share:.{_decimals(share)}f}\u00a0%"


def _roughly(share: float) -> str:
    return percent(share) if share < 0.1 else f"{100 * share:.0f}\u00a0%"


def _terms(sizes: Sizes, cut: float) -> str:
    kept = sizes.share(cut)
    below = f"{100 * (1 - kept):.{_decimals(kept)}f}"
    return f"{below}{_ENDINGS.get(below[-1], 'th')} percentile = strongest {percent(kept)}"


def _decimals(share: float) -> int:
    return min(max(-floor(log10(100 * share)) + 1, 1), 4) if share > 0 else 1
