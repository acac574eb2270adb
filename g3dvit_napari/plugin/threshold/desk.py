"""Between the map on show and the controls that tune its cut."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from napari.layers import Layer
from qtpy.QtCore import QObject

from g3dvit_napari.core.scaled_map import ScaledMap
from g3dvit_napari.core.types import Explanation
from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.picture.colormaps import Edge
from g3dvit_napari.plugin.picture.value_watch import ValueWatch
from g3dvit_napari.plugin.threshold import jobs
from g3dvit_napari.plugin.threshold.masks import is_mask
from g3dvit_napari.plugin.threshold.other_maps import map_layers, recolour
from g3dvit_napari.plugin.threshold.threshold_box import ThresholdBox
from g3dvit_napari.plugin.threshold.tuning import NO_MAP, NO_OTHER

if TYPE_CHECKING:
    from g3dvit_napari.summaries.extent import Extent

_COLORS = 256


class TuningDesk(QObject):
    """Measures the map on show, follows its cut, and brings the cut to other maps.

    Parameters
    ----------
    viewer
        A napari viewer, or its model.
    controller
        Tells of new maps and of cuts, and shows them.
    box
        The controls.
    """

    def __init__(self, viewer: Any, controller: Controller, box: ThresholdBox) -> None:
        super().__init__()
        self._viewer, self._controller, self._box = viewer, controller, box
        self._tuning = box.tuning
        self._known: dict[str, ScaledMap] = {}  # by the id of their anatomy
        self._scaled: ScaledMap | None = None
        self._extent: Extent | None = None
        self._cut: float | None = None
        self._mask: Layer | None = None
        self._mask_watch: ValueWatch | None = None
        add = controller.lanes.add
        self._measuring = add("measuring the map", self._on_measured, told="errors")
        self._counting = add("counting clusters", self._on_counted, told="errors")
        self._others = add("cutting all maps", self._on_cuts_found, told="errors")
        controller.explained.connect(self._on_explained)
        controller.cut_moved.connect(self._on_cut_moved)
        controller.forgotten.connect(self._on_forgotten)
        self._tuning.cut_wanted.connect(self._on_cut_wanted)
        self._tuning.mask_changed.connect(self._measure)
        self._tuning.apply_requested.connect(self._on_apply_requested)

    def attach(self) -> None:
        """Follow the list of layers."""
        for event in self._layer_events():
            event.connect(self._on_layers_changed)
        self._on_layers_changed()

    def detach(self) -> None:
        """Stop following, and let go of the maps."""
        for event in self._layer_events():
            event.disconnect(self._on_layers_changed)
        self._known = {}
        self._watch(None)
        self._on_forgotten()

    def _layer_events(self) -> tuple[Any, ...]:
        events = self._viewer.layers.events
        return events.inserted, events.removed, events.renamed

    def _masks(self) -> dict[str, Layer]:
        anatomy = self._controller.anatomy
        there = [layer for layer in self._viewer.layers if layer is not anatomy and is_mask(layer)]
        return {str(layer.unique_id): layer for layer in reversed(there)}

    def _on_layers_changed(self, _event: object = None) -> None:
        there = {str(layer.unique_id) for layer in self._viewer.layers}
        self._known = {key: scaled for key, scaled in self._known.items() if key in there}
        self._tuning.offer_masks({key: layer.name for key, layer in self._masks().items()})
        self._offer_apply()

    def _offer_apply(self) -> None:
        if self._scaled is None:
            self._tuning.offer_apply(NO_MAP)
            return
        others = {anatomy for anatomy, _ in map_layers(self._viewer)} - {self._shown_id()}
        self._tuning.offer_apply("" if others else NO_OTHER)

    def _shown_id(self) -> str:
        anatomy = self._controller.anatomy
        return "" if anatomy is None else str(anatomy.unique_id)

    def _on_explained(self, explanation: Explanation) -> None:
        self._cut = explanation.cut
        if explanation.scaled is self._scaled:
            self._show_cut()
            return
        self._known[self._shown_id()] = self._scaled = explanation.scaled
        self._extent = None
        self._tuning.tell_applied("")
        self._measure()
        self._offer_apply()

    def _measure(self) -> None:
        """Have the map on show measured, in the head or in the chosen mask."""
        if self._scaled is not None:
            self._watch(self._masks().get(self._tuning.masks.value()))
            self._measuring.submit(partial(jobs.measure, self._scaled, self._mask))

    def _watch(self, mask: Layer | None) -> None:
        """Measure again whenever this mask is painted on."""
        if mask is self._mask:
            return
        if self._mask_watch is not None:
            self._mask_watch.close()
        self._mask = mask
        self._mask_watch = None if mask is None else ValueWatch(mask, self._on_mask_painted)

    def _on_mask_painted(self, _event: object = None) -> None:
        self._measure()

    def _on_measured(self, found: tuple[ScaledMap, Extent]) -> None:
        scaled, extent = found
        if scaled is not self._scaled:
            return
        self._extent = extent
        self._tuning.show_extent(extent)
        self._show_cut()

    def _on_cut_moved(self, cut: float | None) -> None:
        self._cut = cut
        self._show_cut()

    def _show_cut(self, clusters: int | None = None) -> None:
        if self._extent is None or self._scaled is None:
            return
        overlay = self._controller.overlay
        if overlay is not None and overlay.layer is not None:
            colors = overlay.layer.colormap.map(np.linspace(0, 1, _COLORS))
            self._tuning.show_colors(colors[:, :3])
        self._tuning.show_cut(self._cut, self._box.threshold(), clusters)
        if clusters is None:
            self._counting.submit(partial(jobs.count_clusters, self._scaled, self._cut))

    def _on_counted(self, found: tuple[ScaledMap, float | None, int]) -> None:
        scaled, cut, clusters = found
        if scaled is self._scaled and cut == self._cut:
            self._show_cut(clusters)

    def _on_cut_wanted(self, cut: float) -> None:
        if self._extent is not None:
            self._box.place(self._extent.threshold_at(cut, self._box.threshold()))

    def _on_forgotten(self) -> None:
        self._scaled = self._extent = None
        self._tuning.show_extent(None)
        self._tuning.tell_applied("")
        self._offer_apply()

    def _on_apply_requested(self) -> None:
        others = {key: scaled for key, scaled in self._known.items() if key != self._shown_id()}
        self._others.submit(partial(jobs.cut_all, others, self._box.threshold()))

    def _on_cuts_found(self, cuts: dict[str, float | None]) -> None:
        threshold = self._box.threshold()
        edge = cast(Edge, self._box.edges.value())
        changed, left = recolour(self._viewer, cuts, threshold, edge, but=self._shown_id())
        words = f"{changed} map{'' if changed == 1 else 's'} of other volumes cut so."
        if edge == "contour":
            words += " They end hard: a contour is drawn around the map on show alone."
        if left:
            words += f" {left} from before this form was opened: explain them again first."
        self._tuning.tell_applied(words)
