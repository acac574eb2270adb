"""How the question in the form stands to the map on show, in words."""

from __future__ import annotations

from g3dvit_napari.core.registry import Cost
from g3dvit_napari.core.types import Explanation, ExplanationRequest
from g3dvit_napari.plugin.asking.question_box import QuestionBox


def what_ran(found: Explanation, cost: Cost | None) -> str:
    """Return what an answer took: nothing, work on the kept pass, or runs of the network."""
    if found.origin == "memory":
        return "from memory"
    seconds = f"{found.seconds:.2f}\u00a0s"
    if cost == "many passes":
        return f"many passes ({seconds})"
    if found.origin == "network":
        return f"ran the network ({seconds})"
    back = " and one back" if cost == "one pass" else ""
    return f"from the kept pass{back} ({seconds})"


def standing(
    shown: Explanation, asked: ExplanationRequest, box: QuestionBox, volume: str = ""
) -> str:
    """Say that the map on show answers another question than the form asks; empty: it does not.

    Parameters
    ----------
    shown
        The map on show.
    asked
        What the form asks.
    box
        Where it is asked.
    volume
        The name of the chosen volume where the map is one of another.
    """
    known, names = shown.request, shown.prediction.class_names
    target = shown.prediction.number_of(asked.target)
    other_method = asked.method != known.method
    other_class = not box.why_no_class and target != shown.target
    method = f"by {box.title_of(asked.method)}" if other_method else ""
    place = f"on {volume}" if volume else ""
    wanted = " ".join(filter(None, [names[target] if other_class else "", method, place]))
    settings = (asked.parameters, asked.objective, asked.against)
    if not wanted and settings == (known.parameters, known.objective, known.against):
        return ""
    now = f"{shown.target_name} by {box.title_of(known.method)}"
    return f"Shown: {now}. Press Compute for {_bare(wanted) or 'the new settings'}."


def _bare(words: str) -> str:
    return words.removeprefix("by ").removeprefix("on ")
