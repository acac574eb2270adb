"""What the tests of this folder share: NIfTI files with any header field set to anything."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nifti_files import OBLIQUE, header_of, random_data
from numpy.typing import NDArray


@pytest.fixture
def make_nifti(tmp_path: Path) -> Callable[..., Path]:
    """Return a writer of NIfTI files that sets the header fields it is told, true or not."""

    def write(
        name: str = "sub-01_bold.nii",
        data: NDArray[Any] | None = None,
        *,
        affine: NDArray[Any] = OBLIQUE,
        order: str = "<",
        version: int = 1,
        cut: int | None = None,
        extra: bytes = b"",
        **fields: Any,
    ) -> Path:
        data = random_data() if data is None else data
        header = header_of(data, affine, order, version)
        for field, value in fields.items():
            header[field] = value
        voxels = data.astype(data.dtype.newbyteorder(order)).tobytes(order="F")
        content = header.binaryblock + bytes(4) + voxels[:cut] + extra
        path = tmp_path / name
        path.write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
        return path

    return write
