"""The sentence about a map: no more than was measured, in whatever case."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import nan

import pytest

from g3dvit_napari.core.score import Score
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.summaries.verdict import (
    DRAWN,
    FORGETTING,
    NOT_YET,
    OTHER_CLASS,
    WORDS,
    outcome_of,
    verdict_of,
)

GOOD = {
    "deletion": Score(0.1, 0.4, metric="deletion", direction="lower"),
    "insertion": Score(0.8, 0.5, metric="insertion"),
    "model_randomisation": Score(0.05, 0.1, metric="model_randomisation", direction="lower"),
    "class_sensitivity": Score(0.2, 1.0, metric="class_sensitivity", direction="lower"),
    "relevance_mass": Score(0.3, 0.1, metric="relevance_mass"),
}
CLAIMS = ("is right.", "is true", "is correct", "proves that", "trustworthy", "can be trusted")


def verdict(*changed: Score, without: tuple[str, ...] = (), status: str = "ok"):
    scores = GOOD | {score.metric: score for score in changed}
    return verdict_of([s for n, s in scores.items() if n not in without], str.upper, status)


def bad(name: str, value: float) -> Score:
    return replace(GOOD[name], value=value)


def test_nothing_was_run() -> None:
    assert verdict_of([]) == NOT_YET
    assert NOT_YET.colour == "grey"
    describes = Score(2.0, 3.0, metric="entropy", direction="none")
    assert verdict_of([describes]).colour == "grey"


def test_the_best_that_is_ever_said() -> None:
    found = verdict()
    assert (found.colour, found.word) == ("green", WORDS["green"])
    assert found.sentence == (
        "Passed 5 of 5 checks that were run; this does not prove that the map is right."
    )


def test_without_the_check_of_learning_that_is_said() -> None:
    found = verdict(without=("model_randomisation",))
    assert found.colour == "green"
    assert found.sentence.endswith("what the network learned was not checked.")
    unknown = replace(GOOD["model_randomisation"], value=nan, reason="no copy")
    found = verdict(unknown)
    assert "Could not be run: MODEL_RANDOMISATION." in found.sentence
    assert found.sentence.endswith("what the network learned was not checked.")


@pytest.mark.parametrize(
    ("score", "colour", "words"),
    [
        (bad("model_randomisation", 0.9), "red", "hardly changes when the network is randomised"),
        (bad("model_randomisation", 0.3), "amber", "more alike than chance"),
        (bad("class_sensitivity", 0.95), "amber", "nearly the same for another class"),
        (bad("deletion", 0.4), "amber", "lowers the probability no faster than random order"),
        (bad("insertion", 0.5), "amber", "raises the probability no faster than random order"),
        (bad("relevance_mass", 0.1), "amber", "RELEVANCE_MASS is no better than chance."),
    ],
)
def test_one_failure_has_its_sentence(score, colour, words) -> None:
    found = verdict(score)
    assert found.colour == colour
    assert words in found.sentence
    assert "Passed 4 of 5 checks that were run." in found.sentence
    assert found.failed == (score.metric.upper(),)


def test_the_gravest_comes_first_and_all_are_named() -> None:
    found = verdict(bad("deletion", 0.9), bad("model_randomisation", 0.9))
    assert found.colour == "red"
    assert "Failed: DELETION, MODEL_RANDOMISATION." in found.sentence
    found = verdict(bad("class_sensitivity", 1.0), bad("model_randomisation", 0.12))
    assert found.colour == "amber"
    assert found.sentence.startswith("The map is nearly the same for another class")


def test_chance_is_beaten_in_every_draw_or_not_at_all() -> None:
    drawn = {DRAWN["lower"]: 0.3, DRAWN["higher"]: 0.6}
    near = replace(GOOD["deletion"], value=0.35, figures=drawn)  # below the mean of 0.4 alone
    assert outcome_of(near) == ("failed", "")
    assert outcome_of(replace(near, value=0.29)) == ("passed", "")
    rising = replace(GOOD["insertion"], value=0.55, figures=drawn)
    assert outcome_of(rising) == ("failed", "")
    assert outcome_of(replace(rising, value=0.61)) == ("passed", "")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"flags": ("uninformative",)}, "it cannot tell maps apart here"),
        ({"value": nan, "reason": "no mask"}, "no mask"),
        ({"value": nan}, "it has no value"),
        ({"chance": nan}, "no chance value is known"),
    ],
)
def test_what_says_nothing_does_not_count(change, why) -> None:
    found = verdict(replace(GOOD["deletion"], **change))
    assert found.not_run == {"DELETION": why}
    assert "Passed 4 of 4 checks that were run" in found.sentence
    assert "Could not be run: DELETION." in found.sentence


def test_where_no_check_can_be_run_there_is_no_colour() -> None:
    unknown = [replace(score, value=nan, reason="no mask") for score in GOOD.values()]
    found = verdict_of(unknown)
    assert found.colour == "grey"
    assert found.sentence.startswith("No check could be run. Could not be run: deletion,")


def test_a_map_that_says_nothing_is_never_green() -> None:
    assert verdict(status="constant").colour == "red"
    assert "The map says nothing: constant." in verdict(status="constant").sentence
    flagged = replace(GOOD["relevance_mass"], value=0.1, flags=("degenerate",))
    found = verdict(flagged)
    assert found.colour == "red"
    assert "says nothing where it counts" in found.sentence


def test_no_case_claims_more_than_was_measured() -> None:
    """Every set of failures: the count is true, and green is only where all checks passed."""
    worst = {
        "deletion": 0.9, "insertion": 0.1, "model_randomisation": 0.9, "class_sensitivity": 1.0,
        "relevance_mass": 0.0,
    }  # fmt: skip
    for count in range(6):
        for names in combinations(worst, count):
            found = verdict(*(bad(name, worst[name]) for name in names))
            assert f"Passed {5 - count} of 5 checks" in found.sentence
            assert (found.colour == "green") == (count == 0)
            said = found.sentence.replace("does not prove that the map is right.", "")
            assert not any(claim in said for claim in CLAIMS)


def test_the_metrics_that_have_sentences_exist() -> None:
    named = {"deletion", "insertion", *FORGETTING, OTHER_CLASS}
    assert named <= set(METRICS)
