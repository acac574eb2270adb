"""Samples as files: volumes, twins, masks, and a table of what was drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from g3dvit_napari import api
from g3dvit_napari.benchmark.brains.blocks import REPETITION_TIME, series
from g3dvit_napari.benchmark.cubes.cell import Cell
from g3dvit_napari.benchmark.sample import Sample, checked_split
from g3dvit_napari.benchmark.tasks import task_named
from g3dvit_napari.core.progress import Progress
from g3dvit_napari.io.atomic import replacing
from g3dvit_napari.io.nifti import write_volume

_HEADER = ("volume", "twin", "truth", "distractor", "valid", "class", "label", "drawn")


def make(
    task: str | Cell,
    split: str,
    count: int,
    folder: str | Path,
    progress: Progress | None = None,
) -> Path:
    """Write samples of a task as NIfTI files, and return the table that lists them.

    Every sample has a volume, its twin, and masks (uint8) of the signal, the distractor and of
    where relevance counts. The table (TSV) names these files, the class, and what was drawn.

    Raises
    ------
    MethodError
        When there is no such task or split.
    VolumeError
        When a file cannot be written.
    """
    known, asked, place = checked_split(split), task_named(task), Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    rows = []
    for index in range(count):
        if progress is not None:
            progress(index / count, f"{asked.name}: {index + 1} of {count}")
        sample = asked.draw(known, index)
        drawn = json.dumps(dict(sample.drawn))
        rows.append(
            [*_written(sample, place), asked.class_names[sample.label], sample.label, drawn]
        )
    return api.save_table(place / f"{asked.name}_{known}.tsv", _HEADER, rows)


def _written(sample: Sample, folder: Path) -> list[str]:
    """Write one sample; return the names of its files, "" for a mask that is everywhere."""
    parts = (sample.volume, sample.twin_volume, sample.truth, sample.distractor_volume)
    names = []
    for volume in (*parts, sample.valid_volume):
        if volume is None:
            names.append("")
            continue
        path = folder / f"{volume.name}.nii.gz"
        write_volume(volume, path, volume.data.dtype)
        names.append(path.name)
    return names


def make_series(split: str, number: int, folder: str | Path) -> list[Path]:
    """Write one series with blocks, its twin and masks, all 4-D, and the class of every frame."""
    known, place = checked_split(split), Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    found, stem = series(known, number), f"brain-blocks_{known}_series{number}"
    parts: dict[str, NDArray[Any]] = {
        "": found.data,
        "_twin": found.twin,
        "_truth": found.signal.astype(np.uint8),
    }
    paths = []
    for ending, data in parts.items():
        paths.append(place / f"{stem}{ending}.nii.gz")
        _write_series(data, found.affine, paths[-1])
    rows = [[frame, int(label)] for frame, label in enumerate(found.labels)]
    return [*paths, api.save_table(place / f"{stem}.tsv", ("frame", "label"), rows)]


def _write_series(data: NDArray[np.generic], affine: NDArray[np.float64], path: Path) -> None:
    image = nib.Nifti1Image(data, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.header["pixdim"][4] = REPETITION_TIME
    with replacing(path) as (part,):
        nib.save(image, part)
