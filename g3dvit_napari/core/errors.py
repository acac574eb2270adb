"""The errors a user can meet. Each message says what is wrong, the value found, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class G3DViTError(Exception):
    """Anything this project refuses to do, with a sentence that a user can act on."""


class VolumeError(G3DViTError):
    """A volume that cannot be read, or that cannot mean what its header says."""


class CheckpointError(G3DViTError):
    """A checkpoint file that cannot be read, or that holds another kind of network."""


class SpecError(G3DViTError):
    """A model spec that is incomplete, contradictory, or does not fit the weights or the volume."""


class MethodError(G3DViTError):
    """A method, parameter, target or metric that does not exist or cannot be applied here."""


class ExportError(G3DViTError):
    """A picture or a movie that cannot be made as it was asked for."""


class Cancelled(G3DViTError):
    """The user stopped the work; nothing was changed."""


def unknown_name(kind: str, name: object, known: Iterable[str]) -> str:
    """Return the sentence for a name that is not in a list, suggesting the nearest one."""
    known = list(known)
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"choose one of: {', '.join(known)}"
    return f"no {kind} named {name!r}; {hint}"
