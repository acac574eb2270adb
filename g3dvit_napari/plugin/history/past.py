"""The last results in their order, and where in them one is; bounded in number and memory."""

from __future__ import annotations

import re
from dataclasses import dataclass

from napari.layers import Layer

from g3dvit_napari.core.types import Explanation
from g3dvit_napari.plugin.history.packing import bytes_of, is_packed, packed
from g3dvit_napari.plugin.jobs import title_of

MOST_RESULTS = 12
MOST_BYTES = 256 * 2**20  # of voxels; older results keep their patches and are enlarged again


@dataclass(eq=False)
class Result:
    """An explanation, and the layer it explains."""

    layer: Layer
    explanation: Explanation

    @property
    def words(self) -> str:
        """What it is, in one line."""
        found = self.explanation
        parts = [found.target_name, title_of(found.request.method), self._frame, self.layer.name]
        return " · ".join(filter(None, parts))

    @property
    def frame(self) -> int | None:
        """Which frame of a series it explains; None for their mean, and for a 3-D volume."""
        found = re.match(r"frame (\d+) of ", self._frame)
        return int(found[1]) if found else None

    @property
    def _frame(self) -> str:
        source = self.explanation.relevance.source
        return source.frame if source else ""


class Past:
    """Results from the oldest to the newest. `place` is the one on show, or behind the last."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.place = 0

    @property
    def now(self) -> Result | None:
        """The result on show, if it is one of these."""
        return self.results[self.place] if self.place < len(self.results) else None

    def take(self, result: Result) -> None:
        """Add a new result at the end, or the one on show cut elsewhere; an answer stands once."""
        now = self.now
        if now is not None and _same(now.explanation, result.explanation):
            now.explanation = result.explanation
        else:
            others = [r for r in self.results if not _same(r.explanation, result.explanation)]
            self.results = [*others, result][-MOST_RESULTS:]
            self.place = len(self.results) - 1
        self._save_memory()

    def turn_to(self, result: Result, explanation: Explanation) -> None:
        """Make a result the one on show; `explanation` is it, with all its voxels."""
        result.explanation = explanation
        self.place = self.results.index(result)
        self._save_memory()

    def step(self, by: int) -> Result | None:
        """Return the result so many places on, if there is one."""
        wanted = self.place + by
        return self.results[wanted] if 0 <= wanted < len(self.results) else None

    def drop(self, layer: Layer) -> None:
        """Forget the results of a layer."""
        self._keep([result for result in self.results if result.layer is not layer])

    def clear(self) -> None:
        """Forget all."""
        self.results, self.place = [], 0

    def _save_memory(self) -> None:
        """Pack the oldest results, and drop what is still too much; the one on show stays."""
        others = [result for result in self.results if result is not self.now]
        for result in others:
            if not self._fits and not is_packed(result.explanation):
                result.explanation = packed(result.explanation)
        for result in others:
            if not self._fits:
                self._keep([kept for kept in self.results if kept is not result])

    def _keep(self, results: list[Result]) -> None:
        """Replace the results by some of them; the one on show stays so where it is kept."""
        now, self.results = self.now, results
        self.place = results.index(now) if now in results else len(results)

    @property
    def _fits(self) -> bool:
        held = ((result.explanation, result.layer.data) for result in self.results)
        return bytes_of(held) <= MOST_BYTES


def _same(one: Explanation, other: Explanation) -> bool:
    """Whether two are the same answer: cuts of it share its raw map."""
    return one.patch_map is other.patch_map
