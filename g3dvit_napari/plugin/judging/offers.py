"""Which checks and methods are on offer, which of them are ticked by themselves, and why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from g3dvit_napari.core.registry import Entry, MetricEntry
from g3dvit_napari.plugin.asking.method_list import UNSERVED, grouped, tip_of
from g3dvit_napari.plugin.controls.ticks import Tick
from g3dvit_napari.plugin.judging.columns import ARROWS, BETTER

# A small honest set: does the network depend on these places, does the map depend on the class and
# on what was learned; and where a mask is given, does the map lie there.
USUAL = (
    "deletion",
    "insertion",
    "class_sensitivity",
    "model_randomisation",
    "in_brain_mass",
    "relevance_mass",
    "relevance_rank",
    "average_precision",
    "pointing_game",
)
_LACKING = {
    "truth": "Choose a mask of the truth below first.",
    "brain": "Choose a mask of the brain below first.",
    "valid": "Choose a mask of the brain below first.",
    "distractor": "It needs a mask of a distractor: see api.evaluate, or `g3dvit evaluate`.",
}
_FIRST = ("faithfulness", "sanity", "localisation")
_COST = {"instant": "", "one pass": "One pass of the network.", "many passes": "Many passes."}


def checks(metrics: Mapping[str, MetricEntry], masks: Iterable[str]) -> list[Tick]:
    """Return the metrics by family; `masks` are those that are given."""
    given = {"network", "explainer", *masks}
    families: dict[str, list[MetricEntry]] = {name: [] for name in _FIRST}
    for entry in metrics.values():
        families.setdefault(entry.family, []).append(entry)
    ticks = []
    for family, members in families.items():
        if not members:
            continue
        ticks.append(Tick(f"{family[0].upper()}{family[1:]}"))
        usual = sorted(members, key=lambda entry: (_rank(entry.name), entry.title.lower()))
        ticks += [_check(entry, given) for entry in usual]
    return ticks


def methods(entries: Sequence[Entry], reasons: Mapping[str, str], shown: str) -> list[Tick]:
    """Return the methods that the network can serve, by cost, without the one on show."""
    ticks = []
    for title, members in grouped(entries, reasons).items():
        others = [entry for entry in members if entry.name != shown]
        if title == UNSERVED or not others:
            continue
        ticks.append(Tick(title))
        ticks += [Tick(entry.title, entry.name, tip=tip_of(entry)) for entry in others]
    return ticks


def _check(entry: MetricEntry, given: set[str]) -> Tick:
    missing = sorted(entry.needs - given)
    reason = " ".join(dict.fromkeys(_LACKING.get(need, f"It needs {need}.") for need in missing))
    tip = "\n".join(filter(None, (entry.summary, BETTER[entry.direction], _COST[entry.cost])))
    title = f"{entry.title} {ARROWS[entry.direction]}".strip()
    return Tick(title, entry.name, entry.name in USUAL, tip, reason)


def _rank(name: str) -> int:
    return USUAL.index(name) if name in USUAL else len(USUAL)
