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
        self._done = 0

    def __call__(self) -> None:
        """Count one step."""
        self._done += 1
        if self._listener is not None:
            self._listener(min(self._done / (self._steps + 1), 0.95), self._word)
