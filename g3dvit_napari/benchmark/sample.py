"""What the benchmark is about: volumes whose truth is known, and networks that learned them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from g3dvit_napari.core.evaluation import Mask
from g3dvit_napari.core.types import Volume

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle


@dataclass(frozen=True, eq=False)
class Sample:
    """One volume and the truth about it; all arrays (x y z) on its grid.

    name
        Unique within its cell; part of every record.
    volume
        What the network is shown.
    label
        The number of its class.
    truth
        Where the signal is; None where there is none, such as in a class "no cube".
    twin
        The same volume without the signal: what decides whether the network uses it.
    distractor
        Where something lies that looks like the signal and does not matter.
    valid
        Where relevance counts, such as the brain; None: everywhere.
    """

    name: str
    volume: Volume
    label: int
    truth: Mask | None = None
    twin: Volume | None = None
    distractor: Mask | None = None
    valid: Mask | None = None


@dataclass(frozen=True, eq=False)
class Trained:
    """A network that learned one cell of the benchmark, and volumes that it has never seen.

    cell
        The name of task and setting.
    seed
        Of its weights and its training.
    accuracy
        Share of held-out volumes that it classifies correctly.
    gate
        By the name of a sample: whether the network uses the signal that the truth marks. A name
        that is missing was not checked.
    family
        "vit" or "resnet": whether the maps of this network compete or are compared with.
    """

    cell: str
    seed: int
    model: ModelHandle
    samples: Sequence[Sample]
    accuracy: float
    gate: Mapping[str, bool] = field(default_factory=dict)
    family: str = "vit"
