"""Images of labels, with the names that stand in a file beside them."""

from __future__ import annotations

from pathlib import Path

from g3dvit_napari.core.atlas import Atlas, atlas_of
from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.io.nifti import frame_count, read_volume
from g3dvit_napari.io.region_names import names_beside


def read_atlas(path: str | Path) -> Atlas:
    """Read an image of labels on any grid, and the names of its regions where there are any.

    Names are taken from a file of the same stem (.tsv, .csv, .txt, .lut, .label, .xml), from a BIDS
    `*_dseg.tsv` that belongs to it, or from an FSL atlas description that mentions it.

    Raises
    ------
    VolumeError
        When the file is damaged, holds several images, or its values are no labels.
    """
    path = Path(path)
    count = frame_count(path)
    if count != 1:
        raise VolumeError(
            f"{path.name} holds {count} images; regions need one image of labels, "
            "such as the maximum-probability version of an atlas"
        )
    labels = read_volume(path)
    names, remark = names_beside(path)
    remarks = [remark] if remark else []
    if labels.source is not None and labels.source.affine_source == "assumed":
        remarks.append(f"The place of {path.name} in the world is assumed: left may be right.")
    return atlas_of(labels, names, tuple(remarks))
