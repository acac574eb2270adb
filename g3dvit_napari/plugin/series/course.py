"""The time course of one question: what is known of every frame, kept small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.scaled_map import ScaledMap
from g3dvit_napari.core.threshold import limits_of
from g3dvit_napari.core.types import (
    Explanation,
    ExplanationRequest,
    Prediction,
    Status,
    Threshold,
    Volume,
)

Frame = int | Literal["mean"]
Scale = Literal["common", "own"]
Limits = tuple[float, float]


@dataclass(frozen=True, eq=False)
class KeptFrame:
    """What is kept of one frame's explanation: patches, not voxels."""

    values: NDArray[np.float32]  # raw, (f h w)
    target: int
    prediction: Prediction
    limits: Limits
    status: Status
    message: str
    seconds: float
    figures: Mapping[str, float]
    fingerprint: int  # of the frame's voxels

    @property
    def nbytes(self) -> int:
        """The memory that the map takes; the rest is a few hundred bytes."""
        return int(self.values.nbytes)


@dataclass(frozen=True, eq=False)
class _Shared:
    """What holds for all frames: where the maps lie, and how they were made."""

    placement: Placement
    signed: bool
    provenance: Mapping[str, Any]


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
    frames: dict[Frame, KeptFrame] = field(default_factory=dict)
    shares: dict[Any, dict[int, float]] = field(default_factory=dict)  # per region, per frame
    _shared: _Shared | None = None

    @property
    def numbers(self) -> list[int]:
        """The frames that are known, in the order of time."""
        return sorted(frame for frame in self.frames if isinstance(frame, int))

    @property
    def signed(self) -> bool:
        """Whether negative values mean something."""
        return self._shared is not None and self._shared.signed

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes."""
        known = next(iter(self.frames.values()), None)
        return known.prediction.class_names if known else ()

    def keep(self, frame: Frame, explanation: Explanation, fingerprint: int) -> KeptFrame:
        """Keep of an explanation what its maps can be made from again."""
        scaled = explanation.scaled
        if self._shared is None:
            self._shared = _Shared(scaled.placement, scaled.signed, explanation.provenance)
        raw = scaled.placement.tokens_of(explanation.patch_map)
        kept = self.frames[frame] = KeptFrame(
            np.ascontiguousarray(raw, dtype=np.float32),
            explanation.target,
            explanation.prediction,
            _limits_of(explanation),
            explanation.status,
            explanation.message,
            explanation.seconds,
            explanation.figures,
            fingerprint,
        )
        self._forget_shares(frame)
        return kept

    def drop(self, frame: Frame) -> None:
        """Forget a frame."""
        self.frames.pop(frame, None)
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
        return self._all.placement

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

    @property
    def _all(self) -> _Shared:
        if self._shared is None:
            raise RuntimeError("nothing is known yet: keep() comes first")
        return self._shared

    def scaled(self, frame: Frame, scale: Scale, placement: Placement) -> ScaledMap:
        """Return a frame's map, scaled to be looked at."""
        low, high = limits = self.limits(frame, scale)
        kept = self.frames[frame]
        usable = kept.status == "ok" and high > low
        values = kept.values.astype(np.float64) if usable else np.zeros_like(kept.values, float)
        if usable:
            values = ((values if self.signed else np.maximum(values, 0.0)) - low) / (high - low)
        return ScaledMap(placement, values, self.signed, limits)

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
        scaled = self.scaled(frame, scale, placement)
        shown, cut = scaled.shown(threshold)
        return Explanation(
            request=replace(self.request, target=kept.target, threshold=threshold),
            prediction=kept.prediction,
            patch_map=placement.patch_volume(kept.values.astype(np.float64)),
            relevance=volume.like(shown, "relevance"),
            field_of_view=volume.like(placement.field_of_view, "field of view"),
            scaled=scaled,
            target=kept.target,
            cut=cut,
            status=kept.status,
            message=kept.message,
            seconds=kept.seconds,
            provenance={**self._all.provenance, **self.when(frame, scale)},
            figures=kept.figures,
            origin="memory",
        )

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


def _limits_of(explanation: Explanation) -> Limits:
    """Return the map's own limits, also where it was shown on a common scale."""
    usable = explanation.status == "ok"
    return limits_of(explanation.patch_map.data, signed=explanation.signed) if usable else (0, 0)
