"""What the shell shows: results on stdout, progress and complaints on stderr.

Names and messages can come from files, so nothing here is read as markup and no control character
reaches the terminal.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import groupby
from typing import Any, get_args

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from g3dvit_napari.core.chance import in_percent
from g3dvit_napari.core.jsonable import jsonable
from g3dvit_napari.core.registry import Cost, Entry, MetricEntry, Registered


def plain(text: object) -> str:
    """Return a text without control characters, such as those that move the cursor."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in str(text)
    )


def say(text: object, style: str | None = None) -> None:
    """Print a line on stdout."""
    Console(highlight=False, markup=False, emoji=False, soft_wrap=True).print(
        plain(text), style=style
    )


def say_pairs(pairs: Mapping[str, Any]) -> None:
    """Print names and values in two columns, without what is empty."""
    shown = {name: value for name, value in pairs.items() if value not in (None, "", [], {}, ())}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        say(f"  {name:<{width}}  {_in_words(value)}")


def _in_words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} = {v}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def complain(text: object) -> None:
    """Print a line on stderr, in red where there is colour."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    console.print(plain(text), style="red")


def refuse(message: str, *, as_json: bool) -> None:
    """Say why nothing was done; for machines on stdout, too."""
    complain(f"g3dvit: {message}")
    if as_json:
        print_json({"error": message})


def print_json(document: object) -> None:
    """Print one JSON document that every parser accepts: NaN and infinity become null."""
    typer.echo(json.dumps(jsonable(document), indent=2, allow_nan=False))


class ProgressLine:
    """A bar on stderr over all volumes; silent where stderr is no terminal."""

    def __init__(self, volumes: int) -> None:
        console = Console(stderr=True)
        self._bar = Progress(
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} {task.description}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=volumes)
        self._name, self._done = "", 0

    def __enter__(self) -> ProgressLine:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, name: str) -> None:
        """Name what comes next."""
        self._name = plain(name)
        self._bar.update(self._task, description=self._name)

    def update(self, fraction: float, word: str) -> None:
        """Move within the volume at hand."""
        text = f"{self._name}: {word}"
        self._bar.update(self._task, completed=self._done + 0.99 * fraction, description=text)

    def finish(self) -> None:
        """Count one volume."""
        self._done += 1
        self._bar.update(self._task, completed=self._done)


def show_result(record: Mapping[str, Any]) -> None:
    """Print one explanation in a line or two, and where it is."""
    frame = f", {record['frame']}" if record["frame"] else ""
    say(f"{record['volume']}{frame}", style="bold")
    other = (
        "" if record["target"] == record["predicted"] else f", predicted {record['predicted_name']}"
    )
    chance = record["probability"]
    regression = math.isnan(chance)
    sure = f"{record['logit']:.4g}" if regression else f"probability {in_percent(chance)}"
    say(
        f"  {record['method']}: why {record['target_name']} ({sure}{other})? "
        f"{record['seconds']:.1f} s"
    )
    for name, figure in record["figures"].items():
        say(f"  {name.replace('_', ' ')}: {figure:.4g}", style="dim")
    for warning in record["warnings"]:
        say(f"  warning: {warning}", style="yellow")
    if record["status"] != "ok":
        say(f"  no map: {record['status']}. {record['message']}", style="yellow")
    for file in record["files"]:
        say(f"  {file}")


def show_methods(reasons: Mapping[str, str | None], *, as_json: bool) -> None:
    """List every method with what it declares about itself, the cheap ones first.

    `reasons` says of each method why a network cannot serve it; None or absent where it can.
    """
    from g3dvit_napari.api import METHODS

    if as_json:
        print_json([_described(entry, reasons) for entry in METHODS.values()])
        return
    for cost in get_args(Cost):
        say(f"{cost[0].upper()}{cost[1:]}", style="bold underline")
        for entry in METHODS.values():
            if entry.cost == cost:
                _show_method(entry, reasons.get(entry.name))


def show_metrics(*, as_json: bool) -> None:
    """List every metric with what it declares about itself, family by family."""
    from g3dvit_napari.api import METRICS

    if as_json:
        print_json([_described_metric(entry) for entry in METRICS.values()])
        return
    for family, entries in groupby(sorted(METRICS.values(), key=_family), key=_family):
        say(f"{family[0].upper()}{family[1:]}", style="bold underline")
        for entry in entries:
            say(f"{entry.name}  {entry.title}", style="bold")
            say(f"  {entry.summary}")
            say(f"  {', '.join(_facts_of_metric(entry))}", style="dim")
            _show_parameters(entry)


def _facts_of_metric(entry: MetricEntry) -> list[str]:
    """Return what a metric declares about itself, in words."""
    better = "it only describes" if entry.direction == "none" else f"{entry.direction} is better"
    return [better, *(f"needs {need}" for need in sorted(entry.needs))]


def _family(entry: MetricEntry) -> str:
    return entry.family


def _show_method(entry: Entry, reason: str | None) -> None:
    say(f"{entry.name}  {entry.title}", style="bold")
    say(f"  {entry.summary}")
    say(f"  {', '.join(facts_of(entry))}", style="dim")
    if reason:
        say(f"  not here: {reason}", style="yellow")
    _show_parameters(entry)
    if entry.reference:
        say(f"  {entry.reference}", style="dim")


def facts_of(entry: Entry) -> list[str]:
    """Return what a method declares about itself, in words."""
    return [
        "one map per class" if entry.class_specific else "the same map for every class",
        "signed" if entry.signed else "unsigned",
        *(f"needs {need}" for need in sorted(entry.needs)),
    ]


def _show_parameters(entry: Registered) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2), pad_edge=True)
    for p in entry.parameters:
        allowed = " | ".join(map(str, p.choices)) or _range_of(p.limits)
        name = f"--{p.name.replace('_', '-')}"
        table.add_row(Text(name), Text(f"{p.default}"), Text(allowed), Text(p.help))
    if entry.parameters:
        Console(highlight=False).print(table)


def _range_of(limits: Mapping[str, Any]) -> str:
    if "min" in limits or "max" in limits:
        return f"{limits.get('min', '')} to {limits.get('max', '')}".strip()
    return ""


def _described(entry: Entry, reasons: Mapping[str, str | None]) -> dict[str, Any]:
    return {
        "name": entry.name,
        "title": entry.title,
        "summary": entry.summary,
        "signed": entry.signed,
        "class_specific": entry.class_specific,
        "why_not": reasons.get(entry.name),
        "needs": sorted(entry.needs),
        "cost": entry.cost,
        "reference": entry.reference,
        "parameters": _described_parameters(entry),
    }


def _described_metric(entry: MetricEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "title": entry.title,
        "family": entry.family,
        "summary": entry.summary,
        "better": entry.direction,
        "needs": sorted(entry.needs),
        "cost": entry.cost,
        "reference": entry.reference,
        "parameters": _described_parameters(entry),
    }


def _described_parameters(entry: Registered) -> list[dict[str, Any]]:
    return [
        {
            "name": p.name,
            "default": p.default,
            "choices": list(p.choices),
            "limits": {k: v for k, v in p.limits.items() if isinstance(v, int | float)},
            "help": p.help,
        }
        for p in entry.parameters
    ]
