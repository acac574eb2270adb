"""The curves behind the scores of one volume: a panel per metric, a line per method, and chance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from g3dvit_napari.api import METRICS
from g3dvit_napari.benchmark.figures.style import GREY, drawing, looks, words
from g3dvit_napari.core.score import Judgement, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS = 3  # panels side by side


def with_curves(judgements: Sequence[Judgement]) -> list[str]:
    """Return the names of the metrics that any map has a curve of."""
    found = {score.metric: None for one in judgements for score in one.scores if score.curve}
    return list(found)


@contextmanager
def judged_figure(judgements: Sequence[Judgement]) -> Iterator[Figure]:
    """Draw the curves of all metrics that have one.

    Raises
    ------
    ExportError
        When matplotlib is not installed.
    """
    metrics = with_curves(judgements)
    methods = [one.explanation.request.method for one in judgements]
    across = min(len(metrics), ACROSS)
    down = -(-len(metrics) // across)
    with drawing(3.7 * across, 0.5 + 3.0 * down) as figure:
        panels = figure.subplots(down, across, squeeze=False).ravel()
        style = looks([*methods, "random"])
        for axes, metric in zip(panels, metrics, strict=False):
            scores = [
                next((s for s in one.scores if s.metric == metric), None) for one in judgements
            ]
            _panel(axes, dict(zip(methods, scores, strict=True)), style)
            axes.set_title(METRICS[metric].title)
        for axes in panels[len(metrics) :]:
            axes.set_axis_off()
        handles = [
            panels[0].plot([], [], label=words(row), **look)[0] for row, look in style.items()
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=7.5)
        found = judgements[0].explanation
        figure.suptitle(f"why {found.target_name}?", fontsize=10, x=0.01, ha="left")
        yield figure


def _panel(
    axes: Axes, scores: dict[str, Score | None], style: dict[str, dict[str, object]]
) -> None:
    labels: dict[float, str] = {}
    by_chance = None
    for method, score in scores.items():
        if score is not None and score.curve is not None:
            curve, by_chance = score.curve, score.chance_curve
            axes.plot(curve.fractions, curve.values, lw=1.6, **style[method])  # type: ignore[arg-type]
            labels.update(zip(curve.fractions, curve.labels, strict=False))
    if by_chance is not None:
        axes.plot(by_chance.fractions, by_chance.values, lw=1.6, **style["random"])  # type: ignore[arg-type]
    if labels:
        axes.set_xticks(list(labels), list(labels.values()), rotation=35, ha="right", fontsize=6.5)
        axes.set_xlabel("network drawn anew, from the head on")
    else:
        axes.set_xscale("function", functions=(lambda x: x**0.5, lambda x: x**2))
        axes.set_xticks([0, 0.01, 0.05, 0.2, 0.5, 1], ["0", "1 %", "5 %", "20 %", "50 %", "100 %"])
        axes.set_xlim(0, 1)
        axes.set_xlabel("share of the places")
    axes.grid(axis="y", color=GREY, alpha=0.2, lw=0.6)
