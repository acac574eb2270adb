"""From a volume and a network to explanations; the same explanation cut elsewhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from g3dvit_napari.core.doubts import doubts_about
from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.progress import Progress
from g3dvit_napari.core.result import explanation_of
from g3dvit_napari.core.types import (
    Explanation,
    ExplanationRequest,
    ObjectiveKind,
    Prediction,
    Threshold,
    TokenMaps,
    Volume,
    class_number,
)
from g3dvit_napari.io.same_grid import SameGrid
from g3dvit_napari.methods import METHODS

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle
    from g3dvit_napari.models.passes.forward import ForwardPass


def predict(volume: Volume, model: ModelHandle, progress: Progress | None = None) -> Prediction:
    """Return the network's answer; the pass is kept, so that explaining it next is quicker."""
    from g3dvit_napari.models.running import prediction_of, with_pass

    tensor = Placement(volume, model.spec).to_tensor()
    return with_pass(model, tensor, progress, prediction_of)


def explain(
    volume: Volume,
    model: ModelHandle,
    method: str = "g3dvit",
    target: int | str | None = None,
    *,
    threshold: Threshold | None = None,
    keep: float | None = None,
    objective: ObjectiveKind = "logit",
    against: int | str | None = None,
    progress: Progress | None = None,
    **parameters: Any,
) -> Explanation:
    """Explain one class of one volume.

    Parameters
    ----------
    volume
        The volume, on its own grid.
    model
        The network, from `load_model`.
    method
        A name from `METHODS`.
    target
        Number or name of the class; None for the predicted one.
    threshold
        What part of the map is shown; default: the strongest 5 %, on patches for `g3dvit`
        (as published), on voxels otherwise.
    keep
        Short for a threshold that keeps this many per cent.
    objective
        The number that is explained: the class's "logit", its "probability" or "log_probability",
        or the "contrast" of its logit with that of the class `against`.
    against
        Number or name of the class to contrast with.
    progress
        Called with a fraction and a word between steps; may raise `Cancelled`.
    **parameters
        The method's own parameters, such as `pooling`.

    Raises
    ------
    MethodError
        When method, parameter or class do not exist, or the network cannot serve the method.
    SpecError, VolumeError
        When the volume cannot be brought into the network.
    """
    return explain_classes(
        volume,
        model,
        method,
        [target],
        threshold=threshold,
        keep=keep,
        objective=objective,
        against=against,
        progress=progress,
        **parameters,
    )[0]


def explain_classes(
    volume: Volume,
    model: ModelHandle,
    method: str = "g3dvit",
    targets: Sequence[int | str | None] | None = None,
    *,
    threshold: Threshold | None = None,
    keep: float | None = None,
    objective: ObjectiveKind = "logit",
    against: int | str | None = None,
    progress: Progress | None = None,
    **parameters: Any,
) -> list[Explanation]:
    """Explain several classes (None: all of them) of one volume from one pass; see `explain`."""
    from g3dvit_napari.models.objective import Objective
    from g3dvit_napari.models.provenance import provenance_of
    from g3dvit_napari.models.running import moved_from, prediction_of, with_pass

    started, entry = time.perf_counter(), METHODS[method]
    checked = entry.checked(parameters)
    if reason := why_not(method, model):
        raise MethodError(reason)
    placement, asked_device = Placement(volume, model.spec), model.device
    other = None if against is None else class_number(against, model.class_names)
    asked = Objective(objective, other, model.output)

    def work(run: ForwardPass) -> tuple[Prediction, tuple[int, ...], TokenMaps, bool]:
        prediction = prediction_of(run)
        wanted = range(len(prediction.logits)) if targets is None else targets
        numbers = tuple(prediction.number_of(target) for target in wanted)
        run.files = SameGrid(placement)
        return prediction, numbers, entry.function(run, numbers, **checked), run.kept

    passes = 1 if entry.cost == "instant" else 2  # there, or there and back
    prediction, numbers, maps, kept = with_pass(
        model, placement.to_tensor(), progress, work, passes=passes, objective=asked
    )
    if progress is not None:
        progress(1.0, "placing the map")
    warnings = doubts_about(placement) + maps.remarks + moved_from(asked_device, model)
    cut_at, provenance = entry.cut_at(threshold, keep), provenance_of(model, warnings)
    return [
        explanation_of(
            maps.of_class(row),
            placement,
            ExplanationRequest(method, number, checked, cut_at, objective, asked.against),
            prediction,
            signed=entry.signed,
            seconds=time.perf_counter() - started,
            provenance=provenance,
            origin="kept pass" if kept else "network",
        )
        for row, number in enumerate(numbers)
    ]


def rethreshold(explanation: Explanation, threshold: Threshold) -> Explanation:
    """Return the same explanation cut elsewhere; the network is not touched."""
    shown, cut = explanation.scaled.shown(threshold)
    return replace(
        explanation,
        request=replace(explanation.request, threshold=threshold),
        relevance=explanation.relevance.like(shown),
        cut=cut,
    )


def why_not(method: str, model: ModelHandle) -> str | None:
    """Return why a network cannot serve a method, or None when it can."""
    from g3dvit_napari.models.offers import lacking

    reason = lacking(METHODS[method].needs, model.offers)
    return f"{method} cannot explain this network: {reason}" if reason else None
