"""Several trainings at once, each in a process of its own with one thread."""

from __future__ import annotations

import multiprocessing
import queue
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from g3dvit_napari.benchmark.training.recipe import Recipe
from g3dvit_napari.benchmark.training.train import train_one
from g3dvit_napari.core.errors import G3DViTError
from g3dvit_napari.core.progress import Progress

_WAIT = 0.5  # seconds between two looks at the processes
_CONTEXT = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork


@dataclass(eq=False)
class _Crew:
    """The processes at work, and how far each recipe is."""

    folder: Path
    device: str
    news: Any = field(default_factory=_CONTEXT.Queue)
    running: dict[str, Any] = field(default_factory=dict)
    done: dict[str, float] = field(default_factory=dict)

    def start(self, recipe: Recipe) -> None:
        arguments = (recipe, self.folder, self.device, self.news)
        process = _CONTEXT.Process(target=_train, args=arguments, daemon=True)
        process.start()
        self.running[recipe.id] = process

    def clear(self) -> None:
        """Forget the processes that have ended.

        Raises
        ------
        G3DViTError
            When one of them failed.
        """
        for name, process in list(self.running.items()):
            if process.exitcode is None:
                continue
            del self.running[name]
            if process.exitcode != 0:
                raise G3DViTError(
                    f"training {name} ended with code {process.exitcode}; its last lines say why"
                )
            self.done[name] = 1.0

    def stop(self) -> None:
        for process in self.running.values():
            process.terminate()
            process.join()


def train_side_by_side(
    recipes: Sequence[Recipe],
    folder: Path,
    progress: Progress | None,
    *,
    device: str,
    processes: int,
) -> None:
    """Train networks in so many processes; `progress` hears of all of them and may stop them."""
    crew, waiting = _Crew(folder, device), list(recipes)
    try:
        while waiting or crew.running:
            while len(crew.running) < processes and (ready := _first_ready(waiting, crew)):
                waiting.remove(ready)
                crew.start(ready)
            _listen(crew, len(recipes), progress)
            crew.clear()
    finally:
        crew.stop()


def _first_ready(waiting: Sequence[Recipe], crew: _Crew) -> Recipe | None:
    """Return the first that need not wait for another one to end."""
    ahead = {*crew.running, *(recipe.id for recipe in waiting)}
    return next((r for r in waiting if r.after is None or r.after.id not in ahead), None)


def _listen(crew: _Crew, count: int, progress: Progress | None) -> None:
    try:
        name, fraction, word = crew.news.get(timeout=_WAIT)
    except queue.Empty:
        return
    crew.done[name] = max(crew.done.get(name, 0.0), fraction)
    if progress is not None:
        progress(sum(crew.done.values()) / count, word)


def _train(recipe: Recipe, folder: Path, device: str, news: Any) -> None:
    """Train in a process of its own."""
    import torch

    torch.set_num_threads(1)
    train_one(recipe, folder, lambda f, word: news.put((recipe.id, f, word)), device)
