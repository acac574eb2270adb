"""Which side is which: the one owner of the camera's convention and of the letters."""

from __future__ import annotations

from typing import Any

from g3dvit_napari.plugin.picture.orientation import CAMERA, Convention, SideLetters


class Sides:
    """Puts heads upright and writes letters on the edges; `close` leaves the viewer as found.

    A camera that somebody turns over meanwhile stays so until another convention is chosen; the
    letters are true to any camera.

    Parameters
    ----------
    viewer
        A napari viewer, or its model.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._letters: SideLetters | None = None
        self._convention: Convention | None = None
        self._before: tuple[str, ...] = ()

    @property
    def letters(self) -> dict[str, str]:
        """The letters at the left, right, top and bottom edge; empty where there are none."""
        return self._letters.texts if self._letters is not None else {}

    def turn(self, convention: Convention) -> None:
        """Put the patient's left on the left (neurological) or on the right (radiological)."""
        if convention == self._convention:
            return
        if self._convention is None:
            self._before = self._orientation
        self._convention = convention
        self._viewer.scene.camera.orientation = CAMERA[convention]

    def write(self, visible: bool = True, *, every_cell: bool = False) -> None:
        """Show or hide the letters: those of the canvas, or left and right in every cell."""
        if self._letters is None:
            self._letters = SideLetters(self._viewer)
        self._letters.in_every_cell(every_cell)
        self._letters.show(visible)

    def wipe(self) -> None:
        """Take the letters away; the camera stays."""
        if self._letters is not None:
            self._letters.close()
        self._letters = None

    def close(self) -> None:
        """Take the letters away, and turn back a camera that is still as we turned it."""
        self.wipe()
        if self._convention is not None and self._orientation == CAMERA[self._convention]:
            self._viewer.scene.camera.orientation = self._before
        self._convention = None

    @property
    def _orientation(self) -> tuple[str, ...]:
        return tuple(str(part) for part in self._viewer.scene.camera.orientation)
