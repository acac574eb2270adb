"""What is judged: networks that learned a task, and volumes whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from g3dvit_napari.core.evaluation import Mask
from g3dvit_napari.core.types import Volume

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle


class KnownSample(Protocol):
    """One volume and the truth about it; masks (x y z) lie on its grid."""

    @property
    def name(self) -> str:
        """Unique within its task; part of every record."""
        ...

    @property
    def label(self) -> int:
        """The number of its class."""
        ...

    @property
    def volume(self) -> Volume:
        """What the network is shown."""
        ...

    @property
    def twin_volume(self) -> Volume:
        """The same volume without the signal."""
        ...

    @property
    def signal(self) -> Mask:
        """Where the evidence for the class lies; empty where the class means "nothing there"."""
        ...

    @property
    def distractor(self) -> Mask:
        """Where something lies that the class does not depend on."""
        ...

    @property
    def valid(self) -> Mask | None:
        """Where relevance counts, such as the brain; None: everywhere."""
        ...


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
    samples: Sequence[KnownSample]
    accuracy: float
    gate: Mapping[str, bool] = field(default_factory=dict)
    family: str = "vit"
