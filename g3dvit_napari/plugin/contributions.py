"""What napari.yaml points at: readers, a writer, sample data, and the menu entry.

Opening a volume must not load PyTorch, so this file takes `io` directly; everything else is
imported when it is needed.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from g3dvit_napari.core.errors import CheckpointError, G3DViTError, VolumeError

if TYPE_CHECKING:
    import napari.viewer

    from g3dvit_napari.plugin.widget import ExplainWidget

LayerData = tuple[Any, ...]
Reader = Callable[[str | Sequence[str]], list[LayerData]]

_VOLUMES = (".nii", ".nii.gz", ".mgz", ".mgh")
_NOTHING: LayerData = (None,)  # npe2's sentinel: the file was read, but makes no layer
_FINGERPRINT = re.compile(rb"transformer\.layers\.0\.0\.(?:fn\.)?to_qkv\.weight")
_PEEK = 1 << 24
_SAMPLES = {
    "brain": ("brain.nii.gz", "brain_vit.pth"),
    "cubes": ("cubes_1.nii.gz", "cubes_vit.pth"),
}
_PLACING = (
    "name", "metadata", "scale", "translate", "rotate", "shear", "affine", "units", "axis_labels",
)  # fmt: skip
_WRITTEN_AS_IS = ("uint8", "int16", "int32")
_WIDER = {"i": np.int32, "u": np.int32, "f": np.float32}


def get_volume_reader(path: str | Sequence[str]) -> Reader | None:
    """Return a reader for brain volumes, judging by the name alone."""
    paths = _listed(path)
    known = paths and all(str(p).lower().endswith(_VOLUMES) for p in paths)
    return _read_volumes if known else None


def _read_volumes(path: str | Sequence[str]) -> list[LayerData]:
    return [layer for one in _listed(path) for layer in read_volume_file(one)]


def read_volume_file(path: str) -> list[LayerData]:
    """Read a file into layer data: (z, y, x), or (t, z, y, x) for a series."""
    from g3dvit_napari.io.nifti import frame_count, read_frames, read_volume
    from g3dvit_napari.plugin.picture.layers import series_layer_data, to_layer_data

    count = frame_count(path)
    if count == 1:
        return [(*to_layer_data(read_volume(path)), "image")]
    frames = read_frames(path, "all")
    volume = next(frames)
    series = np.empty((count, *volume.shape[::-1]), dtype=np.float32)
    series[0] = volume.data.transpose()
    for number, frame in enumerate(frames, start=1):
        series[number] = frame.data.transpose()
    return [(*series_layer_data(series, volume), "image")]


def get_checkpoint_reader(path: str | Sequence[str]) -> Reader | None:
    """Return a reader for checkpoints that look like a 3D ViT; nothing is unpickled for that."""
    paths = _listed(path)
    return _read_checkpoint if len(paths) == 1 and _looks_like_ours(Path(paths[0])) else None


def _looks_like_ours(path: Path) -> bool:
    from g3dvit_napari.io.sniff import sniff

    try:
        if sniff(path) == "zip":
            start = _pickled_keys(path)
        else:
            with path.open("rb") as file:
                start = file.read(_PEEK)
    except (CheckpointError, OSError, zipfile.BadZipFile):
        return False
    return _FINGERPRINT.search(start) is not None


def _pickled_keys(path: Path) -> bytes:
    """Return the bytes that name the tensors of a zipped checkpoint."""
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        with archive.open(name) as file:
            return file.read(_PEEK)


def _read_checkpoint(path: str | Sequence[str]) -> list[LayerData]:
    """Load a checkpoint into the form of the current viewer; it makes no layer."""
    form = _current_form()
    if form is None:
        raise G3DViTError("no napari window is open; load the checkpoint with load_model() instead")
    form.load_checkpoint(_listed(path)[0])
    return [_NOTHING]


def write_volume_file(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write an image or labels layer as NIfTI, where and how its source file was stored."""
    from napari.layers import Image

    from g3dvit_napari.io.nifti import write_volume
    from g3dvit_napari.plugin.picture.layers import volume_of

    data = np.asarray(data)
    if data.ndim != 3:
        raise VolumeError(f"expected a 3-D layer, got shape {data.shape}; save one frame of it")
    placing = {name: attributes[name] for name in _PLACING if attributes.get(name) is not None}
    values = data.astype(np.uint8) if data.dtype == bool else data
    volume = volume_of(Image(values, **placing))
    dtype = values.dtype if str(values.dtype) in _WRITTEN_AS_IS else _WIDER[values.dtype.kind]
    return [str(write_volume(volume, path, dtype))]


def sample_brain() -> list[LayerData]:
    """Open the sample brain, and put its checkpoint into the form."""
    return _sample("brain")


def sample_cubes() -> list[LayerData]:
    """Open the sample cubes, and put their checkpoint into the form."""
    return _sample("cubes")


def show_form(viewer: napari.viewer.Viewer) -> None:
    """Open the form, or find the open one."""
    from g3dvit_napari.plugin.widget import open_form

    open_form(viewer)


def sample_files(name: str) -> tuple[str, str]:
    """Return the paths of a sample's volume and checkpoint."""
    from g3dvit_napari.io.samples import sample_path

    volume, checkpoint = _SAMPLES[name]
    return str(sample_path(volume)), str(sample_path(checkpoint))


def _sample(name: str) -> list[LayerData]:
    volume, checkpoint = sample_files(name)
    form = _current_form()
    if form is not None:
        form.load_checkpoint(checkpoint, spec="")
    return read_volume_file(volume)


def _current_form() -> ExplainWidget | None:
    """Return the form of the current window, opening it if needed; None without a window."""
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        return None
    from g3dvit_napari.plugin.widget import open_form

    return open_form(viewer)


def _listed(path: str | Sequence[str]) -> list[str]:
    return [str(path)] if isinstance(path, str | Path) else [str(p) for p in path]
