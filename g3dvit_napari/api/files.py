"""Volumes, series and networks from files; explanations into files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from g3dvit_napari.core.errors import SpecError
from g3dvit_napari.core.spec import ModelSpec, read_spec, spec_beside
from g3dvit_napari.core.types import Explanation, Volume
from g3dvit_napari.io.nifti import read_frames, read_volume
from g3dvit_napari.io.results import save_explanation

if TYPE_CHECKING:
    from torch import nn

    from g3dvit_napari.models.handle import ModelHandle
    from g3dvit_napari.models.reading.inspection import Inspection


def load_volume(path: str | Path, frame: int | str | None = None, **options: Any) -> Volume:
    """Read one volume.

    Parameters
    ----------
    path
        A .nii, .nii.gz, .mgh or .mgz file.
    frame
        For a 4-D series: the number of a frame, or "mean" (also when not given).
    **options
        `max_memory` (bytes) and `assume_orientation` (axis codes for a header without them).

    Raises
    ------
    VolumeError
        When the file is damaged, is no scalar volume, or its header cannot be true.
    """
    return read_volume(Path(path), frame, **options)


def load_frames(path: str | Path, frame: int | str = "all", **options: Any) -> Iterator[Volume]:
    """Read a 4-D series frame by frame: "all", "every k", "mean" or a number."""
    return read_frames(Path(path), frame, **options)


def load_model(
    source: str | Path | nn.Module,
    spec: str | Path | ModelSpec | None = None,
    device: str = "auto",
) -> ModelHandle:
    """Load a network and the rules for its input.

    Parameters
    ----------
    source
        A checkpoint (.pt, .pth, .ckpt, .safetensors), or a module that is already built.
    spec
        A preset name, a YAML file, a `ModelSpec`, or None: the YAML file next to the checkpoint.
    device
        "auto" (a CUDA card if there is one, otherwise the CPU), "cpu", "cuda", "cuda:n" or "mps".
        Float32 is computed in float32, whatever precision the process has set; sums behind a map
        in float64. A device that is full leaves an explanation to the CPU, which then says so.

    Raises
    ------
    CheckpointError
        When the file holds no network of a known family, is damaged, or would run code.
    SpecError
        When weights and spec together leave something open, or contradict each other.
    """
    from g3dvit_napari.io.checkpoint import read_checkpoint
    from g3dvit_napari.models.reading import loading

    rules = None if spec is None else read_spec(spec)
    if not isinstance(source, str | Path):
        if rules is None:
            raise SpecError("a module needs a spec; give spec=ModelSpec(...) or a YAML file")
        return loading.module_handle(source, rules, device)
    checkpoint = read_checkpoint(Path(source))
    if rules is None and (found := spec_beside(Path(source))):
        rules = read_spec(found)
    return loading.build_handle(checkpoint.state, checkpoint.meta, rules, device)


def inspect_checkpoint(path: str | Path, spec: str | Path | None = None) -> Inspection:
    """Return what a checkpoint holds and what its weights leave open, without building it."""
    from g3dvit_napari.io.checkpoint import read_checkpoint
    from g3dvit_napari.models.reading.inspection import inspect_state

    found = spec or spec_beside(Path(path))
    checkpoint = read_checkpoint(Path(path))
    return inspect_state(checkpoint.state, checkpoint.meta, read_spec(found) if found else None)


def save(explanation: Explanation, folder: str | Path, stem: str | None = None) -> list[Path]:
    """Write an explanation: patch-grid map, native-grid map, field of view, and a JSON sidecar.

    Every file is written beside its place and then renamed, the sidecar last; files of the same
    name are replaced. Returns the files, the sidecar last.
    """
    return save_explanation(explanation, Path(folder), stem)
