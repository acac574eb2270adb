"""Which way a volume lies before there is a map: camera and letters, as they will be with one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from napari.layers import Layer

from g3dvit_napari.plugin.controller import Controller
from g3dvit_napari.plugin.form import ExplainForm
from g3dvit_napari.plugin.picture.layers import role_of
from g3dvit_napari.plugin.picture.orientation import CAMERA, Convention, SideLetters


class SidesDesk:
    """Puts a volume of ours upright, with letters, until an overlay does that.

    The camera stays so while the form is open: a head that turned over between two subjects would
    be taken for another one. Volumes of others are left as they are.

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
        self._viewer, self._controller, self._form = viewer, controller, form
        self._chosen = chosen
        self._letters: SideLetters | None = None
        self._before: tuple[str, ...] | None = None
        self._set: tuple[str, ...] = ()
        self._open = False
        form.volume.volume_changed.connect(self._adapt)
        for changed in (form.view.changed, form.marks.changed):
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
        self._drop_letters()
        if self._before is not None and self._orientation == self._set:
            self._viewer.scene.camera.orientation = self._before
        self._before = None

    @property
    def _orientation(self) -> tuple[str, ...]:
        return tuple(str(part) for part in self._viewer.scene.camera.orientation)

    def _adapt(self, *_: object) -> None:
        layer = self._chosen()
        ours = self._open and layer is not None and role_of(layer) == "volume"
        if ours:
            self._turn_upright(cast(Convention, self._form.view.switches["convention"].value()))
        if ours and self._controller.overlay is None:
            self._letters = self._letters or SideLetters(self._viewer, "before_a_map")
            self._letters.show(self._form.marks.marks["letters"].isChecked())
        else:
            self._drop_letters()

    def _turn_upright(self, convention: Convention) -> None:
        if self._before is None:
            self._before = self._orientation
        self._set = CAMERA[convention]
        if self._orientation != self._set:
            self._viewer.scene.camera.orientation = self._set

    def _drop_letters(self) -> None:
        if self._letters is not None:
            self._letters.close()
        self._letters = None
