"""What is fetched outside the GUI thread for the bars."""

from __future__ import annotations

from collections.abc import Callable

from g3dvit_napari.core.types import Prediction, Volume
from g3dvit_napari.plugin import jobs
from g3dvit_napari.plugin.lane import Report


def predict(model: jobs.LoadedModel, volume: Callable[[], Volume], report: Report) -> Prediction:
    """Return the network's answer; its pass is kept, so an explanation loses nothing by waiting."""
    report(0.0, "preparing the volume")
    found = volume()
    with model.turn:
        report(0.0, "running the network")  # stops here when it was cancelled while it waited
        prediction: Prediction = jobs.facade().predict(found, model.handle, report)
    return prediction
