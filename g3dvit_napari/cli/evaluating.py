"""g3dvit evaluate: the maps of several methods judged, as a table on the screen and as files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from g3dvit_napari.cli import terminal
from g3dvit_napari.cli.method_options import typed
from g3dvit_napari.core.chance import p_of
from g3dvit_napari.core.errors import ExportError, MethodError, unknown_name

if TYPE_CHECKING:
    from g3dvit_napari.api import Judgement, Score, Volume

ARROWS = {"higher": "\N{UPWARDS ARROW}", "lower": "\N{DOWNWARDS ARROW}", "none": ""}
MARKS = {"degenerate": "\N{DEGREE SIGN}", "uninformative": "?"}
NOTES = {
    "degenerate": "the map says nothing, so it has the chance value",
    "uninformative": "the baseline keeps the class: this setting cannot tell maps apart here",
}


@dataclass(frozen=True)
class Trial:
    """What one command line asks for."""

    volume: Path
    model: Path
    spec: str | None
    device: str
    methods: str  # names with commas between them
    target: str | None
    mask: Path | None
    brain: Path | None
    distractor: Path | None
    twin: Path | None
    metrics: str | None
    settings: Sequence[str]  # METRIC.SETTING=VALUE
    frame: str | None
    seed: int
    out: Path


def evaluate_volume(trial: Trial, *, as_json: bool) -> None:
    """Explain and judge, print the table, write the files."""
    from g3dvit_napari import api
    from g3dvit_napari.io.scores import document_of

    methods = _names(trial.methods, api.METHODS, "explanation method")
    metrics: Any = trial.metrics
    if metrics and metrics != "all":
        metrics = _names(metrics, api.METRICS, "metric")
    settings = settings_from(trial.settings)
    with terminal.ProgressLine(1) as line:
        line.begin("loading the network")
        model = api.load_model(trial.model, trial.spec, trial.device)
        volume = api.load_volume(trial.volume, trial.frame or model.spec.input.frame)
        brain = _mask(trial.brain)
        line.begin(trial.volume.name)
        found = api.evaluate(
            volume,
            model,
            methods,
            trial.target,
            truth=_mask(trial.mask),
            distractor=_mask(trial.distractor),
            brain=brain,
            valid=brain,
            twin=_mask(trial.twin),
            metrics=metrics,
            settings=settings,
            seed=trial.seed,
            progress=line.update,
        )
    files = [*api.save_scores(found, trial.out), *_drawn(found, trial.out)]
    if as_json:
        terminal.print_json({**document_of(found), "files": [str(file) for file in files]})
        return
    show(found)
    for file in files:
        terminal.say(f"  {file}")


def settings_from(words: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the settings of metrics from words such as deletion.substrate=mean."""
    from g3dvit_napari.api import METRICS

    settings: dict[str, dict[str, Any]] = {}
    for word in words:
        place, equals, text = word.partition("=")
        metric, dot, name = place.partition(".")
        if not (equals and dot):
            raise MethodError(f"--set takes METRIC.SETTING=VALUE, got {word!r}")
        known = {p.name: p for p in METRICS[metric].parameters}
        if name not in known:
            raise MethodError(unknown_name(f"setting of {metric}", name, known))
        settings.setdefault(metric, {})[name] = typed(known[name], f"--set {place}", text)
    return settings


def show(judgements: Sequence[Judgement]) -> None:
    """Print one row per metric, one column per method; never a value without its chance."""
    first = judgements[0].explanation
    sure = "" if math.isnan(first.probability) else f" ({p_of(first.probability)})"
    terminal.say(
        f"why {first.target_name}{sure}? judged by {len(judgements[0].scores)} metrics",
        style="bold",
    )
    table = Table(box=None, padding=(0, 1), header_style="bold")
    for name in ("metric", "", "chance", "oracle"):
        table.add_column(name, justify="left" if name == "metric" else "right", no_wrap=True)
    for one in judgements:
        table.add_column(Text(one.explanation.request.method), justify="right")
    silent: dict[str, str] = {}
    for scores in zip(*(one.scores for one in judgements), strict=True):
        if all(math.isnan(score.value) for score in scores):
            silent[scores[0].metric] = scores[0].reason
            continue
        table.add_row(*_row(scores))
    Console(highlight=False).print(table)
    flags = {flag for one in judgements for score in one.scores for flag in score.flags}
    for flag in sorted(flags):
        terminal.say(f"{MARKS[flag]} {NOTES[flag]}", style="dim")
    _show_silent(silent)
    for one in judgements:
        _show_verdict(one)


def _show_verdict(one: Judgement) -> None:
    """Print what the scores of one map come to, as the window says it."""
    from g3dvit_napari import api

    found = api.summaries.verdict_of(one.scores, status=one.explanation.status)
    terminal.say(f"{one.explanation.request.method}: {found.word}. {found.sentence}")


def _drawn(judgements: Sequence[Judgement], folder: Path) -> list[Path]:
    """Write the curves as a picture, where there are any and matplotlib is installed."""
    from g3dvit_napari.benchmark.figures.judged import judged_figure, with_curves
    from g3dvit_napari.benchmark.figures.style import save
    from g3dvit_napari.io.scores import stem_of

    if not with_curves(judgements):
        return []
    try:
        with judged_figure(judgements) as figure:
            return [save(figure, folder / f"{stem_of(judgements)}_curves.png")]
    except ExportError as error:
        terminal.complain(f"the curves are in the JSON document alone: {error}")
        return []


def _mask(path: Path | None) -> Volume | None:
    from g3dvit_napari import api

    return None if path is None else api.load_volume(path)


def _row(scores: Sequence[Score]) -> list[Text]:
    """Return one metric of all methods; a chance of their own stands in brackets."""
    first = scores[0]
    shared = all(_same(score.chance, first.chance) for score in scores)
    ceiling = first.ceiling if first.ceiling is not None else math.nan
    chance = _figure(first.chance) if shared else ""
    head = (first.metric, ARROWS[first.direction], chance, _figure(ceiling))
    shown = [Text(cell) for cell in head]
    for score in scores:
        marks = "".join(MARKS[flag] for flag in score.flags)
        own = "" if shared else f" ({_figure(score.chance)})"
        better = score.better_than_chance
        style = "" if better is None or score.flags else ("green" if better else "red")
        shown.append(Text(f"{_figure(score.value)}{own}{marks}", style=style))
    return shown


def _show_silent(silent: Mapping[str, str]) -> None:
    by_reason: dict[str, list[str]] = {}
    for metric, reason in silent.items():
        by_reason.setdefault(reason, []).append(metric)
    for reason, metrics in by_reason.items():
        terminal.say(f"not computed, {reason}: {', '.join(metrics)}", style="dim")


def _names(text: str, known: Mapping[str, Any], kind: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise MethodError(unknown_name(kind, name, known))
    if not names:
        raise MethodError(f"no {kind} is named; separate several by commas")
    return names


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def _figure(number: float) -> str:
    return "" if math.isnan(number) else f"{round(number, 9):.3g}"
