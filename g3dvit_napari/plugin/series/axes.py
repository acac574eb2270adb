"""The arithmetic of a plot over time: where frames and values lie, and which ticks are written."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10

STEPS = (1, 2, 5, 10)


@dataclass(frozen=True)
class TimeAxis:
    """Frames 0 to `count` - 1 between two positions; each has a strip of equal width.

    seconds
        Between two frames; None: unknown, frames are numbered.
    """

    count: int
    left: float
    right: float
    seconds: float | None = None

    @property
    def width(self) -> float:
        """The width of a frame's strip."""
        return (self.right - self.left) / max(self.count, 1)

    def x(self, frame: float) -> float:
        """Return the position of a frame's middle."""
        return self.left + (frame + 0.5) * self.width

    def frame_at(self, x: float) -> int:
        """Return the frame in whose strip a position lies; beyond the ends the last one."""
        return min(max(floor((x - self.left) / self.width), 0), self.count - 1)

    @property
    def title(self) -> str:
        """What the axis shows."""
        return "frame" if self.seconds is None else "seconds"

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Return positions and words of at most so many ticks at round values."""
        unit = self.seconds or 1.0
        last = (self.count - 1) * unit
        step = round_step(last, most, least=None if self.seconds else 1.0)
        return [
            (self.x(value / unit), f"{value:g}")
            for value in (round(n * step, 9) for n in range(floor(last / step + 1e-9) + 1))
        ]

    def words(self, frame: int) -> str:
        """Return a frame's number, and its time where that is known."""
        if self.seconds is None:
            return f"frame {frame}"
        return f"frame {frame} · {frame * self.seconds:g} s"


def round_step(span: float, most: int, least: float | None = None) -> float:
    """Return the smallest round step that divides a span into less than `most` parts."""
    if span <= 0:
        return 1.0
    rough = span / max(most - 1, 1)
    size = 10.0 ** floor(log10(rough))
    step = next(s * size for s in STEPS if s * size >= rough * (1 - 1e-9))
    return max(step, least) if least else step


def round_top(value: float) -> float:
    """Return a round number not below a value, to end an axis at."""
    if not value > 0:
        return 1.0
    size = 10.0 ** floor(log10(value))
    return float(ceil(value / size * 2 - 1e-9) / 2 * size)
