"""An explanation on disk: two maps, the field of view, and a sidecar that says how they came about.

For `sub-01_task-rest_bold.nii.gz`, method `g3dvit`, class "AD" and patches of 9 voxels:

    sub-01_task-rest_res-patch9_desc-g3dvitAD_statmap.nii.gz   raw and signed, exact; the result
    sub-01_task-rest_res-native_desc-g3dvitAD_statmap.nii.gz   as shown, on the input's own grid
    sub-01_task-rest_desc-fov_mask.nii.gz                      where the network looked
    sub-01_task-rest_desc-g3dvitAD_statmap.json                the sidecar of both maps, last

Names follow BIDS derivatives: the entities of the source are kept in their order, its suffix goes;
labels hold letters and digits only. Of a single frame the label names it (`g3dvitADFrame70`).
Results of the same name are replaced; give another `stem` to keep both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.types import Explanation
from g3dvit_napari.io.atomic import replacing
from g3dvit_napari.io.nifti import write_image
from g3dvit_napari.io.sidecar import sidecar_text
from g3dvit_napari.io.volume_file import stem_of

_ENTITY = re.compile(r"[A-Za-z0-9]+-[A-Za-z0-9]+")
_OURS = ("res-", "desc-", "den-")  # entities of the source that ours replace


def save_explanation(
    explanation: Explanation, folder: str | Path, stem: str | None = None
) -> list[Path]:
    """Write an explanation into a folder (made if need be) and return the files, sidecar last.

    Parameters
    ----------
    explanation
        What to write.
    folder
        Where to; files of the same name are replaced.
    stem
        Beginning of all names; by default taken from the name of the volume's file.

    Raises
    ------
    VolumeError
        When a file cannot be written. Nothing half-written stays, and there is no sidecar
        without its maps.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VolumeError(
            f"cannot make the folder {folder.name!r}: {error.strerror}; choose another one"
        ) from error
    names = result_names(explanation, stem)
    targets = [folder / name for name in names]
    with replacing(*targets) as (patches, native, seen, sidecar):
        write_image(explanation.patch_map, patches)
        write_image(explanation.relevance, native)
        write_image(explanation.field_of_view, seen, np.uint8)
        sidecar.write_text(sidecar_text(explanation, names), encoding="utf-8")
    return targets


def result_names(explanation: Explanation, stem: str | None = None) -> tuple[str, str, str, str]:
    """Return the names of the patch-grid map, the native map, the mask and the sidecar."""
    volume = explanation.scaled.placement.volume
    start = stem or entities_of(volume.source.name if volume.source else volume.name)
    if Path(start).name != start:
        raise VolumeError(f"stem {start!r} must be a bare name; give the folder separately")
    label = _label(explanation)
    return (
        f"{start}_res-{_resolution(explanation)}_desc-{label}_statmap.nii.gz",
        f"{start}_res-native_desc-{label}_statmap.nii.gz",
        f"{start}_desc-fov_mask.nii.gz",
        f"{start}_desc-{label}_statmap.json",
    )


def entities_of(name: str) -> str:
    """Return what results keep of a file name: `sub-01_task-rest_bold.nii.gz`, `sub-01_task-rest`.

    A name that is not made of BIDS entities is kept whole, without its extensions.
    """
    parts = stem_of(name).split("_")
    entities = parts[:-1] if not _ENTITY.fullmatch(parts[-1]) else parts
    if not entities or not all(_ENTITY.fullmatch(part) for part in entities):
        return re.sub(r"[^\w.+-]", "-", stem_of(name)).lstrip(".") or "volume"
    kept = [part for part in entities if not part.startswith(_OURS)]
    return "_".join(kept) or "volume"


def _resolution(explanation: Explanation) -> str:
    """Return "patch9" for a map of the network's patches, "grid4x5x4" for one of other cells."""
    placement = explanation.scaled.placement
    if placement.cells == placement.with_cells(None).cells:
        patch = [round(size) for size in placement.cells.size]
        return f"patch{patch[0]}" if len(set(patch)) == 1 else "patch" + "x".join(map(str, patch))
    return "grid" + "x".join(map(str, placement.cells.shape))


def _label(explanation: Explanation) -> str:
    """Return the `desc` label: method, class and, of a series, the frame."""
    source = explanation.relevance.source
    frame = re.match(r"frame (\d+) of", source.frame if source else "")
    method = _camel(explanation.request.method)
    classes = class_labels(explanation.prediction.class_names)
    return method + classes[explanation.target] + (f"Frame{frame[1]}" if frame else "")


def class_labels(names: Sequence[str]) -> list[str]:
    """Return one label per class of letters and digits; numbered where names would coincide."""
    labels = [_camel(name) for name in names]
    labels = [label[:1].upper() + label[1:] for label in labels]
    return [
        label if label and labels.count(label) == 1 else f"{label or 'Class'}{number}"
        for number, label in enumerate(labels)
    ]


def _camel(name: str) -> str:
    """Join the words of a name: "grad_cam" becomes "gradCam", "AD vs CN" "ADvsCN"."""
    words = re.findall(r"[A-Za-z0-9]+", name)
    if "_" not in name:
        return "".join(words)
    return "".join(words[:1]) + "".join(word[:1].upper() + word[1:] for word in words[1:])
