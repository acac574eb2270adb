"""Progress of long work: a fraction and a word; the listener may raise `Cancelled`."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float, str], None]


class Ticks:
    """Turns ticks between equal steps into fractions of a progress bar.

    Parameters
    ----------
    listener
        Called at each tick; None when nobody listens.
    steps
        How many ticks are expected; more than that stay just below the end.
    word
        What is being done.
    """

    def __init__(self, listener: Progress | None, steps: int, word: str) -> None:
        self._listener, self._steps, self._word = listener, max(steps, 1), word
        self._done, self._told = 0, 0.0

    def expect(self, steps: int) -> None:
        """Count on so many more steps."""
        self._steps += steps

    def __call__(self) -> None:
        """Count one step."""
        self._done += 1
        if self._listener is not None:
            fraction = min(self._done / (self._steps + 1), 0.95)
            self._told = max(self._told, fraction)  # what is expected may grow, a bar not shrink
            self._listener(self._told, self._word)


class Parts:
    """One progress bar for equal parts of work, each of which tells its own progress.

    Parameters
    ----------
    listener
        Called with the share of all work that is done, which never falls; None when nobody listens.
    parts
        How many there are.
    """

    def __init__(self, listener: Progress | None, parts: int) -> None:
        self._listener, self._parts = listener, max(parts, 1)
        self._begun, self._told = 0, 0.0

    def begin(self, word: str) -> None:
        """Go on to the next part."""
        self._begun += 1
        self(0.0, word)

    def __call__(self, fraction: float, word: str) -> None:
        """Take in the progress of the part that is being worked on."""
        if self._listener is not None:
            done = (max(self._begun, 1) - 1 + fraction) / self._parts
            self._told = min(max(self._told, done), 1.0)
            self._listener(self._told, word)
