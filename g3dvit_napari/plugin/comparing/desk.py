"""What stands behind the page for comparing: scales, differences, and the map shown before."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from napari.layers import Layer
from napari.utils.notifications import show_info
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QFileDialog

from g3dvit_napari.core.types import Explanation
from g3dvit_napari.plugin.comparing import jobs
from g3dvit_napari.plugin.comparing.compare_box import CompareBox
from g3dvit_napari.plugin.comparing.difference import Difference, Titled
from g3dvit_napari.plugin.comparing.difference_box import DifferenceBox
from g3dvit_napari.plugin.comparing.kinds import ScaleName
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.jobs import title_of
from g3dvit_napari.plugin.remembered import keep
from g3dvit_napari.plugin.settings import Settings

_VOLUMES = (".nii", ".nii.gz")
_OWN = "Each map in units of its own largest value: strengths cannot be compared."


class CompareDesk(QObject):
    """Knows which maps can be subtracted: those compared, or the one shown and the one before."""

    def __init__(self, controller: Controller, compare: CompareBox, box: DifferenceBox) -> None:
        super().__init__()
        self._controller, self._compare, self._box = controller, compare, box
        self._layer: Layer | None = None
        self._settings: Settings | None = None
        self._past: tuple[Titled, ...] = ()  # the map shown now, and the one before it
        lanes = controller.lanes
        self._differences = lanes.add("the difference", self._on_difference, told="errors")
        self._files = lanes.add("saving", self._on_saved)
        controller.comparison.changed.connect(self._on_comparison_changed)
        controller.comparison.difference_changed.connect(self._on_difference_changed)
        controller.explained.connect(self._on_explained)
        controller.forgotten.connect(self._forget)
        box.scale_changed.connect(self._on_scale_changed)
        box.difference_requested.connect(self._on_requested)
        box.save_requested.connect(self._on_save_requested)

    def attach(self) -> None:
        """Listen to nothing but the controller, which listens to the viewer."""
        self._offer()

    def detach(self) -> None:
        """Let go of the maps that were remembered."""
        self._forget()

    def recall(self, settings: Settings) -> None:
        """Set the page as it was left, and remember what is chosen from now on."""
        box, self._settings = self._compare, settings
        keep(settings, "compare", {"between": box.kinds, "seed": box.seed})
        box.mark_methods(settings.read_list("compare", "methods"))
        common = settings.read_list("compare", "common_scale")
        scales = self._controller.comparison.scales
        scales.update({kind: "common" if kind in common else "own" for kind in scales})
        box.marked.connect(self._on_marked)

    @property
    def _maps(self) -> tuple[Titled, ...]:
        compared = self._controller.comparison.compared
        return self._past if compared is None else compared.titled

    def _offer(self) -> None:
        comparison = self._controller.comparison
        self._box.offer_maps([title for title, _ in self._maps], comparison.shown)
        self._show_scale()

    def _show_scale(self) -> None:
        comparison = self._controller.comparison
        scale, words = comparison.scale, ""
        if comparison.shown:
            words = _OWN
        if scale.largest is not None:
            words = f"1 = {scale.largest:.3g}, the largest raw value, of {scale.whose}."
            if comparison.compared is not None and comparison.compared.kind == "methods":
                words += " Methods have different units."
        self._box.show_scale(comparison.scale_name, words)

    def _on_comparison_changed(self, shown: bool) -> None:
        compared = self._controller.comparison.compared
        self._compare.show_comparison(shown, compared.failed if compared else ())
        if not shown:
            self._differences.cancel()
        self._offer()

    def _on_explained(self, explanation: Explanation) -> None:
        """Remember the map shown before; the same map cut elsewhere is no other one."""
        if self._layer is not self._controller.anatomy:
            self._layer, self._past = self._controller.anatomy, ()
        title = _title(explanation)
        asked = _question(explanation)
        before = [found for _, found in self._past if _question(found) != asked][:1]
        self._past = (
            (title, explanation),
            *((f"before: {_title(e)}", e) for e in before),
        )
        if not self._controller.comparison.shown:
            self._offer()

    def _forget(self) -> None:
        self._differences.cancel()
        self._layer, self._past = None, ()
        self._offer()

    def _on_scale_changed(self, name: str) -> None:
        chosen: ScaleName = "common" if name == "common" else "own"
        again = self._controller.comparison.difference
        self._controller.comparison.set_scale(chosen)
        self._show_scale()
        if self._settings is not None:
            scales = self._controller.comparison.scales
            common = [kind for kind in scales if scales[kind] == "common"]
            self._settings.write_list("compare", "common_scale", list(common))
        if again is not None:
            self._subtract(again.first, again.second)

    def _on_marked(self) -> None:
        if self._settings is not None and self._compare.kind == "methods":
            self._settings.write_list("compare", "methods", self._compare.marks)

    def _on_requested(self, first: int, second: int) -> None:
        self._subtract(self._maps[first], self._maps[second])

    def _subtract(self, first: Titled, second: Titled) -> None:
        scale = self._controller.comparison.scale
        self._differences.submit(partial(jobs.difference, first, second, scale))

    def _on_difference(self, difference: Difference) -> None:
        controller = self._controller
        if not controller.comparison.shown:
            if controller.overlay is None or self._layer is None:
                return
            compared = jobs.Compared("methods", (difference.first, difference.second))
            threshold = difference.first[1].request.threshold
            controller.comparison.show(self._layer, compared, threshold, controller.overlay)
        controller.comparison.show_difference(difference)

    def _on_difference_changed(self, difference: Difference | None) -> None:
        self._box.show_figures("" if difference is None else difference.figures)

    def _on_save_requested(self) -> None:
        layer = self._controller.comparison.difference_layer
        if layer is None:
            return
        path, _ = QFileDialog.getSaveFileName(
            self._box, "Save the difference", "difference.nii.gz", "NIfTI (*.nii.gz *.nii)"
        )
        if path:
            path = path if path.lower().endswith(_VOLUMES) else f"{path}.nii.gz"
            data, attributes, _ = layer.as_layer_data_tuple()
            self._files.submit(partial(jobs.save_layer, path, data, attributes))

    def _on_saved(self, paths: list[Any]) -> None:
        show_info(f"Saved {Path(paths[0]).name} in {Path(paths[0]).parent}")


def _title(explanation: Explanation) -> str:
    return f"{explanation.target_name}, {title_of(explanation.request.method)}"


def _question(explanation: Explanation) -> tuple[Any, ...]:
    """Return what was asked of which network, but for the threshold."""
    request, network = explanation.request, explanation.provenance.get("checkpoint")
    what = request.method, dict(request.parameters), request.objective, request.against
    return (*what, explanation.target, network)
