"""What a map says, in numbers: knows the nouns of `core`, and neither networks nor windows."""

from g3dvit_napari.summaries.agreement import Agreement, agreement_of
from g3dvit_napari.summaries.clusters import Clusters, Peak, clusters_of
from g3dvit_napari.summaries.extent import Extent, Kept, Sizes, clusters_at, extent_of
from g3dvit_napari.summaries.quality import Quality, quality_of
from g3dvit_napari.summaries.regions import Region, Regions, region_shares
from g3dvit_napari.summaries.verdict import NOT_YET, Verdict, verdict_of

__all__ = [
    "NOT_YET",
    "Agreement",
    "Clusters",
    "Extent",
    "Kept",
    "Peak",
    "Quality",
    "Region",
    "Regions",
    "Sizes",
    "Verdict",
    "agreement_of",
    "clusters_at",
    "clusters_of",
    "extent_of",
    "quality_of",
    "region_shares",
    "verdict_of",
]
