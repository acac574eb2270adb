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
