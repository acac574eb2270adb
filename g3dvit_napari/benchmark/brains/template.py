"""The MNI template that nilearn ships: read from its files, offline, without importing nilearn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import nibabel as nib
import numpy as np
from scipy import ndimage

from g3dvit_napari.benchmark.brains.grid import Array, Floats
from g3dvit_napari.core.errors import VolumeError

Kind = Literal["t1", "gm", "wm"]


@dataclass(frozen=True, eq=False)
class Template:
    """An image (x y z) of the symmetric template; in T1, 1 is bright white matter."""

    data: Array
    affine: Floats


def nilearn_file(name: str) -> Path:
    """Return where nilearn keeps a file.

    Raises
    ------
    VolumeError
        When nilearn is not installed, or no longer ships the file.
    """
    found = find_spec("nilearn")
    if found is None or found.origin is None:
        raise VolumeError(
            "the template of the brain tasks comes with nilearn, which is not installed; "
            'run: pip install "g3dvit-napari[benchmark]"'
        )
    path = Path(found.origin).parent / "datasets" / "data" / name
    if not path.is_file():
        raise VolumeError(f"nilearn no longer ships {name}; install nilearn 0.11 to 0.14")
    return path


def template_path(kind: Kind = "t1") -> Path:
    """Return where nilearn keeps the MNI152 template ("t1", "gm" or "wm")."""
    return nilearn_file(f"mni_icbm152_{kind}_tal_nlin_sym_09a_converted.nii.gz")


@lru_cache(maxsize=2)
def template(sigma: float) -> Template:
    """Return the T1 template, smoothed by a Gaussian of `sigma` mm; not to be written into."""
    image = nib.load(template_path())
    whole = np.asarray(image.dataobj, dtype=np.float32)
    scaled = whole / np.percentile(whole[whole > 0], 99)
    data: Array = np.asarray(ndimage.gaussian_filter(scaled, sigma), dtype=np.float32)
    data.setflags(write=False)
    return Template(data, image.affine)


def thinned(kind: Kind) -> Template:
    """Return every second voxel, 2 mm, of T1 signal or of a tissue's probability; largest: 1."""
    image = nib.load(template_path(kind))
    data = np.asarray(image.dataobj)[::2, ::2, ::2].astype(np.float32) / np.float32(255)
    return Template(data, image.affine @ np.diag([2.0, 2, 2, 1]))
