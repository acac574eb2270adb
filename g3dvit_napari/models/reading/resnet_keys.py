"""What the keys and shapes of MONAI's ResNet say, and what they leave open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from g3dvit_napari.core.errors import CheckpointError
from g3dvit_napari.models.networks.resnet3d import ResNetLayout
from g3dvit_napari.models.reading.draft import Draft
from g3dvit_napari.models.reading.readings import Reading, in_words
from g3dvit_napari.models.reading.strangers import OWN_MODULE, State, dtype_of, numbers_in

_STRIDES = (
    Reading({"stride": (1, 1, 1)}, "MONAI's default"),
    Reading({"stride": (2, 2, 2)}, "MedicalNet"),
    Reading({"stride": (1, 2, 2)}, "3D-ResNets of video"),
)
_POOLS = (
    Reading({"max_pool": True}, "MONAI's default, MedicalNet"),
    Reading({"max_pool": False}, "no_max_pool=True"),
)


@dataclass(frozen=True)
class ResNetFound:
    """What the weights decide."""

    layout: ResNetLayout
    channels: int
    classes: int
    dtype: str
    family: Literal["resnet_3d"] = "resnet_3d"

    def words(self) -> dict[str, Any]:
        """Return what was found, as rows of a table."""
        layout = self.layout
        return {
            "family": self.family,
            "kernel": in_words(layout.kernel),
            "blocks": " + ".join(map(str, layout.blocks)),
            "kind of block": "bottleneck" if layout.bottleneck else "basic",
            "widths": ", ".join(map(str, layout.widths)),
            "channels": self.channels,
            "classes": self.classes,
            "stored as": self.dtype,
        }


def recognises(state: State) -> bool:
    """Whether a state dict is that of MONAI's ResNet in 3D."""
    needed = ("conv1.weight", "layer1.0.conv1.weight")
    return all(key in state and state[key].ndim == 5 for key in needed)


def canonical(state: State) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Add the counters of batches that older files lack; nothing depends on them."""
    norms = [key.removesuffix("running_mean") for key in state if key.endswith(".running_mean")]
    counters = {f"{norm}num_batches_tracked": torch.tensor(0) for norm in norms}
    return {**counters, **state}, ()


def read_off(state: State, name: str) -> ResNetFound:
    """Return what a canonical state dict decides."""
    if "fc.weight" not in state:
        raise CheckpointError(
            f"{name} has no classifying layer (fc.weight); it is an encoder or has another head. "
            f"{OWN_MODULE}"
        )
    stages = range(1, numbers_in(state, r"layer(\d+)\."))  # counted from 1
    width, channels, *kernel = state["conv1.weight"].shape
    inner = [state.get(f"layer{n}.0.conv1.weight") for n in stages]
    return ResNetFound(
        layout=ResNetLayout(
            blocks=tuple(numbers_in(state, rf"layer{n}\.(\d+)\.") for n in stages),
            widths=tuple(width if weight is None else weight.shape[0] for weight in inner),
            bottleneck="layer1.0.conv3.weight" in state,
            kernel=(kernel[0], kernel[1], kernel[2]),
            projected=any(key.endswith(".0.downsample.0.weight") for key in state),
            shortcut_bias=any(key.endswith(".0.downsample.0.bias") for key in state),
        ),
        channels=channels,
        classes=state["fc.weight"].shape[0],
        dtype=dtype_of(state["fc.weight"]),
    )


def settle_resnet(draft: Draft, found: ResNetFound) -> None:
    """Fill in what the weights decide, and ask for the rest."""
    draft.set(
        dim=found.layout.widths[0],
        depth=sum(found.layout.blocks),
        channels=found.channels,
        pool="mean",
        prefix_tokens=0,
    )
    stride, pooled = draft.spec.stride, draft.spec.max_pool
    if stride is None:
        draft.ask("stride", "the stride of the first convolution leaves no trace", _STRIDES)
    if pooled is None:
        draft.ask("max_pool", "a max pooling behind it has no weights", _POOLS)
    if stride is not None and pooled is not None:
        f, h, w = (2 * n if pooled else n for n in stride)
        draft.set(patch=(f, h, w))
    if draft.spec.image_size is None:
        draft.ask("image_size", "convolutions run over any grid, so any size fits the weights")
