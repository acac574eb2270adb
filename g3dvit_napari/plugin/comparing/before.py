"""What a viewer showed before a comparison, and how it comes back."""

from __future__ import annotations

from typing import Any


class Before:
    """Hides what is shown, and remembers it together with the selection, the grid and the camera.

    Parameters
    ----------
    viewer
        A napari viewer, or its model.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._shown = [layer for layer in viewer.layers if layer.visible]
        self._selected = set(viewer.layers.selection)
        self._active = viewer.layers.selection.active
        grid, camera = viewer.canvas.grid, viewer.scene.camera
        self._grid = (grid.enabled, grid.stride, grid.spacing)
        self._ndisplay = int(viewer.dims.ndisplay)
        self._frame = (tuple(camera.center), float(camera.zoom), tuple(camera.angles))
        for layer in self._shown:
            layer.visible = False

    def restore_grid(self) -> None:
        """Put the grid back."""
        grid = self._viewer.canvas.grid
        grid.enabled, grid.stride, grid.spacing = self._grid

    def restore(self) -> None:
        """Show what was shown; the frame too, unless slices have become a volume meanwhile."""
        viewer = self._viewer
        for layer in self._shown:
            if layer in viewer.layers:
                layer.visible = True
        viewer.layers.selection = self._selected & set(viewer.layers)
        if self._active in viewer.layers:
            viewer.layers.selection.active = self._active
        if int(viewer.dims.ndisplay) == self._ndisplay:
            camera = viewer.scene.camera
            camera.center, camera.zoom, camera.angles = self._frame
        else:
            viewer.fit_to_view()
