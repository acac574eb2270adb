"""What a map answers, and what scores of another map are of."""

from __future__ import annotations

from typing import Any

from g3dvit_napari.core.score import Judgement
from g3dvit_napari.core.types import Explanation
from g3dvit_napari.plugin.jobs import LoadedModel, title_of

Question = tuple[Any, ...]


def question_of(explanation: Explanation, layer: Any, model: LoadedModel) -> Question:
    """Return what was asked of which network about which volume, but for the threshold."""
    request = explanation.request
    what = request.method, dict(request.parameters), request.objective, request.against
    where = layer.unique_id, explanation.provenance.get("frame")
    return (*what, explanation.target, *where, id(model))


def is_by(explanation: Explanation, model: LoadedModel) -> bool:
    """Whether an explanation names the file of a network, or no file at all."""
    named = explanation.provenance.get("checkpoint")
    return named is None or dict(named) == dict(model.handle.checkpoint)


def stale(judgement: Judgement) -> str:
    """Say what scores are of when the map on show is another one."""
    found = judgement.explanation
    volume = found.scaled.placement.volume
    name = volume.source.name if volume.source else volume.name
    return (
        f"The scores below are of {title_of(found.request.method)}, class {found.target_name}, "
        f"in {name}. The map on show is another one: judge it anew."
    )
