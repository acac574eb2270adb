"""What a map says, in numbers: knows the nouns of `core`, and neither networks nor windows."""

from g3dvit_napari.summaries.agreement import Agreement, agreement_of
from g3dvit_napari.summaries.extent import Extent, Kept, Sizes, clusters_at, extent_of

__all__ = [
    "Agreement",
    "Extent",
    "Kept",
    "Sizes",
    "agreement_of",
    "clusters_at",
    "extent_of",
]
