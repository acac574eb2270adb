"""Made-up subjects to try lists with: the sample brain, turned, scaled, shaded and mirrored."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform
from scipy.spatial.transform import Rotation

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.progress import Progress
from g3dvit_napari.io.atomic import replacing
from g3dvit_napari.io.samples import sample_path

COUNT = 9
DAMAGED, STRAYED = 4, 7  # the numbers of one whose file is none, and of one that lies elsewhere
SIDES = ("left lesion", "right lesion")
TURN, SHIFT, SCALE, SHADE, NOISE = 3.0, 2.0, 0.03, 0.1, 0.02  # degrees, voxels, shares of all
STRAY = (0.0, 0.0, -22.0)  # voxels: 44 mm too high, as a failed registration leaves it
_NO_VOLUME = b"<html>404 not found</html>"  # as a failed download leaves it


def write_study(folder: Path, progress: Progress | None = None) -> Path:
    """Write nine subjects and a table of them with their true classes; return the table.

    The sample brain has a lesion on the left; every second subject is its mirror image. One file is
    no volume, and one head lies far too high: a list has something to find. The table is written
    last.

    Raises
    ------
    VolumeError
        When the folder holds anything, the sample is missing, or a file cannot be written.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise VolumeError(
            f"{folder} is not empty; choose an empty folder for the made-up subjects, so that no "
            "file of yours is replaced"
        )
    image = nib.Nifti1Image.from_filename(sample_path("brain.nii.gz"))
    brain, affine = np.asarray(image.dataobj, np.float32), image.affine
    lines = ["participant_id\tpath\tlabel"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(COUNT):
            if progress is not None:
                progress(number / COUNT, f"subject {number + 1} of {COUNT}")
            name, side = f"sub-{number + 1:02d}_T1w.nii.gz", number % 2
            _write_subject(folder / name, brain, affine, number)
            lines.append(f"sub-{number + 1:02d}\t{name}\t{SIDES[side]}")
        table = folder / "subjects.tsv"
        with replacing(table) as (part,):
            part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    except OSError as error:
        raise VolumeError(f"made-up subjects cannot be written to {folder}: {error}") from error
    return table


def _write_subject(
    path: Path, brain: NDArray[np.float32], affine: NDArray[np.float64], number: int
) -> None:
    """Write one subject, left lesions and right ones in turns."""
    with replacing(path) as (part,):
        if number == DAMAGED:
            part.write_bytes(_NO_VOLUME)
            return
        image = nib.Nifti1Image(_subject(brain, number), affine)
        image.set_sform(affine, code="mni")
        image.set_qform(affine, code="mni")
        image.header.set_xyzt_units("mm", "sec")
        nib.save(image, part)


def _subject(brain: NDArray[np.float32], number: int) -> NDArray[np.int16]:
    """Return the brain as another head might be.

    The sample's grid is symmetric about the middle of the head, so a reversed first axis mirrors.
    """
    rng = np.random.default_rng([1, number])
    head = brain[::-1] if number % 2 else brain
    turn = Rotation.from_euler("xyz", rng.uniform(-TURN, TURN, 3), degrees=True).as_matrix()
    matrix = turn / (1 + rng.uniform(-SCALE, SCALE, 3))
    middle = (np.array(head.shape) - 1) / 2
    shift = rng.uniform(-SHIFT, SHIFT, 3) + np.array(STRAY) * (number == STRAYED)
    offset = middle - matrix @ (middle - shift)
    moved: NDArray[np.float32] = affine_transform(head, matrix, offset, order=1)
    axes = np.ogrid[tuple(slice(-1, 1, complex(0, n)) for n in head.shape)]
    shade = 1 + sum(rng.uniform(-SHADE, SHADE) * axis for axis in axes)
    noise = NOISE * head.max() * rng.standard_normal(head.shape, np.float32)
    seen: NDArray[np.float32] = moved * shade + noise * (
        moved > 0
    )  # air is zero in the sample, and stays so
    return np.clip(seen, 0, np.iinfo(np.int16).max).astype(np.int16)
