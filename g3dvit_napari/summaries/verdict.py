"""What the scores of one map come to, in one sentence that claims no more than was measured.

A check is a score with a better direction. It passes when it beats chance; where chance was drawn
several times, when it beats every draw. Nothing here says that a map is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from g3dvit_napari.core.score import Score

Colour = Literal["grey", "red", "amber", "green"]
Outcome = Literal["passed", "failed", "not run"]

RANDOMISATION, OTHER_CLASS = "model_randomisation", "class_sensitivity"
FORGETTING = (RANDOMISATION, "efficient_randomisation")  # what tells whether learning matters
HARDLY = 0.5  # similarity to the map of a network that learned nothing, from which it hardly moved
SAME = 0.9  # similarity to the map of another class, from which both are nearly the same
DRAWN = {"higher": "chance_highest", "lower": "chance_lowest"}  # figures: the best draw of chance
WORDS: Mapping[Colour, str] = {
    "grey": "Not judged",
    "red": "Fails a basic check",
    "amber": "Doubtful",
    "green": "No check failed",
}
_NO_CHANCE = "no chance value is known"
_UNINFORMATIVE = "it cannot tell maps apart here"
_FAILURES = {
    OTHER_CLASS: "The map is nearly the same for another class: it does not tell why this one.",
    "deletion": "Removing the strongest patches lowers the probability no faster than random "
    "order.",
    "insertion": "Bringing the strongest patches back raises the probability no faster than random "
    "order.",
}


@dataclass(frozen=True)
class Verdict:
    """One sentence, its colour and the word for it, and the checks behind it by title."""

    colour: Colour
    sentence: str
    passed: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    not_run: Mapping[str, str] | None = None  # title: why

    @property
    def word(self) -> str:
        """The colour in words."""
        return WORDS[self.colour]


NOT_YET = Verdict("grey", "No check was run on this map yet.")


def outcome_of(score: Score) -> tuple[Outcome, str]:
    """Return what became of a check, and where it could not be run, why."""
    if "degenerate" in score.flags:
        return "failed", "the map says nothing"
    if "uninformative" in score.flags:
        return "not run", _UNINFORMATIVE
    if not isfinite(score.value):
        return "not run", score.reason or "it has no value"
    if not isfinite(score.chance):
        return "not run", _NO_CHANCE
    return ("passed" if _beats_chance(score) else "failed"), ""


def verdict_of(
    scores: Iterable[Score], title_of: Callable[[str], str] = str, status: str = "ok"
) -> Verdict:
    """Return what the scores of one map come to.

    Parameters
    ----------
    scores
        Of one map; those that only describe it do not count.
    title_of
        The title of a metric by name.
    status
        Of the map: a map that is zero, constant or noise needs no check.
    """
    found = {score.metric: score for score in scores if score.direction != "none"}
    results = {name: outcome_of(score) for name, score in found.items()}
    passed = tuple(name for name, (what, _) in results.items() if what == "passed")
    failed = tuple(name for name, (what, _) in results.items() if what == "failed")
    absent = {title_of(n): why for n, (what, why) in results.items() if what == "not run"}
    colour, said = _said(found, passed, failed, title_of, status)
    if not results and status == "ok":
        return NOT_YET
    good, bad = (tuple(map(title_of, names)) for names in (passed, failed))
    count = _counted(good, bad, tuple(absent))
    sentence = " ".join(filter(None, (said, count, _unasked(colour, results))))
    return Verdict(colour, sentence, good, bad, absent)


def _said(
    scores: Mapping[str, Score],
    passed: Sequence[str],
    failed: Sequence[str],
    title_of: Callable[[str], str],
    status: str,
) -> tuple[Colour, str]:
    """Return the colour and the gravest finding."""
    if status != "ok":
        return "red", f"The map says nothing: {status}."
    if not passed and not failed:
        return "grey", "No check could be run."
    if any("degenerate" in score.flags for score in scores.values()):
        return "red", "The map says nothing where it counts: all places are the same."
    hardly = RANDOMISATION in failed and scores[RANDOMISATION].value >= HARDLY
    if not hardly:
        for name, words in _FAILURES.items():
            if name in failed:
                return "amber", words
    if RANDOMISATION in failed:
        return _forgets(scores[RANDOMISATION])
    if failed:
        return "amber", f"{title_of(failed[0])} is no better than chance."
    return "green", ""


def _forgets(score: Score) -> tuple[Colour, str]:
    alike = f"similarity {score.value:.2f}, chance {score.chance:.2f}"
    if score.value >= HARDLY:
        return "red", (
            f"The map hardly changes when the network is randomised ({alike}): "
            "it does not show what was learned."
        )
    return "amber", (
        f"The map stays more alike than chance when the network is randomised ({alike})."
    )


def _counted(passed: Sequence[str], failed: Sequence[str], absent: Sequence[str]) -> str:
    """Say how many checks ran, and which could not."""
    run, words = len(passed) + len(failed), []
    if run:
        checks = "check that was" if run == 1 else "checks that were"
        proof = "" if failed else "; this does not prove that the map is right"
        words.append(f"Passed {len(passed)} of {run} {checks} run{proof}.")
    if len(failed) > 1:
        words.append(f"Failed: {', '.join(failed)}.")
    if absent:
        words.append(f"Could not be run: {', '.join(absent)}.")
    return " ".join(words)


def _unasked(colour: Colour, results: Mapping[str, tuple[Outcome, str]]) -> str:
    """Say of a map without fault that the most important question was not answered."""
    answered = [n for n in FORGETTING if results.get(n, ("not run", ""))[0] != "not run"]
    if colour != "green" or answered:
        return ""
    return "Whether it depends on what the network learned was not checked."


def _beats_chance(score: Score) -> bool:
    if score.metric == RANDOMISATION:  # it must fall to the level of chance, not below it
        return score.value <= score.chance
    if score.metric == OTHER_CLASS:
        return score.value < SAME
    chance = score.figures.get(DRAWN[score.direction], score.chance)
    gain = score.value - chance
    return gain > 0 if score.direction == "higher" else gain < 0
