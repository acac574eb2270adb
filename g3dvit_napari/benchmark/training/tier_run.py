"""All networks of a tier, one after the other or side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from g3dvit_napari.benchmark.training.recipe import Recipe
from g3dvit_napari.benchmark.training.side_by_side import train_side_by_side
from g3dvit_napari.benchmark.training.store import Place, Report
from g3dvit_napari.benchmark.training.train import train_one
from g3dvit_napari.core.progress import Progress


def run(
    recipes: Sequence[Recipe],
    folder: Path,
    progress: Progress | None = None,
    *,
    device: str = "auto",
    processes: int = 1,
) -> list[Report]:
    """Train what is not there, and return the reports of all; see `benchmark.train`."""
    missing = [recipe for recipe in recipes if not Place(folder, recipe).report.is_file()]
    if processes > 1 and len(missing) > 1:
        train_side_by_side(missing, folder, progress, device=device, processes=processes)
    else:
        _one_by_one(missing, folder, progress, device)
    return [Place(folder, recipe).read_report() for recipe in recipes]


def _one_by_one(
    recipes: Sequence[Recipe], folder: Path, progress: Progress | None, device: str
) -> None:
    for number, recipe in enumerate(recipes):

        def listen(fraction: float, word: str, number: int = number) -> None:
            if progress is not None:
                progress((number + fraction) / len(recipes), word)

        train_one(recipe, folder, listen, device)
