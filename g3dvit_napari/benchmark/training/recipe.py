"""What decides a trained network: the task, the network, and how it learns."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from g3dvit_napari.core.spec import Triple

VERSION = 1  # of the training loop: a change that changes weights must change it


@dataclass(frozen=True)
class ViT:
    """A 3D ViT: its size, its patch embedding, what is read, and how it starts.

    positions
        Standard deviation at which positions and class token start; 1 in vit-pytorch. Patches that
        are small beside it take long to be noticed.
    gain
        The weights of the patch projection start so many times larger than torch makes them.
    """

    patch: Triple
    dim: int = 64
    depth: int = 2
    heads: int = 8
    dim_head: int = 16
    mlp_dim: int = 128
    embedding: Literal["layernorm", "plain"] = "layernorm"
    pool: Literal["cls", "mean"] = "cls"
    positions: float = 1.0
    gain: float = 1.0
    kind: Literal["vit_3d"] = "vit_3d"


@dataclass(frozen=True)
class ResNet:
    """The size of a 3D ResNet."""

    widths: tuple[int, ...] = (16, 32)
    blocks: tuple[int, ...] = (1, 1)
    kernel: Triple = (3, 3, 3)
    stride: Triple = (2, 2, 2)
    kind: Literal["resnet_3d"] = "resnet_3d"


@dataclass(frozen=True)
class Recipe:
    """One network to be trained.

    model
        Its name without the seed.
    task
        Name of the task.
    samples
        Training volumes, shuffled anew in every epoch; None: new ones in every step.
    permuted
        Labels are drawn without looking at the volume: nothing can be learned, and every metric of
        every map has to stay at chance.
    rate, decay
        The learning rate (at its peak) and the weight decay of AdamW.
    easy
        Share of the steps in which the noise grows to what the task asks for; from none.
    one_cycle
        The rate rises for a seventh of the steps and falls to zero; else it is constant.
    after
        Another recipe with the same network: training begins with the weights that it ends with.
    """

    model: str
    task: str
    network: ViT | ResNet
    steps: int
    batch: int
    rate: float
    seed: int = 0
    samples: int | None = None
    permuted: bool = False
    decay: float = 0.0
    one_cycle: bool = True
    easy: float = 0.0
    after: Recipe | None = None

    @property
    def id(self) -> str:
        """The name of the network, with its seed."""
        return f"{self.model}-seed{self.seed}"

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides the weights, as plain values."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        if self.after is None:
            del plain["after"]
        return {**plain, "training": VERSION}

    @property
    def digest(self) -> str:
        """A short hash of code version and settings."""
        text = json.dumps(self.settings, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def with_seed(self, seed: int) -> Recipe:
        """Return the same for another seed."""
        after = None if self.after is None else self.after.with_seed(seed)
        return replace(self, seed=seed, after=after)
