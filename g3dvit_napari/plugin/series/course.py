"""The time course of one question: what is known of every frame, kept small."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal
from zlib import crc32

import numpy as np

from g3dvit_napari.core.compact import CompactExplanation, Limits
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.scaled_map import ScaledMap
from g3dvit_napari.core.types import Explanation, ExplanationRequest, Threshold, Volume

Frame = int | Literal["mean"]
Scale = Literal["common", "own"]


@dataclass(eq=False)
class Course:
    """The explained frames of one layer, all asked the same question.

    Parameters
    ----------
    layer
        The unique id of the series' layer.
    request
        What was asked, without a threshold; a target of None: the class predicted for each frame.
    count
        Number of frames of the series.
    """

    layer: str
    request: ExplanationRequest
    count: int
    frames: dict[Frame, CompactExplanation] = field(default_factory=dict)
    fingerprints: dict[Frame, int] = field(default_factory=dict)  # of the frames' voxels
    shares: dict[Any, dict[int, float]] = field(default_factory=dict)  # per region, per frame
    _placement: Placement | None = None

    @property
    def numbers(self) -> list[int]:
        """The frames that are known, in the order of time."""
        return sorted(frame for frame in self.frames if isinstance(frame, int))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes."""
        known = next(iter(self.frames.values()), None)
        return known.prediction.class_names if known else ()

    def keep(self, frame: Frame, explanation: Explanation, fingerprint: int) -> None:
        """Keep of an explanation what its maps can be made from again."""
        self._placement = self._placement or explanation.scaled.placement
        request = replace(explanation.request, target=explanation.target)
        self.frames[frame] = CompactExplanation.of(replace(explanation, request=request))
        self.fingerprints[frame] = fingerprint
        self._forget_shares(frame)

    def drop(self, frame: Frame) -> None:
        """Forget a frame."""
        self.frames.pop(frame, None)
        self.fingerprints.pop(frame, None)
        self._forget_shares(frame)

    def limits(self, frame: Frame, scale: Scale) -> Limits:
        """Return the raw values shown as 0 and as 1: the frame's own, or common to all frames."""
        own = self.frames[frame].limits
        if scale == "own" or frame == "mean":
            return own
        known = [self.frames[n].limits for n in self.numbers if self.frames[n].status == "ok"]
        lows, highs = zip(*known, strict=True) if known else ((own[0],), (own[1],))
        return min(lows), max(highs)

    @property
    def placement(self) -> Placement:
        """Where the maps of all frames lie; its volume is the frame that was known first."""
        if self._placement is None:
            raise RuntimeError("nothing is known yet: keep() comes first")
        return self._placement

    def stand_in(self, frame: Frame) -> Volume:
        """Return a volume that is as good as a frame's while only its grid is needed."""
        volume = self.placement.volume
        if volume.source is None:
            return volume
        words = f"mean of {self.count} frames" if frame == "mean" else f"frame {frame}"
        return replace(volume, source=replace(volume.source, frame=words))

    def snapshot(self) -> Course:
        """Return a copy to read from while this one goes on."""
        return replace(self, frames=dict(self.frames), shares={})

    def scaled(self, frame: Frame, scale: Scale, placement: Placement) -> ScaledMap:
        """Return a frame's map, scaled to be looked at."""
        return self.frames[frame].scaled(placement, self.limits(frame, scale))

    def explanation(
        self,
        frame: Frame,
        volume: Volume,
        threshold: Threshold,
        scale: Scale,
        *,
        lasting: bool = True,
    ) -> Explanation:
        """Return a frame's explanation, made again from what is kept.

        Parameters
        ----------
        frame
            A frame that is known.
        volume
            The frame's volume.
        threshold
            Where the map is cut.
        scale
            The frame's own scale of values, or that common to all known frames.
        lasting
            False while frames fly by: what lies in the first frame is taken for all of them, which
            saves a few milliseconds.
        """
        kept = self.frames[frame]
        placement = replace(self.placement, volume=volume) if lasting else self.placement
        found = kept.laid(self.scaled(frame, scale, placement), threshold, volume)
        return replace(found, provenance={**kept.provenance, **self.when(frame, scale)})

    def when(self, frame: Frame, scale: Scale) -> dict[str, Any]:
        """Return what an explanation says about its time and its scale."""
        words = {"frame": frame, "frames": self.count}
        if scale == "common" and frame != "mean" and len(self.numbers) > 1:
            return words | {"scale": f"common to {len(self.numbers)} frames"}
        return words

    def _forget_shares(self, frame: Frame) -> None:
        for known in self.shares.values():
            known.pop(frame, None)  # type: ignore[arg-type]


def fingerprint(volume: Volume) -> int:
    """Return a number that changes when a voxel changes."""
    return crc32(np.ravel(volume.data, order="K").tobytes())
