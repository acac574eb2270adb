"""The handle: all that a method, a form or a report may ask of a network."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from g3dvit_napari.core.errors import G3DViTError, SpecError
from g3dvit_napari.core.spec import ModelSpec, Triple
from g3dvit_napari.models.capture import capturing
from g3dvit_napari.models.vit3d import ViT3D

if TYPE_CHECKING:
    from g3dvit_napari.models.forward import ForwardPass


def _nothing() -> None:
    """Stand-in for a tick that nobody listens to."""


@dataclass(eq=False)
class ModelHandle:
    """A network with its complete spec.

    `checkpoint` tells where the weights came from: name, sha256, format, prefix, notes.
    """

    network: nn.Module
    spec: ModelSpec
    device: torch.device
    class_names: tuple[str, ...]
    checkpoint: Mapping[str, Any] = field(default_factory=dict)
    _last: tuple[object, ForwardPass] | None = field(default=None, init=False, repr=False)

    @property
    def offers(self) -> frozenset[str]:
        """What methods may need: "norm" (a hookable attention norm), "balanced" (LibraGrad)."""
        if isinstance(self.network, ViT3D):
            return frozenset({"norm", "balanced"})
        return frozenset({"norm"}) if self.spec.network.norm else frozenset()

    @property
    def blocks(self) -> int:
        """Number of blocks whose attention norm can be explained."""
        if isinstance(self.network, ViT3D):
            return len(self.network.blocks)
        return 1 if self.spec.network.norm else 0

    @property
    def prefix_tokens(self) -> int:
        """How many tokens stand in front of the patches."""
        if isinstance(self.network, ViT3D):
            return self.network.prefix_tokens
        return self.spec.network.prefix_tokens or 0

    @property
    def classes(self) -> int:
        """Number of logits."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int, int, int]:
        """The shape (1, c, f, h, w) that the network takes."""
        network = self.spec.network
        if network.image_size is None:
            raise SpecError("the spec has no network.image_size; add it")
        return (1, network.channels or 1, *network.image_size)

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the weights, which images are brought to."""
        found = (p.dtype for p in self.network.parameters() if p.is_floating_point())
        return next(found, torch.float32)

    def tokens_to_grid(self, tokens: Tensor) -> Tensor:
        """Reshape tokens (... n), prefix tokens already dropped, to the patch grid (... f h w)."""
        grid = self.spec.network.token_grid
        if tokens.shape[-1] != grid[0] * grid[1] * grid[2]:
            raise SpecError(
                f"the network yields {tokens.shape[-1]} patch tokens, but the spec's token grid is "
                f"{_times(grid)}; correct network.image_size, patch or prefix_tokens"
            )
        return tokens.reshape(*tokens.shape[:-1], *grid)

    def forward(self, image: Tensor, tick: Callable[[], None] = _nothing) -> ForwardPass:
        """Run the network on one image (1 c f h w); the same image again costs nothing.

        `tick` is called between blocks and may raise.
        """
        from g3dvit_napari.models.forward import run_forward

        key = (_content(image), _state(self.network))
        if self._last is None or self._last[0] != key:
            self._last = None  # free the memory of the old pass before the new one needs it
            self._last = (key, run_forward(self, self.prepared(image), tick))
        self._last[1].tick = tick  # of this request: an earlier one may have been cancelled
        return self._last[1]

    def forget(self) -> None:
        """Drop the remembered pass and its memory."""
        self._last = None

    def logits(self, image: Tensor) -> Tensor:
        """Map images (b c f h w) to logits (b k); no graph is kept."""
        with capturing(self.network):
            return self.checked_logits(self.network(self.prepared(image)))

    def prepared(self, image: Tensor) -> Tensor:
        """Check images (b c f h w) and bring them to the network's device and dtype."""
        if image.ndim != 5 or tuple(image.shape[1:]) != self.image_shape[1:]:
            raise SpecError(
                f"the network takes images (b, c, f, h, w) = (b, {_list(self.image_shape[1:])}), "
                f"got ({_list(image.shape)}); correct network.image_size or the input section"
            )
        return image.detach().to(device=self.device, dtype=self.dtype)

    def checked_logits(self, output: Any) -> Tensor:
        """Take the logits (b k) out of a network's output; some return a tuple."""
        if isinstance(output, tuple | list) and output:
            output = output[0]
        if isinstance(output, Tensor) and output.ndim == 2 and output.shape[1] == self.classes:
            return output
        found = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise SpecError(
            f"expected logits of shape (b, {self.classes}), the network returned {found}; "
            "correct network.classes, or wrap the module so that it returns (b, classes)"
        )

    def to(self, device: str | torch.device) -> ModelHandle:
        """Move the network to another device; returns this handle."""
        self.device = resolve_device(device)
        self.forget()
        self.network.to(self.device)
        return self

    def summary(self) -> dict[str, str]:
        """Return what the network is, as short texts for a form or a table."""
        network = self.spec.network
        ours = isinstance(self.network, ViT3D)
        rows = {
            "architecture": network.family if ours else type(self.network).__name__,
            "image": _times(network.image_size),
            "patch": _times(network.patch),
            "patches": _times(network.token_grid),
            "channels": network.channels,
            "classes": ", ".join(self.class_names[:8]) + (" …" if self.classes > 8 else ""),
            "blocks": self.blocks if ours else network.depth,
            "width": network.dim,
            "heads": network.heads,
            "pooling": network.pool,
            "patch order": network.patch_order,
            "parameters": f"{sum(p.numel() for p in self.network.parameters()):,}",
            "device": str(self.device),
        }
        return {name: str(value) for name, value in rows.items() if value is not None}


def resolve_device(name: str | torch.device = "auto") -> torch.device:
    """Return the device that "auto", "cpu", "cuda", "cuda:n" or "mps" stands for.

    "auto" never picks mps: it has no float64, which the sums behind a map need.
    """
    text = str(name).strip().lower()
    if text == "auto":
        text = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = text.partition(":")
    if kind not in {"cpu", "cuda", "mps"} or (number and not number.isdigit()):
        raise G3DViTError(f"no device named {text!r}; choose auto, cpu, cuda, cuda:0 or mps")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise G3DViTError(
            f"device {text!r} asked for, but torch sees {count} GPUs; use auto or cpu"
        )
    if kind == "mps" and not torch.backends.mps.is_available():
        raise G3DViTError("device 'mps' asked for, but this torch has none; use auto or cpu")
    return torch.device("cpu" if kind == "cpu" else text)


def names_of_classes(spec: ModelSpec) -> tuple[str, ...]:
    """Return the spec's class names, or "class 0", "class 1" ..."""
    count = spec.network.classes
    if count is None:
        raise SpecError("the spec has no network.classes; add the number of logits")
    names = spec.class_names or tuple(f"class {number}" for number in range(count))
    if len(names) != count:
        raise SpecError(
            f"the spec names {len(names)} classes ({', '.join(names)}), but the network has "
            f"{count} logits; correct class_names"
        )
    if len(set(names)) != count:
        raise SpecError(f"class names must differ, got {', '.join(names)}; correct class_names")
    return names


def _content(image: Tensor) -> tuple[tuple[int, ...], str, bytes]:
    """Return a key of an image: equal for equal content."""
    values = image.detach().cpu().contiguous().view(torch.uint8).numpy()
    digest = hashlib.blake2b(values.data, digest_size=16).digest()
    return tuple(image.shape), str(image.dtype), digest


def _state(network: nn.Module) -> tuple[tuple[int, int], ...]:
    """Return a key that changes when somebody writes to a weight or a buffer."""
    tensors = [*network.parameters(), *network.buffers()]
    return tuple((t.data_ptr(), 0 if t.is_inference() else t._version) for t in tensors)


def _list(numbers: tuple[int, ...] | torch.Size) -> str:
    return ", ".join(map(str, numbers))


def _times(triple: Triple | None) -> str | None:
    return None if triple is None else " × ".join(map(str, triple))
