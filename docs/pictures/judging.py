"""The page "Is it true?": two methods judged, and a network that has learned nothing beside one."""

from __future__ import annotations

from typing import Any

from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from g3dvit_napari.plugin.judging.ask_box import AskBox
from g3dvit_napari.plugin.judging.random_box import RandomBox
from g3dvit_napari.plugin.judging.score_box import ScoreBox
from g3dvit_napari.plugin.widget import ExplainWidget
from pictures.stage import Picture, click, open_window, photograph, wait

NAMES = ("is_it_true", "is_it_true_randomised")
OTHER = "saliency"  # a map that stays as it is when the network forgets


def make() -> dict[str, Picture]:
    """Return the pictures by name."""
    viewer, widget = open_window()
    widget.form.turn_to("True?")
    (ask,), (scores,) = widget.findChildren(AskBox), widget.findChildren(ScoreBox)
    ask.methods.tick(OTHER)
    judge(widget, ask)
    pictures = {"is_it_true": photograph(viewer)}
    explain_by(widget, OTHER)
    ask.methods.tick("g3dvit")
    judge(widget, ask)
    (random,) = widget.findChildren(RandomBox)
    click(random.go)
    wait(lambda: widget.controller.comparison.shown and widget.controller.lanes.at_rest)
    QTest.qWait(200)
    bar = widget.form.pages.currentWidget().verticalScrollBar()
    bar.setValue(bar.maximum())
    scores.spacing.button("even").setFocus()
    QApplication.processEvents()
    pictures["is_it_true_randomised"] = photograph(viewer)
    viewer.close()
    return pictures


def judge(widget: ExplainWidget, ask: Any) -> None:
    """Run what is ticked, and wait for it."""
    lanes = widget.controller.lanes
    wait(lambda: False, 1.0)
    wait(lambda: lanes.at_rest)
    click(ask.go)
    wait(lambda: ask.light.mark.colour != "grey" and lanes.at_rest)


def explain_by(widget: ExplainWidget, method: str) -> None:
    """Explain the same class by another method."""
    controller = widget.controller
    widget.form.question.methods.choose(method)
    widget.compute()
    wait(lambda: controller.explanation.request.method == method and controller.lanes.at_rest)
