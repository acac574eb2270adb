"""The possible readings of what weights do not decide. Whole numbers only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from g3dvit_napari.core.spec import Triple

_USUAL_HEAD = 64  # the default width per head of vit-pytorch
_MOST_CHANNELS = 4  # more are possible, but nobody's first thought


@dataclass(frozen=True)
class Reading:
    """One way to fill in the fields of a question."""

    fields: Mapping[str, Any]
    remark: str = ""

    def __str__(self) -> str:
        text = ", ".join(f"{name} {in_words(value)}" for name, value in self.fields.items())
        return f"{text} ({self.remark})" if self.remark else text


@dataclass(frozen=True)
class Question:
    """Something the weights leave open, with its possible readings, the likely ones first."""

    name: str  # dotted, such as "network.heads"
    why: str
    readings: tuple[Reading, ...] = ()

    def __str__(self) -> str:
        shown = "; ".join(map(str, self.readings[:4]))
        rest = f"; {len(self.readings) - 4} more" if len(self.readings) > 4 else ""
        return f"{self.name}: {self.why}" + (f": {shown}{rest}" if shown else "")


def in_words(value: Any) -> str:
    """Return "5 × 5 × 5" for a triple, the plain text of anything else."""
    return " × ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def divisors(number: int) -> list[int]:
    """Return all divisors, ascending."""
    small = [n for n in range(1, math.isqrt(number) + 1) if number % n == 0]
    return sorted({*small, *(number // n for n in small)})


def triples(number: int) -> list[Triple]:
    """Return every (f, h, w) with f * h * w = number, the most cube-like first.

    Square in the plane counts as half as likely again: most images are.
    """
    found = [(f, h, number // f // h) for f in divisors(number) for h in divisors(number // f)]
    return sorted(found, key=lambda t: (max(t) / min(t) * (1.0 if t[1] == t[2] else 1.5), t))


def is_sensible(triple: Triple) -> bool:
    """Whether it is what people choose: square in the plane, and no flat or long box."""
    return triple[1] == triple[2] and max(triple) < 3 * min(triple)


def is_cube(triple: Triple) -> bool:
    """Whether the three edges are equal."""
    return len(set(triple)) == 1


def patch_readings(voxels: int, channels: int | None) -> list[tuple[int, Triple]]:
    """Return every (channels, patch) whose product is `voxels`, the likely ones first."""
    counts = [channels] if channels else divisors(voxels)
    found = [(c, patch) for c in counts if voxels % c == 0 for patch in triples(voxels // c)]
    return sorted(found, key=lambda r: (not is_likely(*r), r[0] > _MOST_CHANNELS, r[0]))


def is_likely(channels: int, patch: Triple) -> bool:
    """Whether a reading of the patch is one that people choose."""
    return channels <= _MOST_CHANNELS and is_sensible(patch)


def head_readings(inner: int, dim: int, *, projected: bool) -> list[tuple[int, int]]:
    """Return every (heads, dim_head) with that product, widths near 64 first.

    With a projection behind it, one head as wide as the tokens is impossible.
    """
    pairs = [(inner // width, width) for width in divisors(inner)]
    pairs = [pair for pair in pairs if not (projected and pair == (1, dim))]
    return sorted(pairs, key=lambda pair: abs(math.log2(pair[1] / _USUAL_HEAD)))


def plane_readings(patches: int, voxels: int) -> str:
    """Return the reading as a 2D image network, where the numbers allow one; else nothing."""
    side = math.isqrt(patches)
    for channels in (3, 1):
        edge = math.isqrt(voxels // channels)
        if side * side == patches and edge * edge * channels == voxels and edge > 1:
            return f"{side} × {side} patches of {edge} × {edge} pixels, {channels} channels"
    return ""
