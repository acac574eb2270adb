"""What tuning has done outside the GUI thread: measuring a map, counting clusters, cutting maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from napari.layers import Layer

from g3dvit_napari.core.scaled_map import ScaledMap
from g3dvit_napari.core.types import Threshold
from g3dvit_napari.plugin import jobs
from g3dvit_napari.plugin.lane import Report
from g3dvit_napari.plugin.threshold.masks import mask_on

if TYPE_CHECKING:
    from g3dvit_napari.summaries.extent import Extent


def measure(scaled: ScaledMap, mask: Layer | None, report: Report) -> tuple[ScaledMap, Extent]:
    """Sort a map's values; inside a mask layer, or the head, once more."""
    report(0.0, "measuring the map")
    inside = None if mask is None else mask_on(mask, scaled.placement.volume)
    return scaled, jobs.facade().summaries.extent_of(scaled, inside)


def count_clusters(
    scaled: ScaledMap, cut: float | None, report: Report
) -> tuple[ScaledMap, float | None, int]:
    """Count the clusters of what a cut keeps."""
    report(0.0, "counting clusters")
    return scaled, cut, jobs.facade().summaries.clusters_at(scaled, cut)


def cut_all(
    known: Mapping[str, ScaledMap], threshold: Threshold, report: Report
) -> dict[str, float | None]:
    """Return where a threshold cuts each map, by the same keys."""
    cuts = {}
    for number, (key, scaled) in enumerate(known.items()):
        report(number / len(known), "cutting all maps")
        cuts[key] = scaled.cut(threshold)
    return cuts
