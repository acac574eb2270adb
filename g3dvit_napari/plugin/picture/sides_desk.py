"""When a head is put upright, with letters: as soon as there is one of ours, or a map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from napari.layers import Layer

from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.form import ExplainForm
from g3dvit_napari.plugin.picture.layers import role_of
from g3dvit_napari.plugin.picture.orientation import Convention
from g3dvit_napari.plugin.picture.sides import Sides


class SidesDesk:
    """Tells `Sides` what the form wants; before a map, volumes of others are left as they are.

    The camera stays so while the form is open: a head that turned over between two subjects would
    be taken for another one.

    Parameters
    ----------
    viewer
        A napari viewer, or its model.
    controller, form
        Those of the widget.
    chosen
        Returns the layer that is chosen in the form, if any.
    """

    def __init__(
        self,
        viewer: Any,
        controller: Controller,
        form: ExplainForm,
        chosen: Callable[[], Layer | None],
    ) -> None:
        self._controller, self._form = controller, form
        self._chosen = chosen
        self._sides = Sides(viewer)
        self._open = False
        form.volume.volume_changed.connect(self._adapt)
        for changed in (form.view.changed, form.marks.changed, controller.comparison.changed):
            changed.connect(self._adapt)
        for signal in (controller.explained, controller.forgotten):
            signal.connect(self._adapt)

    def attach(self) -> None:
        """Put the chosen volume upright."""
        self._open = True
        self._adapt()

    def detach(self) -> None:
        """Leave the viewer as it was found."""
        self._open = False
        self._sides.close()

    def _adapt(self, *_: object) -> None:
        layer = self._chosen()
        ours = layer is not None and role_of(layer) == "volume"
        if not self._open or not (ours or self._controller.overlay is not None):
            self._sides.wipe()
            return
        form = self._form
        self._sides.turn(cast(Convention, form.view.switches["convention"].value()))
        visible = form.marks.marks["letters"].isChecked()
        self._sides.write(visible, every_cell=self._controller.comparison.shown)
