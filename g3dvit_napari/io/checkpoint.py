"""Read a checkpoint file: weights and facts, never code. Knows no network."""

from __future__ import annotations

import argparse
import hashlib
import pathlib
import pickle
import re
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from g3dvit_napari.core.errors import CheckpointError
from g3dvit_napari.io.sniff import sniff
from g3dvit_napari.io.state_dict import RESAVE, find_weights

# What the loaders of torch and safetensors raise on damaged or foreign bytes.
_DAMAGE = (
    RuntimeError, EOFError, OSError, ValueError, LookupError, AttributeError, TypeError,
    AssertionError, MemoryError, zipfile.BadZipFile, struct.error, ArithmeticError,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The tensors of a network and where they came from.

    meta
        name, bytes, sha256, format, container, prefix, left_out, stored (simple settings the file
        keeps beside the weights), notes.
    """

    state: dict[str, Any]
    meta: dict[str, Any] = field(default_factory=dict)


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Return the weights of a .pt, .pth, .ckpt or .safetensors file.

    Raises
    ------
    CheckpointError
        When the file is missing, damaged, of another kind, or would need code to be run.
    """
    path = Path(path)
    kind = sniff(path)
    content = _read_safetensors(path) if kind == "safetensors" else _read_torch(path, kind)
    weights = find_weights(content, path.name)
    _check_tensors(weights.tensors, path)
    lightning = isinstance(content, Mapping) and "pytorch-lightning_version" in content
    meta = {
        "name": path.name,
        "bytes": path.stat().st_size,
        "sha256": _sha256(path),
        "format": "Lightning" if lightning else kind,
        "container": weights.container,
        "prefix": weights.prefix,
        "left_out": weights.left_out,
        "stored": _stored_settings(content),
        "notes": weights.notes,
    }
    return Checkpoint(weights.tensors, meta)


def _read_torch(path: Path, kind: str) -> Any:
    import torch

    try:
        with torch.serialization.safe_globals(_harmless()):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=kind == "zip")
    except pickle.UnpicklingError as error:
        coded = "GLOBAL" in str(error) or "Unsupported" in str(error)
        message = _needs_code(path, str(error)) if coded else _damaged(path, error)
        raise CheckpointError(message) from error
    except _DAMAGE as error:
        raise CheckpointError(_damaged(path, error)) from error


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path, device="cpu")
    except (SafetensorError, *_DAMAGE) as error:
        raise CheckpointError(_damaged(path, error)) from error


def _harmless() -> list[Any]:
    """Return data types that training loops store beside the weights; none of them runs code."""
    import numpy as np

    scalar = np.float64(0).__reduce__()[0]
    dtypes = {type(np.dtype(code)) for code in "?bBhHiIlLqQefd"}
    renamed = [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    paths = [
        (getattr(pathlib, f"Pure{kind}"), f"{module}.{kind}")
        for module in ("pathlib", "pathlib._local")
        for kind in ("PosixPath", "WindowsPath")
    ]
    return [*renamed, *paths, np.dtype, *dtypes, argparse.Namespace]


def _needs_code(path: Path, message: str) -> str:
    name = re.search(r"GLOBAL ([\w.]+)", message)
    what = f" ({name.group(1)})" if name else ""
    return (
        f"{path.name} cannot be opened without running code stored in it{what}: it holds Python "
        f"objects, not only weights. Where you trust it, load it in the project that made it and "
        f"{RESAVE}"
    )


def _damaged(path: Path, error: BaseException) -> str:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:160]
    return f"{path.name} is cut off or damaged: {reason}; copy or download it again"


def _check_tensors(state: Mapping[str, Any], path: Path) -> None:
    """Refuse tensors that take more memory than the file could fill."""
    size = path.stat().st_size
    for key, tensor in state.items():
        if tensor.is_meta or str(tensor.layout) != "torch.strided" or tensor.is_quantized:
            raise CheckpointError(
                f"{path.name}: {key} is stored without values, sparse or quantised; {RESAVE}"
            )
        if tensor.numel() * tensor.element_size() > 16 * size:
            raise CheckpointError(
                f"{path.name}: {key} claims shape {tuple(tensor.shape)}, more than a file of "
                f"{size:,} bytes can hold; do not trust it"
            )


def _stored_settings(content: Any) -> dict[str, Any]:
    """Return the plain values that training loops store next to the weights."""
    settings: dict[str, Any] = {}
    if isinstance(content, Mapping):
        for key in ("hyper_parameters", "hparams", "config", "cfg", "args"):
            found = content.get(key, {})
            found = vars(found) if isinstance(found, argparse.Namespace) else found
            if isinstance(found, Mapping):
                settings.update(_plain(found))
    return settings


def _plain(found: Mapping[Any, Any], depth: int = 0) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, value in found.items():
        if isinstance(value, Mapping) and depth < 3:
            plain.update(_plain(value, depth + 1))
        elif isinstance(value, int | float | str) and len(str(value)) < 80:
            plain[str(key)] = value
    return plain


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
