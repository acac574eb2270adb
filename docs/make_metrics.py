"""Make the list of metrics, docs/metrics.md, from the registry: `python docs/make_metrics.py`."""

from __future__ import annotations

import inspect
import re
from itertools import groupby
from pathlib import Path

from g3dvit_napari import api
from g3dvit_napari.core.registry import MetricEntry

FOLDER = Path(__file__).parent
ORDER = ("localisation", "faithfulness", "robustness", "sanity", "character")
BETTER = {"higher": "higher is better", "lower": "lower is better", "none": "neither is better"}
NEEDS = {
    "truth": "a mask of the truth",
    "distractor": "a mask of a distractor",
    "brain": "a mask of the brain",
    "valid": "a mask of where relevance counts",
    "network": "the network",
    "explainer": "the method that made the map",
}
FAMILIES = {
    "localisation": "Does the map lie where the signal is? Direct evidence, but only where a mask "
    "of the truth exists and the network really uses what it marks.",
    "faithfulness": "Does the answer change when what the map calls relevant is removed? Needs no "
    "mask, but the altered volumes are unlike anything the network was trained on.",
    "robustness": "Does the map keep its word under small changes, and add up to what it explains?",
    "sanity": "Does the map depend on what the network has learned, and on the class? Necessary, "
    "and never a ranking: a map that shows nothing passes, too.",
    "character": "What kind of map is it? These describe; they do not judge.",
}
HEAD = """# Metrics

{count} metrics, one file each, in the folders below `g3dvit_napari/metrics/`. This page is made
from what they declare about themselves (`python docs/make_metrics.py`); `g3dvit metrics` prints the
same. [The benchmark](benchmark.md) measures methods with them.

Every score stands beside its **chance** value: what a map that knows nothing gets. Where there is a
mask of the truth it also has that of the **oracle**: the share of the target in every patch, shown
as any other map is. The oracle is the reference for what patches of this size allow, not always an
upper bound: a map with a single hot patch can hold more of its relevance inside the target. A map
that is zero, constant or rounding noise is marked *degenerate* and gets the chance value; a setting
that cannot tell maps apart is marked *uninformative*; a score that cannot be computed says why.
Ties are resolved by their expectation, so the order of an array never changes a score.
"""


def page() -> str:
    """Return the page."""
    entries = sorted(api.METRICS.values(), key=_place)
    parts = [HEAD.format(count=len(entries))]
    for family, members in groupby(entries, key=lambda e: e.family):
        some = list(members)
        parts.append(f"## {family[0].upper()}{family[1:]}\n\n{FAMILIES[family]}\n")
        parts.append(table(some))
        parts += [section(entry) for entry in some]
    return "\n".join(parts)


def _place(entry: MetricEntry) -> tuple[int, str]:
    return ORDER.index(entry.family), entry.title.lower()


def table(entries: list[MetricEntry]) -> str:
    """Return one line per metric."""
    lines = ["| metric | name | better | needs |", "|---|---|---|---|"]
    for entry in entries:
        link = re.sub(r"[^\w -]", "", entry.title.lower()).replace(" ", "-")
        better = BETTER[entry.direction].partition(" ")[0]
        lines.append(f"| [{entry.title}](#{link}) | `{entry.name}` | {better} | {needs(entry)} |")
    return "\n".join(lines) + "\n"


def needs(entry: MetricEntry) -> str:
    """Return what a metric asks for, in words."""
    return ", ".join(NEEDS[need] for need in NEEDS if need in entry.needs) or "the map alone"


def section(entry: MetricEntry) -> str:
    """Return what is said of one metric."""
    text = inspect.getdoc(entry.function) or ""
    prose = text.partition("\n\nParameters\n")[0]
    options = ", ".join(f"`{p.name}={p.default}`" for p in entry.parameters)
    facts = f"`{entry.name}`: {BETTER[entry.direction]}; needs {needs(entry)}; {entry.cost}."
    lines = [f"### {entry.title}", "", prose, "", facts]
    lines += [f"Settings: {options}."] if options else []
    lines += [f"Reference: {entry.reference}."] if entry.reference else []
    return "\n".join([*lines, ""])


def main() -> None:
    """Make the page."""
    (FOLDER / "metrics.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
