"""What is done for a list of subjects outside the GUI thread; see `plugin.jobs`.

Lists and ratings are taken from `io` directly: looking at names must not load PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from napari.layers import Layer

from g3dvit_napari.core.compact import CompactExplanation
from g3dvit_napari.core.errors import Cancelled, G3DViTError
from g3dvit_napari.core.types import Explanation, ExplanationRequest, Threshold
from g3dvit_napari.io.sample_study import write_study
from g3dvit_napari.io.subjects import Kind, Subject, SubjectList, find_subjects
from g3dvit_napari.plugin import jobs
from g3dvit_napari.plugin.answers import Answers
from g3dvit_napari.plugin.lane import Report, sentence
from g3dvit_napari.plugin.picture.layers import volume_of
from g3dvit_napari.plugin.subjects.ledger import Outcome

MOST_AHEAD = 200_000_000  # bytes of a file that is read before it is asked for
# What reading a file and running a network may end in; anything else is a mistake of ours.
FAILURES = (G3DViTError, RuntimeError, OSError, ValueError, MemoryError)
Deliver = Callable[[str, Outcome, CompactExplanation | None], None]


@dataclass(frozen=True, eq=False)
class Opened:
    """A subject ready to be shown: its layer, and its map where that was kept."""

    key: str
    layer: Layer | None
    explanation: Explanation | None = None
    error: str = ""


def find(place: str, kind: Kind | None, report: Report) -> SubjectList:
    """Look for the volumes of a list."""
    report(0.1, f"looking for volumes in {Path(place).name}")
    return find_subjects(place, kind)


def make_study(folder: str, report: Report) -> SubjectList:
    """Write made-up subjects to a folder, and list them."""
    return find_subjects(write_study(Path(folder), report), "table")


def explain_all(
    subjects: Sequence[Subject],
    model: jobs.LoadedModel,
    request: ExplanationRequest,
    deliver: Deliver,
    report: Report,
) -> int:
    """Explain one subject after the other, and hand each answer over as it comes.

    A subject that fails costs only itself. Returns how many failed.
    """
    failed = 0
    for number, subject in enumerate(subjects):
        words = f"{subject.name} ({number + 1} of {len(subjects)})"

        def part(fraction: float, _stage: str, done: int = number, words: str = words) -> None:
            report((done + fraction) / len(subjects), words)

        try:
            part(0.0, "")
            volume = partial(jobs.facade().load_volume, subject.path)
            found = jobs.explain(jobs.Inquiry(model, volume, request), Answers(), part)
            deliver(subject.key, outcome_of(found), CompactExplanation.of(found))
        except Cancelled:
            raise
        except FAILURES as error:
            failed += 1
            deliver(subject.key, Outcome(request, error=sentence(error)), None)
    return failed


def outcome_of(explanation: Explanation) -> Outcome:
    """Return what the list shows of an explanation."""
    return Outcome(
        explanation.request,
        explanation.prediction,
        explanation.status,
        explanation.message,
        explanation.warnings,
        jobs.facade().summaries.quality_of(explanation),
        str(explanation.provenance.get("checkpoint", {}).get("sha256", "")),
    )


def judge(waiting: Mapping[str, Explanation], deliver: Deliver, report: Report) -> None:
    """Find the figures of explanations that were asked for one by one."""
    report(0.0, "the figures")
    for key, explanation in waiting.items():
        deliver(key, outcome_of(explanation), CompactExplanation.of(explanation))


def read_subject(subject: Subject, report: Report) -> Layer:
    """Return the volume of a subject as a layer that is in no viewer yet."""
    (data,) = jobs.read_layers(str(subject.path), report)
    return Layer.create(*data)


def read_ahead(subject: Subject, report: Report) -> tuple[str, Layer] | None:
    """Read a subject before it is asked for; very large files are left alone."""
    if subject.path.stat().st_size > MOST_AHEAD:
        return None
    return subject.key, read_subject(subject, report)


def open_subject(
    subject: Subject,
    layer: Layer | None,
    compact: CompactExplanation | None,
    threshold: Threshold,
    report: Report,
) -> Opened:
    """Read a subject, unless that was done ahead, and lay the map that is kept over it."""
    try:
        layer = layer if layer is not None else read_subject(subject, report)
        if compact is None:
            return Opened(subject.key, layer)
        report(0.8, "placing the map")
        return Opened(subject.key, layer, compact.over(volume_of(layer), threshold))
    except Cancelled:
        raise
    except FAILURES as error:
        return Opened(subject.key, None, error=sentence(error))
