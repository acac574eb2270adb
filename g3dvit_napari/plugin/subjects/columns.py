"""The columns of the list: what each says, by what it is sorted, and what is good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isnan
from typing import Any

from g3dvit_napari.core.chance import in_percent, p_of
from g3dvit_napari.core.types import ExplanationRequest, Prediction
from g3dvit_napari.plugin.jobs import title_of
from g3dvit_napari.plugin.subjects.ledger import Ledger, Outcome
from g3dvit_napari.summaries.quality import Quality

TRUTH = "True"  # the column that lists without true classes do not show
RIGHT, WRONG = "✓", "✗"
FROM_FILE = "(file)"
PERCENT = "\u00a0%"  # as everywhere in the form, with a space that does not break
_SAVED = (
    "Read from the file of ratings: what this checkpoint predicted when the subject was rated.\n"
    "Run the list to have it anew, with the map and the figures."
)
LETTERS = {"pass": "P", "unsure": "U", "fail": "F"}
_ORDER = {"fail": 0, "unsure": 1, "pass": 2}
_NOTHING = Outcome(ExplanationRequest())  # of a subject that was not explained


@dataclass(frozen=True)
class Column:
    """One column; `text`, `order` and `hint` are asked for the subject of a key.

    Where `order` gives None, there is nothing to sort by: such rows are last either way.
    """

    title: str
    tip: str
    width: int
    text: Callable[[Ledger, str], str]
    order: Callable[[Ledger, str], Any]
    hint: Callable[[Ledger, str], str]
    is_number: bool = False


def rating(ledger: Ledger, key: str) -> str:
    """Return "pass", "unsure", "fail" or nothing."""
    return ledger.ratings.get(key, {}).get("rating", "")


def note(ledger: Ledger, key: str) -> str:
    """Return what was noted about a subject."""
    return ledger.ratings.get(key, {}).get("note", "")


def status(ledger: Ledger, key: str) -> str:
    """Return what became of a subject in one word."""
    outcome = ledger.outcomes.get(key)
    if outcome is None:
        return "–"
    return "failed" if outcome.error else outcome.status


def rated_another_method(ledger: Ledger, key: str) -> str:
    """Return the method whose map a rating was given on, where another is asked for now."""
    method = ledger.ratings.get(key, {}).get("method", "") if rating(ledger, key) else ""
    return "" if method in ("", ledger.question.method) else method


def _rating_hint(ledger: Ledger, key: str) -> str:
    other = rated_another_method(ledger, key)
    on = f", given on a map of {title_of(other)}" if other else ""
    return f"{rating(ledger, key).capitalize() or 'Not rated yet'}{on}."


def _prediction(ledger: Ledger, key: str) -> Prediction | None:
    outcome = ledger.outcomes.get(key)
    return outcome.prediction if outcome else None


def predicted(ledger: Ledger, key: str) -> tuple[str, float]:
    """Return the predicted class and its probability; of a regression, no name and the value."""
    found = _prediction(ledger, key)
    if found is None:
        return ledger.saved_prediction(key) or ("", -inf)
    chance = found.probabilities[found.predicted]
    if isnan(chance):
        return "", found.logits[0]
    return found.class_names[found.predicted], chance


def _predicted_order(ledger: Ledger, key: str) -> tuple[str, float] | None:
    found = predicted(ledger, key)
    return None if found[1] == -inf else found


def _predicted_text(ledger: Ledger, key: str) -> str:
    name, value = predicted(ledger, key)
    if value == -inf:
        return "–"
    mark = {True: f"{RIGHT} ", False: f"{WRONG} ", None: ""}[ledger.is_right(key)]
    words = f"{mark}{name} {in_percent(value)}" if name else f"{value:.4g}"
    return words if ledger.saved_prediction(key) is None else f"{words} {FROM_FILE}"


def _predicted_hint(ledger: Ledger, key: str) -> str:
    found, saved = _prediction(ledger, key), ledger.saved_prediction(key)
    if found is None and saved is None:
        return ledger.outcomes.get(key, _NOTHING).error
    if found is None:
        return _SAVED
    pairs = zip(found.class_names, found.probabilities, strict=True)
    lines = [f"{name}: {p_of(chance)}" for name, chance in pairs if not isnan(chance)]
    right = ledger.is_right(key)
    if right is not None:
        label = ledger.by_key[key].label
        lines.append(f"{'Right' if right else 'Wrong'}: the true class is {label}.")
    return "\n".join(lines)


def _status_hint(ledger: Ledger, key: str) -> str:
    outcome = ledger.outcomes.get(key)
    if outcome is None:
        return "Not explained yet."
    stale = "" if ledger.is_answered(key) else "Answers an earlier question; run it again."
    return "\n".join(filter(None, (outcome.error, outcome.message, stale)))


def _warnings(ledger: Ledger, key: str) -> tuple[str, ...]:
    outcome = ledger.outcomes.get(key)
    return outcome.warnings if outcome else ()


def _warnings_order(ledger: Ledger, key: str) -> int | None:
    return len(_warnings(ledger, key)) if _prediction(ledger, key) is not None else None


def _figure(
    title: str, tip: str, take: Callable[[Quality], float], style: str, width: int = 60
) -> Column:
    """Return a column of one figure."""

    def value(ledger: Ledger, key: str) -> float:
        return take(ledger.outcomes.get(key, _NOTHING).quality)

    def text(ledger: Ledger, key: str) -> str:
        found = value(ledger, key)
        return "–" if isnan(found) else style.format(found).replace("%", PERCENT)

    def order(ledger: Ledger, key: str) -> float | None:
        found = value(ledger, key)
        return None if isnan(found) else found

    return Column(title, tip, width, text, order, _in_full, is_number=True)


def _in_full(ledger: Ledger, key: str) -> str:
    outcome = ledger.outcomes.get(key, _NOTHING)
    found = outcome.quality
    if isnan(found.in_head):
        return outcome.error
    way = found.way_to_ceiling
    words = "more than that" if way > 1 else f"{way:.0%} of the way"
    return (
        f"{found.in_head:.0%} of the relevance lies inside the head: {found.chance:.0%} would by "
        f"chance, {found.ceiling:.0%} if every patch were as relevant as it holds head "
        f"({words}).\n"
        f"The strongest patch holds {found.strongest:.1%}; the spread is {found.spread:.1%}.\n"
        f"The network sees {found.head_seen:.1%} of the head."
    ).replace("%", PERCENT)


COLUMNS = (
    Column(
        "●",
        "Your rating: P pass, U unsure, F fail.",
        44,
        lambda ledger, key: LETTERS.get(rating(ledger, key), ""),
        lambda ledger, key: _ORDER.get(rating(ledger, key), 3),
        _rating_hint,
    ),
    Column(
        "Subject",
        "Participant, session, and what else tells two files apart.",
        80,
        lambda ledger, key: ledger.by_key[key].name,
        lambda ledger, key: ledger.places[key],
        lambda _ledger, key: key,
    ),
    Column(
        "Prediction",
        f"The predicted class and its probability; {RIGHT} right, {WRONG} wrong where the list\n"
        "has a column 'label'.",
        138,
        _predicted_text,
        _predicted_order,
        _predicted_hint,
    ),
    Column(
        TRUTH,
        "The true class, from the column 'label' of the list.",
        80,
        lambda ledger, key: ledger.by_key[key].label,
        lambda ledger, key: ledger.by_key[key].label.casefold(),
        lambda ledger, key: ledger.by_key[key].label,
    ),
    Column(
        "Map",
        "Whether the map shows anything: ok, or why not (zero, constant, failed …).",
        48,
        status,
        status,
        _status_hint,
    ),
    _figure(
        "In head",
        "How much more relevance lies inside the head than chance would put there.\n"
        "Well above 1 is good; 1 or less: the map does not know where the head is.",
        lambda q: q.times_chance,
        "{:.2f} ×",
    ),
    _figure(
        "Strongest",
        "Share of the relevance in the strongest patch. A small finding may hold half of it;\n"
        "most of it in a patch where nothing is to be seen is suspect, an artefact perhaps.",
        lambda q: q.strongest,
        "{:.1%}",
        70,
    ),
    _figure(
        "Spread",
        "How evenly the patches share the relevance. Close to 100 %: no place stands out;\n"
        "a few per cent: it is in a few patches.",
        lambda q: q.spread,
        "{:.1%}",
        54,
    ),
    _figure(
        "Seen",
        "Share of the head that lies in the network's field of view. 100 % is good;\n"
        "less: part of the head was cut off, so check how the volume is placed.",
        lambda q: q.head_seen,
        "{:.0%}",
        50,
    ),
    Column(
        "⚠",
        "Warnings of the reader and of the fit to the network. None is good.",
        28,
        lambda ledger, key: str(len(_warnings(ledger, key)) or ""),
        _warnings_order,
        lambda ledger, key: "\n".join(_warnings(ledger, key)),
        is_number=True,
    ),
    Column(
        "Note",
        "What you noted.",
        90,
        note,
        lambda ledger, key: note(ledger, key).casefold(),
        note,
    ),
)


def row_words(ledger: Ledger, key: str) -> str:
    """Return all words of a row that a filter may find, in small letters."""
    subject, outcome = ledger.by_key[key], ledger.outcomes.get(key)
    words = [subject.name, key, subject.label, rating(ledger, key), note(ledger, key)]
    words += [predicted(ledger, key)[0], FROM_FILE * (ledger.saved_prediction(key) is not None)]
    words.append({True: "right", False: "wrong", None: ""}[ledger.is_right(key)])
    if outcome is not None:
        words += [status(ledger, key), outcome.error]
    return " ".join(words).casefold()
