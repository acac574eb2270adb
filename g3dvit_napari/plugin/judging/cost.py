"""What checks will take: counted passes, and the time that one took here before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_MINUTE = 60.0


class Cost:
    """Remembers how long a pass of this network took, with all that it brings along."""

    def __init__(self) -> None:
        self.counted: Any = None  # of what is ticked now
        self.of: Any = None  # for what it was counted
        self._each: float | None = None

    def forget(self) -> None:
        """Another network takes another time."""
        self.counted = self.of = self._each = None

    def measure(self, of: Any, seconds: float) -> None:
        """Take note of a run, if its passes were counted."""
        if self.counted is not None and of == self.of:
            asked = self.counted.network + sum(self.counted.methods.values())
            self._each = seconds / asked if asked else None

    def words(self, title_of: Callable[[str], str]) -> str:
        """Return what is ticked will take; a time only where one was measured before."""
        if self.counted is None:
            return ""
        network, methods = self.counted.network, self.counted.methods
        parts = [f"about {_round(network):,} passes of the network"] if network else []
        parts += [f"{title_of(name)} asked {_times(count)}" for name, count in methods.items()]
        if not parts:
            return "The network is not asked."
        said = ", ".join(parts)
        if self._each is None:
            return f"{said[0].upper()}{said[1:]}."
        seconds = self._each * (network + sum(methods.values()))
        return f"{said[0].upper()}{said[1:]}: {_duration(seconds)}, if it goes as last time."


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _round(count: int) -> int:
    """Return a count in two digits: more would promise too much."""
    size = 10 ** max(len(str(count)) - 2, 0)
    return round(count / size) * size


def _duration(seconds: float) -> str:
    if seconds < 1:
        return "less than a second"
    if seconds < _MINUTE:
        return f"about {seconds:.0f} s"
    return f"about {seconds / _MINUTE:.0f} min"
