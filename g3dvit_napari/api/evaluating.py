"""Is the map true? Explanations of one volume, judged by metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.api.explainer import explainer_of
from g3dvit_napari.api.explaining import explain, predict
from g3dvit_napari.api.scoring import scored
from g3dvit_napari.core.atlas import atlas_of
from g3dvit_napari.core.errors import MethodError, VolumeError
from g3dvit_napari.core.evaluation import Evaluation, Mask, Scene
from g3dvit_napari.core.explainer import Explainer
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.progress import Parts, Progress
from g3dvit_napari.core.score import Judgement
from g3dvit_napari.core.types import Explanation, Threshold, Volume
from g3dvit_napari.metrics import METRICS

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle

Input = NDArray[np.float32]
Settings = Mapping[str, Mapping[str, Any]]
USUAL = ("deletion", "insertion")  # of those that ask the network many times


def evaluate(
    volume: Volume,
    model: ModelHandle,
    methods: Sequence[str | Explanation] = ("g3dvit",),
    target: int | str | None = None,
    *,
    truth: Volume | None = None,
    distractor: Volume | None = None,
    brain: Volume | None = None,
    valid: Volume | None = None,
    twin: Volume | None = None,
    metrics: Sequence[str] | Literal["all"] | None = None,
    settings: Settings | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    between: Callable[[], None] | None = None,
) -> list[Judgement]:
    """Explain one class of one volume by several methods, and judge every map.

    Parameters
    ----------
    volume, model, target
        As in `explain`; all methods explain the same class.
    methods
        Names from `METHODS`, or maps of this volume and class that are there already.
    truth
        A mask on any grid: where the signal is known to be.
    distractor
        A mask on any grid: where something looks like the signal and does not matter.
    brain
        A mask on any grid: where anything can be that a network should look at.
    valid
        A mask on any grid: where relevance counts at all.
    twin
        The same volume without the signal, on the same grid: a baseline for what is removed.
    metrics
        Names from `METRICS`, or "all"; when not given, those that are quick, and `USUAL`.
    settings
        Per metric its own settings, such as {"pointing_game": {"level": "patch"}}.
    seed
        Of everything that is drawn at random.
    progress
        Called with a fraction and a word between steps; may raise `Cancelled`.
    between
        Called between two metrics, when the network is at rest and others may ask it.

    Raises
    ------
    MethodError
        When a method, metric or setting does not exist, or a map is of another class.
    VolumeError
        When a mask holds anything but whole numbers, or the twin lies on another grid.
    """
    names = usual_metrics() if metrics is None else tuple(METRICS if metrics == "all" else metrics)
    asked = {name: METRICS[name].checked((settings or {}).get(name, {})) for name in names}
    number = predict(volume, model).number_of(target)
    parts = Parts(progress, len(methods) * (1 + len(names)))
    given = Scene(
        Placement(volume, model.spec),
        number,
        truth=_on_grid(truth, volume),
        distractor=_on_grid(distractor, volume),
        brain=_on_grid(brain, volume),
        valid=_on_grid(valid, volume),
        twin=_as_input(twin, volume, model),
        seed=seed,
    )
    scene = with_network(given, model, parts)
    found = []
    for one in methods:
        explanation = _map_of(one, volume, model, number, parts)
        method = explanation.request.method
        explainer, scores = explainer_of(explanation, model, parts), []
        judged = evaluation_of(explanation, scene, explainer)
        for name, chosen in asked.items():
            if between is not None:
                between()
            parts.begin(f"{method}: {name}")
            scores.append(scored(name, judged, chosen))
        found.append(Judgement(explanation, tuple(scores)))
    return found


def usual_metrics() -> tuple[str, ...]:
    """Return the metrics that are run when none is named."""
    quick = (name for name, entry in METRICS.items() if entry.cost != "many passes")
    return tuple(sorted({*quick, *USUAL}))


def _map_of(
    asked: str | Explanation, volume: Volume, model: ModelHandle, target: int, parts: Parts
) -> Explanation:
    """Return the map of a class by a method, or the one that is there already."""
    if isinstance(asked, str):
        parts.begin(asked)
        none = Threshold("none")
        return explain(volume, model, asked, target, threshold=none, progress=parts)
    parts.begin(asked.request.method)
    if asked.target != target:
        raise MethodError(
            f"the map is of class {asked.target_name!r}, number {asked.target}, but class number "
            f"{target} is judged; name the map's class as the target"
        )
    return asked


def with_network(scene: Scene, model: ModelHandle, progress: Progress | None = None) -> Scene:
    """Return a scene whose metrics may ask a network; it runs only when one does."""
    from g3dvit_napari.models.removal.engine import RemovalEngine

    engine = RemovalEngine(
        model,
        scene.placement.to_tensor(),
        valid=scene.counted_input,
        twin=scene.twin,
        seed=scene.seed,
        progress=progress,
    )
    return replace(scene, network=engine)


def evaluation_of(
    explanation: Explanation, scene: Scene, explainer: Explainer | None = None
) -> Evaluation:
    """Return an explanation as metrics see it."""
    placement = explanation.scaled.placement
    return Evaluation(
        placement.tokens_of(explanation.patch_map).astype(np.float64),
        scene,
        cells=placement.map_cells,
        signed=explanation.signed,
        degenerate=explanation.status != "ok",
        explainer=explainer,
        figures=explanation.figures,
    )


def _on_grid(mask: Volume | None, volume: Volume) -> Mask | None:
    """Return where a mask or any label is, at the nearest voxel of whatever grid it has."""
    if mask is None:
        return None
    inside: Mask = atlas_of(mask).on(volume).labels.data != 0
    return inside


def _as_input(twin: Volume | None, volume: Volume, model: ModelHandle) -> Input | None:
    """Return a volume of the same grid as the network's input (c f h w)."""
    if twin is None:
        return None
    if twin.shape != volume.shape or not np.allclose(twin.affine, volume.affine, atol=1e-3):
        raise VolumeError(
            f"the twin has shape {twin.shape}, the volume {volume.shape}, or they lie elsewhere; "
            "give a twin on the volume's own grid"
        )
    return Placement(twin, model.spec).to_tensor()
