"""What a comparison has done outside the GUI thread: its explanations, a difference, a file."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from g3dvit_napari.core.errors import Cancelled, G3DViTError, MethodError
from g3dvit_napari.core.types import Explanation, ExplanationRequest
from g3dvit_napari.plugin import jobs
from g3dvit_napari.plugin.comparing.difference import Difference, Titled
from g3dvit_napari.plugin.comparing.kinds import ALL_WEIGHTS, ORIGINAL, Kind, Plan, Variant
from g3dvit_napari.plugin.comparing.scale import Scale
from g3dvit_napari.plugin.jobs import Inquiry
from g3dvit_napari.plugin.lane import Report, sentence


@dataclass(frozen=True, eq=False)
class Compared:
    """Titled explanations of one volume; `failed` names those that could not be had, and why."""

    kind: Kind
    titled: tuple[Titled, ...]
    failed: tuple[str, ...] = ()


def compare(inquiry: Inquiry, plan: Plan, report: Report) -> Compared:
    """Explain a volume in several ways, one after the other; an error of one leaves the others.

    Raises
    ------
    G3DViTError
        When less than two maps are left.
    """
    titled: list[Titled] = []
    failed: list[str] = []
    for number, variant in enumerate(plan.variants):

        def part(
            fraction: float, stage: str, done: int = number, name: str = variant.title
        ) -> None:
            words = f"{done + 1} of {len(plan.variants)}: {name}, {stage}"
            report((done + fraction) / len(plan.variants), words)

        first = titled[0][1] if titled else None
        try:
            found = _explained(inquiry, plan, variant, first, part)
        except Cancelled:
            raise
        except (G3DViTError, RuntimeError) as error:  # torch raises little else
            failed.append(f"{variant.title}: {sentence(error)}")
        else:
            titled.append((variant.title, found))
    if len(titled) < 2:
        raise G3DViTError("\n".join(failed) or "mark at least two maps to compare")
    return Compared(plan.kind, tuple(titled), tuple(failed))


def difference(first: Titled, second: Titled, scale: Scale, report: Report) -> Difference:
    """Return the difference of two maps and how far they agree."""
    report(0.2, "comparing two maps")
    agreement = jobs.facade().summaries.agreement_of(first[1], second[1])
    made = Difference(first, second, scale, agreement)
    report(0.8, "subtracting")
    made.limit  # noqa: B018 - computed here rather than in the GUI thread
    return made


def save_layer(path: str, data: Any, attributes: dict[str, Any], report: Report) -> list[Path]:
    """Write a layer as NIfTI, on the grid of the volume it lies on."""
    from g3dvit_napari.plugin.contributions import write_volume_file

    report(0.1, f"writing {Path(path).name}")
    return [Path(written) for written in write_volume_file(path, data, attributes)]


def _explained(
    inquiry: Inquiry, plan: Plan, variant: Variant, first: Explanation | None, report: Report
) -> Explanation:
    asked = _asked(inquiry, plan, variant, report)
    request = asked.request
    if plan.kind != "classes" and first is not None:  # all of one class: that of the first
        request = _of_class(asked, request, first)
    with asked.model.turn:
        return jobs.explained(asked, inquiry.volume(), request.target, report)


def _asked(inquiry: Inquiry, plan: Plan, variant: Variant, report: Report) -> Inquiry:
    """Return the inquiry of one cell."""
    request, value = inquiry.request, variant.value
    if plan.kind == "methods":
        parameters = request.parameters if value == request.method else {}
        return replace(inquiry, request=replace(request, method=value, parameters=parameters))
    if plan.kind == "classes":
        return replace(inquiry, request=replace(request, target=value))
    if plan.kind == "layers":
        parameters = {**request.parameters, "block": value}
        return replace(inquiry, request=replace(request, parameters=parameters))
    if value == ORIGINAL:
        return inquiry
    if plan.kind == "checkpoints":
        return replace(inquiry, model=_loaded(inquiry, value, report))
    return replace(inquiry, model=_randomised(inquiry, value, plan.seed, report))


def _loaded(inquiry: Inquiry, path: str, report: Report) -> jobs.LoadedModel:
    """Load another network, on the device of the first; it is let go after its explanation."""
    device = str(getattr(inquiry.model.handle, "device", "auto"))
    model = jobs.load_model(path, "", device, report)
    reason = model.reasons.get(inquiry.request.method)
    if reason:
        raise MethodError(reason)
    return model


def _randomised(inquiry: Inquiry, value: int | str, seed: int, report: Report) -> jobs.LoadedModel:
    report(0.0, "drawing new weights")
    down_to = None if value == ALL_WEIGHTS else int(value)
    with inquiry.model.turn:
        handle = jobs.facade().randomised(inquiry.model.handle, seed, down_to)
    return replace(inquiry.model, handle=handle, turn=threading.Lock())


def _of_class(
    asked: Inquiry, request: ExplanationRequest, first: Explanation
) -> ExplanationRequest:
    """Ask for the classes of the first map, by name: other networks may number otherwise."""
    against, there = first.request.against, tuple(asked.model.handle.class_names)
    if against is not None:
        against = _number(first.prediction.class_names[int(against)], there)
    return replace(request, target=_number(first.target_name, there), against=against)


def _number(name: str, there: tuple[str, ...]) -> int:
    if name not in there:
        raise MethodError(
            f"it has no class {name!r}, only {', '.join(there)}; correct class_names in its spec, "
            "or explain another class"
        )
    return there.index(name)
