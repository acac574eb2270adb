"""Does this network use the signal? Asked with twins, sample by sample.

A mask says where the signal is. It is the truth about a network only if the network reads it: a
network may know one class by its cube and call everything else the other. Only samples that pass
may count when maps are compared with masks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from g3dvit_napari.benchmark.sample import Sample
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.types import Volume
from g3dvit_napari.models.handle import ModelHandle

RISE, FALL = 1.0, 0.2  # of the logit; of the probability
_BATCH = 32


@dataclass(frozen=True)
class Verdict:
    """What a network makes of one sample and its twin.

    rise, fall
        How much higher logit and probability of the true class are than for the twin.
    pasted
        The class predicted when nothing but the signal's voxels is put into the twin.
    signal
        Whether there is any; where not, nothing can be asked, and `valid` is False.
    """

    label: int
    predicted: int
    twin_predicted: int
    pasted: int
    rise: float
    fall: float
    signal: bool

    @property
    def right(self) -> bool:
        """Whether the class is predicted right."""
        return self.predicted == self.label

    @property
    def valid(self) -> bool:
        """Whether the network uses the signal, so that its mask is the truth about the network."""
        changes = self.predicted != self.twin_predicted or self.fall >= FALL
        return self.signal and self.rise >= RISE and changes

    @property
    def sufficient(self) -> bool:
        """Whether the signal alone brings the class back; if not, something global is read too."""
        return self.signal and self.pasted == self.label


@dataclass(frozen=True)
class Share:
    """The samples of one class: how many, and the share (0 to 1) of which a thing is true.

    Shares are None where no sample of the class has a signal (`asked` is 0) or none is there.
    """

    class_name: str
    count: int
    asked: int
    right: float | None
    valid: float | None
    sufficient: float | None


def verdicts(model: ModelHandle, samples: Iterable[Sample]) -> list[Verdict]:
    """Return what a network makes of each sample and its twin."""
    samples = list(samples)
    volumes = [[s.volume, s.twin_volume, s.pasted_volume] for s in samples]
    logits = _logits(model, [volume for three in volumes for volume in three])
    own, twin, pasted = logits.reshape(len(samples), 3, -1).transpose(1, 0, 2)
    return [_verdict(s, *rows) for s, *rows in zip(samples, own, twin, pasted, strict=True)]


def _verdict(
    sample: Sample, own: NDArray[np.float64], twin: NDArray[np.float64], pasted: NDArray[np.float64]
) -> Verdict:
    c = sample.label
    return Verdict(
        label=c,
        predicted=int(own.argmax()),
        twin_predicted=int(twin.argmax()),
        pasted=int(pasted.argmax()),
        rise=float(own[c] - twin[c]),
        fall=float(_softmax(own)[c] - _softmax(twin)[c]),
        signal=bool(sample.signal.any()),
    )


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    sizes = np.exp(logits - logits.max())
    shares: NDArray[np.float64] = sizes / sizes.sum()
    return shares


def _logits(model: ModelHandle, volumes: Sequence[Volume]) -> NDArray[np.float64]:
    """Return the logits (n, classes)."""
    found = []
    for start in range(0, len(volumes), _BATCH):
        some = volumes[start : start + _BATCH]
        images = np.stack([Placement(volume, model.spec).to_tensor() for volume in some])
        found.append(model.logits(torch.from_numpy(images)).double().cpu().numpy())
    return np.concatenate(found)


def shares(found: Sequence[Verdict], class_names: Sequence[str]) -> list[Share]:
    """Return, for every class, of which share the network uses the signal."""
    return [
        _share([v for v in found if v.label == number], name)
        for number, name in enumerate(class_names)
    ]


def _share(mine: Sequence[Verdict], name: str) -> Share:
    asked = [v for v in mine if v.signal]
    return Share(
        name,
        len(mine),
        len(asked),
        _mean([v.right for v in mine]),
        _mean([v.valid for v in asked]),
        _mean([v.sufficient for v in asked]),
    )


def _mean(values: Sequence[bool]) -> float | None:
    return float(np.mean(values)) if values else None
