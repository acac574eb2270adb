"""Frame policies of 4-D series: one frame, the mean, every k-th, or all of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from g3dvit_napari.core.errors import VolumeError, unknown_name

Frame = int | str | None


@dataclass(frozen=True)
class Group:
    """Frames that become one volume: a single frame, or several that are averaged."""

    indices: range
    words: str = ""  # how the result calls it; empty for a 3-D file


def plan_frames(frame: Frame, count: int) -> list[Group]:
    """Return which frames of a series of `count` a policy takes, in ascending order.

    Parameters
    ----------
    frame
        An index from 0, "mean", "every k", "all", or None, which means "mean".
    count
        Number of frames; 1 for a 3-D volume.

    Raises
    ------
    VolumeError
        When the policy is unknown or asks for a frame that does not exist.
    """
    text = "mean" if frame is None else str(frame).strip().lower()
    if re.fullmatch(r"[+-]?\d+", text):
        return [_single(_checked(int(text), count), count)]
    if count == 1:
        _step(text)
        return [Group(range(1))]
    if text == "mean":
        return [Group(range(count), f"mean of {count} frames")]
    return [_single(index, count) for index in range(0, count, _step(text))]


def _step(text: str) -> int:
    """Return the distance between the frames of "all", "mean" or "every k"."""
    if text in ("all", "mean"):
        return 1
    found = re.fullmatch(r"every[\s:]*(\d+)", text)
    if not found:
        raise VolumeError(
            unknown_name("frame policy", text, ["mean", "all", "every 10", "0"])
            + " (an index counts from 0)"
        )
    if int(found[1]) < 1:
        raise VolumeError(f"frame policy {text!r} takes no frame; use 'every 1' or more")
    return int(found[1])


def _checked(index: int, count: int) -> int:
    if not 0 <= index < count:
        have = f"frames 0 to {count - 1}" if count > 1 else "only frame 0 (it is 3-D)"
        raise VolumeError(f"frame {index} does not exist; the file has {have}")
    return index


def _single(index: int, count: int) -> Group:
    return Group(range(index, index + 1), f"frame {index} of {count}" if count > 1 else "")
