"""Known truth: data that is made, networks that learn it, and every method judged on them.

`make` writes samples, `train` trains the networks of a tier, `trained` and `samples` hand out both.
torch is imported on the first use of a network.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from g3dvit_napari.benchmark.making import make, make_series
from g3dvit_napari.benchmark.sample import SPLITS, Sample, Task
from g3dvit_napari.benchmark.tasks import task_named
from g3dvit_napari.benchmark.training.tiers import MODELS, TIERS, chosen, recipe_of
from g3dvit_napari.core.progress import Progress

if TYPE_CHECKING:
    from g3dvit_napari.benchmark.gate import Share, Verdict
    from g3dvit_napari.benchmark.training.store import Place, Report
    from g3dvit_napari.models.handle import ModelHandle

__all__ = [
    "MODELS",
    "SPLITS",
    "TIERS",
    "Sample",
    "Task",
    "make",
    "make_series",
    "report",
    "samples",
    "task_named",
    "train",
    "trained",
    "validity",
]


def train(
    tier: str,
    folder: str | Path | None = None,
    progress: Progress | None = None,
    *,
    device: str = "auto",
    processes: int = 1,
    only: str = "",
) -> list[Report]:
    """Train all networks of a tier that are not there, and return the reports of all.

    Parameters
    ----------
    tier
        "ci", "nightly", "claims" or "gpu".
    folder
        Where networks are kept; the user's cache when not given.
    progress
        Called with the fraction of the whole tier and a word; may raise `Cancelled`. A training
        that is stopped goes on from there the next time.
    processes
        How many networks are trained at once; each takes one thread.
    only
        Networks whose name begins with this, such as "cubes-a" or "brain-site-seed0"; several with
        commas between.

    Raises
    ------
    MethodError
        When there is no such tier, or no network in it begins so.
    """
    from g3dvit_napari.benchmark.training.tier_run import run

    place = _folder(folder)
    return run(chosen(tier, only), place, progress, device=device, processes=processes)


def trained(model_id: str, folder: str | Path | None = None, device: str = "cpu") -> ModelHandle:
    """Return a trained network, such as "cubes-a-seed0", ready for `api.explain`.

    Raises
    ------
    MethodError
        When no network is named so.
    CheckpointError
        When it has not been trained.
    """
    return _place(model_id, folder).load(device)


def report(model_id: str, folder: str | Path | None = None) -> Report:
    """Return accuracy, validity per class, seconds and settings of a trained network."""
    return _place(model_id, folder).read_report()


def samples(model_id: str, split: str, count: int) -> list[Sample]:
    """Return the first samples of a network's task, with the labels that it was taught."""
    from g3dvit_napari.benchmark.training.train import samples_of

    return samples_of(recipe_of(model_id), split, count)


def validity(model: ModelHandle, some: list[Sample]) -> tuple[list[Verdict], list[Share]]:
    """Return for each sample whether the network uses its signal, and the shares per class."""
    from g3dvit_napari.benchmark.gate import shares, verdicts

    found = verdicts(model, some)
    return found, shares(found, model.class_names)


def _folder(folder: str | Path | None) -> Path:
    from g3dvit_napari.benchmark.training.store import usual_folder

    return usual_folder() if folder is None else Path(folder)


def _place(model_id: str, folder: str | Path | None) -> Place:
    from g3dvit_napari.benchmark.training.store import Place

    return Place(_folder(folder), recipe_of(model_id))
