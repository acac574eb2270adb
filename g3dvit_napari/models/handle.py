"""The handle: all that a method, a form or a report may ask of a network."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from g3dvit_napari.core.errors import G3DViTError, SpecError
from g3dvit_napari.core.spec import ModelSpec, NetworkSpec, Triple
from g3dvit_napari.core.types import Output
from g3dvit_napari.models.as_found.capture import Tick, block_index, capturing
from g3dvit_napari.models.as_found.steady import Steady
from g3dvit_napari.models.networks.vit3d import ViT3D
from g3dvit_napari.models.objective import Objective
from g3dvit_napari.models.offers import offers_of
from g3dvit_napari.models.passes.native import native_anatomy
from g3dvit_napari.models.probing.anatomy import Anatomy, Site
from g3dvit_napari.models.probing.probe import probe

if TYPE_CHECKING:
    from g3dvit_napari.models.passes.forward import ForwardPass


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

    @cached_property
    def anatomy(self) -> Anatomy:
        """Where the network's cells and its attention are; foreign networks are run once."""
        if isinstance(self.network, ViT3D):
            return native_anatomy(self.network)
        return probe(self)

    @property
    def offers(self) -> frozenset[str]:
        """What methods may need, see `models.offers`."""
        convolutions = any(
            isinstance(m, nn.Conv1d | nn.Conv2d | nn.Conv3d) for m in self.network.modules()
        )
        own = isinstance(self.network, ViT3D)
        return offers_of(self.anatomy, own=own, convolutions=convolutions)

    @property
    def blocks(self) -> int:
        """Number of blocks or feature maps that can be explained."""
        return len(self.anatomy.sites)

    def site(self, block: int = -1) -> Site:
        """Return the norm or feature map of a block; negative numbers count from the last."""
        return self.anatomy.sites[block_index(block, self.blocks)]

    @property
    def prefix_tokens(self) -> int:
        """How many tokens stand in front of the patches."""
        return self.anatomy.sites[-1].prefix if self.anatomy.sites else 0

    @property
    def classes(self) -> int:
        """Number of classes: two for a yes/no head of a single logit."""
        return len(self.class_names)

    @property
    def output(self) -> Output:
        """What the logits mean."""
        return output_of(self.spec.network)

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

    def forward(
        self, image: Tensor, tick: Tick = _nothing, objective: Objective | None = None
    ) -> ForwardPass:
        """Run the network on one image (1 c f h w); the same image again costs nothing.

        `tick` is called between blocks and may raise. `objective` is the number to explain of each
        class, its logit by default.
        """
        from g3dvit_napari.models.passes.forward import run_forward

        key = (_content(image), _state(self.network))
        kept = self._last is not None and self._last[0] == key
        if self._last is None or not kept:
            self._last = None  # free the memory of the old pass before the new one needs it
            self._last = (key, run_forward(self, self.prepared(image), tick))
        run = self._last[1].asked(tick, objective or Objective(output=self.output))
        run.kept = kept
        return run

    def forget(self) -> None:
        """Drop the remembered pass and its memory."""
        self._last = None

    def logits(self, image: Tensor) -> Tensor:
        """Map images (b c f h w) to logits (b k); no graph is kept."""
        with capturing(self.network):
            return self.answer(self.prepared(image))

    def answer(self, image: Tensor) -> Tensor:
        """Run the network on prepared images (b c f h w), with a graph if the caller's mode is so.

        The logits (b k) are those before an activation at the very end, and dropout does nothing.
        To be called inside `capturing`.
        """
        return self.answer_and_activation(image)[0]

    def answer_and_activation(self, image: Tensor) -> tuple[Tensor, str]:
        """Return the same, and the name of the activation behind it; "" when there is none."""
        steady = Steady()
        with steady:
            return steady.before(self.checked_logits(self.network(image)))

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
        count = self.spec.network.classes or self.classes
        if isinstance(output, Tensor) and output.ndim == 2 and output.shape[1] == count:
            return output
        found = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise SpecError(
            f"expected logits of shape (b, {count}), the network returned {found}; "
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

    "auto" never picks mps: nobody has compared its numbers with the CPU's yet.
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


def output_of(network: NetworkSpec) -> Output:
    """Return what the logits mean; a single one is a yes/no head unless the spec says otherwise."""
    single = network.classes == 1
    if network.output is None:
        return "binary" if single else "classes"
    if single == (network.output == "classes"):
        raise SpecError(
            f"network.output is {network.output}, but the network has {network.classes} logits; "
            "several are 'classes', a single one is 'binary' or 'regression'"
        )
    return network.output


def names_of_classes(spec: ModelSpec) -> tuple[str, ...]:
    """Return the spec's class names, or "class 0", "class 1" ..."""
    count = spec.network.classes
    if count is None:
        raise SpecError("the spec has no network.classes; add the number of logits")
    output = output_of(spec.network)
    count = 2 if output == "binary" else count
    numbered = ("value",) if output == "regression" else tuple(f"class {n}" for n in range(count))
    names = spec.class_names or numbered
    if len(names) != count:
        logits = "a yes/no head: two classes" if output == "binary" else f"{count} logits"
        raise SpecError(
            f"the spec names {len(names)} classes ({', '.join(names)}), but the network has "
            f"{logits}; correct class_names"
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
