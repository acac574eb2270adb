"""Between the form and the settings: what is remembered, and how it comes back."""

from __future__ import annotations

from g3dvit_napari.core.types import Threshold, ThresholdKind
from g3dvit_napari.plugin.form import ExplainForm
from g3dvit_napari.plugin.settings import Settings

AMOUNTS: tuple[ThresholdKind, ...] = ("value", "mass", "keep")
REMEMBERED_VIEW = {
    "convention": "display",
    "resolution": "overlay",
    "edge": "overlay",
}
REMEMBERED_MARKS = {
    "unsigned_colours": "overlay",
    "signed_colours": "overlay",
    "letters": "display",
    "colorbar": "display",
    "scale_bar": "display",
    "caption": "display",
    "crosshair": "display",
    "peak_mark": "display",
}


def recall(form: ExplainForm, settings: Settings) -> None:
    """Set the controls as they were left; nothing is requested by it."""
    kind = settings.read("overlay", "threshold")
    stage = settings.read("overlay", "stage")
    for name in AMOUNTS:
        form.threshold.choose(Threshold(name, settings.read("overlay", name), stage))
    amount = settings.read("overlay", kind) if kind in AMOUNTS else 0.0
    form.threshold.choose(Threshold(kind, amount, stage))
    form.view.choose(
        {name: settings.read(category, name) for name, category in REMEMBERED_VIEW.items()}
    )
    form.marks.choose(
        {name: settings.read(category, name) for name, category in REMEMBERED_MARKS.items()}
    )
    form.model.devices.choose(settings.read("compute", "device"))
    form.question.wanted_method = settings.read("compute", "method")
    form.run.live.setChecked(settings.read("compute", "follow_changes"))
    form.model.offer_recent(settings.read_list("files", "recent_checkpoints"))
    form.model.folder = settings.read("files", "checkpoint_folder")
    form.volume.folder = settings.read("files", "volume_folder")


def remember(form: ExplainForm, settings: Settings) -> None:
    """Write down how the controls stand."""
    threshold = form.threshold.threshold()
    if threshold.kind != "absolute":  # raw values of one map mean nothing to the next
        settings.write("overlay", "threshold", threshold.kind)
    settings.write("overlay", "stage", threshold.stage)
    if threshold.kind in AMOUNTS:
        settings.write("overlay", threshold.kind, threshold.amount)
    for name, category in REMEMBERED_VIEW.items():
        settings.write(category, name, form.view.switches[name].value())
    for name, value in form.marks.values().items():
        settings.write(REMEMBERED_MARKS[name], name, value)
    settings.write("compute", "device", form.model.devices.value())
    settings.write("compute", "method", form.question.method)
    settings.write("compute", "follow_changes", form.run.live.isChecked())
    settings.write_list("files", "recent_checkpoints", form.model.recent)
    settings.write("files", "checkpoint_folder", form.model.folder)
    settings.write("files", "volume_folder", form.volume.folder)
