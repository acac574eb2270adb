"""What stands beside the picture: caption, colour bar, scale bar."""

from __future__ import annotations

import textwrap
from math import isnan
from typing import Any

from napari.components.overlays import TextOverlay
from napari.layers import Image

from g3dvit_napari.core.chance import p_of
from g3dvit_napari.core.types import Explanation, Threshold, ThresholdKind
from g3dvit_napari.plugin.jobs import title_of

CAPTION = "g3dvit_caption"
WIDTH = 32  # letters per line: the letter at the top edge stays free on small canvases


class Legend:
    """Our caption on the canvas, and the viewer's own scale bar switched on."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._had_scale_bar = bool(viewer.canvas.overlays["scale_bar"].visible)
        self._wanted, self._gave_way = True, False
        self._caption = TextOverlay(position="top_left", font_size=10, text=" ", visible=True)
        viewer.canvas.overlays[CAPTION] = self._caption
        viewer.canvas.overlays["scale_bar"].visible = True

    def write(self, text: str) -> None:
        """Replace the caption."""
        if text != self._caption.text:
            self._caption.text = text or " "

    def show_caption(self, visible: bool) -> None:
        """Show or hide the caption."""
        self._wanted = visible
        self._caption.visible = visible and not self._gave_way

    def give_way(self, gave_way: bool) -> None:
        """Leave the place of the caption to someone else, or come back if it is wanted."""
        self._gave_way = gave_way
        self.show_caption(self._wanted)

    def show_scale_bar(self, visible: bool) -> None:
        """Show or hide the scale bar; its unit is that of the layers."""
        self._viewer.canvas.overlays["scale_bar"].visible = visible

    @property
    def text(self) -> str:
        """The caption as it stands."""
        return str(self._caption.text).strip()

    def close(self) -> None:
        """Take the caption away and leave the scale bar as it was found."""
        self._viewer.canvas.overlays.pop(CAPTION, None)
        self._viewer.canvas.overlays["scale_bar"].visible = self._had_scale_bar


def show_colorbar(layer: Image, visible: bool = True) -> None:
    """Show the layer's own colour bar, where a gate appears as a gap."""
    layer.colorbar.size = (18, 150)
    layer.colorbar.visible = visible


def caption(explanation: Explanation, shown: str, badge: str = "") -> str:
    """Return the caption: class, probability, method, what is shown, and what is wrong."""
    method = title_of(explanation.request.method)
    lines = [explanation.target_name, *_how_sure(explanation), *textwrap.wrap(method, WIDTH)]
    if explanation.request.objective != "logit":
        lines.append(words_for_objective(explanation))
    lines.append(shown)
    lines += _when(explanation)
    if badge:
        lines.append(badge)
    if explanation.status != "ok":
        lines += textwrap.wrap(f"{explanation.status}: {explanation.message}", WIDTH)
    return "\n".join(lines)


def _how_sure(explanation: Explanation) -> list[str]:
    if isnan(explanation.probability):  # a regression
        return [f"{explanation.prediction.logits[0]:.4g}"]
    predicted = ", predicted" if explanation.target == explanation.predicted else ""
    return [f"{p_of(explanation.probability)}{predicted}"]


def _when(explanation: Explanation) -> list[str]:
    """Say which frames of a series a map is of, and whether its scale is that of others, too."""
    said = explanation.provenance
    if "frame" not in said:
        return []
    mean = said["frame"] == "mean"
    words = f"mean of {said['frames']} frames" if mean else f"frame {said['frame']}"
    return [words, f"scale {said['scale']}"] if "scale" in said else [words]


def words_for_objective(explanation: Explanation) -> str:
    """Say what of a class is explained, where it is not its logit."""
    request = explanation.request
    if request.objective != "contrast":
        return f"of its {request.objective.replace('_', ' ')}"
    return f"against {explanation.prediction.class_names[int(request.against or 0)]}"


def words_for_cut(cut: float | None, signed: bool) -> str:
    """Say what a gate lets through."""
    if cut is None:
        return "everything shown"
    number = f"{cut:.2f}" if cut >= 0.01 else f"{cut:.2g}"
    return f"|relevance| ≥ {number}" if signed else f"relevance ≥ {number}"


def words_for_threshold(threshold: Threshold) -> str:
    """Say how the saved map was cut."""
    what: dict[ThresholdKind, str] = {
        "keep": f"top {threshold.amount:g} % of {threshold.stage}",
        "mass": f"{threshold.stage} holding {threshold.amount:g} %",
        "otsu": f"Otsu's cut on {threshold.stage}",
        "value": f"{threshold.stage} from {threshold.amount:.2f}",
        "absolute": f"{threshold.stage} from {threshold.amount:.3g}, raw",
        "none": "uncut",
    }
    return what[threshold.kind]
