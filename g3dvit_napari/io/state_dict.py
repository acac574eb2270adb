"""Find the weights inside what a checkpoint file holds, and strip the names of its wrappers.

Works on plain mappings; a tensor is recognised by its shape and dtype, so torch is not needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from g3dvit_napari.core.errors import CheckpointError

RESAVE = (
    "save the weights alone with torch.save(model.state_dict(), 'weights.pt') and open that file"
)
# Keys that a network always has, whatever wraps it, and how its first layer begins. vit-pytorch
# ("fn." in older layouts), MONAI's Swin Transformer, a ResNet.
_NETWORKS = {
    re.compile(
        r"^(|.*\.)transformer\.layers\.0\.0\.(?:fn\.)?to_qkv\.weight$"
    ): "to_patch_embedding.",
    re.compile(r"^(|.*\.)layers1\.0\.blocks\.0\.attn\.qkv\.weight$"): "patch_embed.",
    re.compile(r"^(|.*\.)layer1\.0\.conv1\.weight$"): "conv1.",
}
_HEADS = ("head.weight", "fc.weight", "classifier.weight")  # they may stand beside an encoder
_PREFERRED = (
    "", "state_dict", "model_state_dict", "model", "network", "net", "module", "weights", "params",
    "ema", "ema_state_dict", "model_ema",
)  # fmt: skip
_COPIES = re.compile(r"(?:^|[._])(?:ema|teacher|target|averaged|momentum)", re.IGNORECASE)
_STATE_OF_TRAINING = re.compile(r"optim|sched|scaler|callback|loops|rng", re.IGNORECASE)
_DEEPEST = 4


@dataclass(frozen=True)
class Weights:
    """A state dict with its wrappers' names stripped, and the story of how it was found."""

    tensors: dict[str, Any]
    container: str  # where in the file, such as "state_dict"; empty for a bare state dict
    prefix: str  # stripped from the keys, such as "module."
    left_out: tuple[str, ...]  # entries beside the network
    notes: tuple[str, ...]


def find_weights(content: Any, name: str) -> Weights:
    """Return the network's state dict found in a file's content.

    Raises
    ------
    CheckpointError
        When there is none, or more than one and no reason to choose.
    """
    found = dict(_mappings_of_tensors(content))
    if not found:
        raise CheckpointError(f"{name} holds no weights: {_in_words(content)}; {RESAVE}")
    with_network = [path for path, state in found.items() if any(map(_is_marker, state))]
    path = min(with_network or found, key=lambda path: _rank(path, found[path]))
    others = [other for other in with_network if other != path]
    notes = [f"weights also stand under {other!r}; used {path!r}" for other in others]
    state = found[path]
    prefix = _prefix(list(state), name)
    tensors = {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
    tensors = {key: value for key, value in tensors.items() if is_tensor(value)}
    left_out = tuple(k for k in state if k.removeprefix(prefix) not in tensors)
    if prefix:
        notes.append(f"prefix {prefix!r} stripped from {len(tensors)} keys")
    if left_out:
        shown = ", ".join(left_out[:4]) + (", …" if len(left_out) > 4 else "")
        notes.append(f"left out {len(left_out)} entries beside the network: {shown}")
    return Weights(tensors, path, prefix, left_out, tuple(notes))


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor; numpy arrays are not."""
    return hasattr(value, "element_size") and hasattr(value, "shape")


def _mappings_of_tensors(
    content: Any, path: str = "", depth: int = 0
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every mapping that holds tensors under names, with its dotted path."""
    if not isinstance(content, Mapping) or depth > _DEEPEST:
        return
    named = {key: value for key, value in content.items() if isinstance(key, str)}
    if any(is_tensor(value) for value in named.values()):
        yield path, named
    for key, value in named.items():
        if not _STATE_OF_TRAINING.search(key):
            yield from _mappings_of_tensors(value, f"{path}.{key}" if path else key, depth + 1)


def _rank(path: str, state: Mapping[str, Any]) -> tuple[int, int, int]:
    last = path.rpartition(".")[2]
    preference = _PREFERRED.index(last) if last in _PREFERRED else len(_PREFERRED)
    copy = bool(_COPIES.search(last))
    return copy, preference, -len(state)


def _is_marker(key: str) -> bool:
    return any(marker.match(key) for marker in _NETWORKS)


def _prefix(keys: list[str], name: str) -> str:
    """Return what stands in front of the network's own keys."""
    for marker, first in _NETWORKS.items():
        matches = (marker.match(key) for key in keys)
        if prefixes := [match.group(1) for match in matches if match]:
            prefix = _only_one(prefixes, keys, first, name)
            return _with_head(prefix, set(keys)) if first == "patch_embed." else prefix
    return ""


def _only_one(prefixes: list[str], keys: list[str], first: str, name: str) -> str:
    """Return the prefix of the network to explain; parts and averaged copies stand back."""
    complete = [p for p in prefixes if any(k.startswith(f"{p}{first}") for k in keys)]
    prefixes = complete or prefixes
    originals = [p for p in prefixes if not _COPIES.search(p)]
    prefixes = originals or prefixes
    if len(prefixes) > 1:
        listed = ", ".join(repr(p) for p in prefixes)
        one = prefixes[0].rstrip(".") or "part"
        raise CheckpointError(
            f"{name} holds {len(prefixes)} networks, under {listed}; save the one to explain "
            f"alone: torch.save(model.{one}.state_dict(), 'weights.pt')"
        )
    return prefixes[0]


def _with_head(encoder: str, keys: set[str]) -> str:
    """Return the prefix of the classifier around an encoder; the encoder's if there is none."""
    parts = encoder.split(".")[:-1]
    outward = (".".join([*parts[:n], ""]) for n in range(len(parts), -1, -1))
    return next((p for p in outward if any(p + head in keys for head in _HEADS)), encoder)


def _in_words(content: Any) -> str:
    if isinstance(content, Mapping):
        keys = ", ".join(map(str, list(content)[:6]))
        return f"its entries are {keys}" if keys else "it is an empty dictionary"
    return f"it holds a {type(content).__name__}"
