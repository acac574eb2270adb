"""What a layer left on the graphics card is deleted where it was drawn."""

from __future__ import annotations

import pytest
from made_heads import head
from qtpy.QtGui import QOffscreenSurface, QOpenGLContext
from qtpy.QtWidgets import QOpenGLWidget
from vispy.gloo import glir

from g3dvit_napari.plugin.picture.layers import to_layer_data
from g3dvit_napari.plugin.widget import open_form

pytestmark = pytest.mark.window


@pytest.fixture
def window(make_napari_viewer, qtbot):
    """A window with the form, and two volumes that were drawn."""
    viewer = make_napari_viewer(show=True)
    open_form(viewer)
    for _ in range(2):
        data, keywords = to_layer_data(head())
        viewer.add_image(data, **keywords)
    qtbot.wait(200)
    viewer.screenshot(canvas_only=False, flash=False)
    return viewer


@pytest.fixture
def elsewhere():
    """Make another context current, as Qt does whenever it puts the window together."""
    shared = QOpenGLContext.globalShareContext()
    context, surface = QOpenGLContext(), QOffscreenSurface()
    context.setShareContext(shared)
    assert context.create()
    surface.setFormat(context.format())
    surface.create()
    yield lambda: context.makeCurrent(surface)
    context.doneCurrent()


@pytest.mark.parametrize("floating", [False, True])
def test_removed_layer_is_deleted_in_its_own_context(
    window, elsewhere, qtbot, monkeypatch, floating
) -> None:
    form = open_form(window)
    dock = form.parentWidget()
    while not hasattr(dock, "setFloating"):
        dock = dock.parentWidget()
    dock.setFloating(floating)
    qtbot.wait(200)
    (canvas,) = dock.parentWidget().findChildren(QOpenGLWidget)
    own = []
    delete = glir.GlirTexture2D.delete

    def watched(texture) -> None:
        own.append(QOpenGLContext.currentContext() == canvas.context())
        delete(texture)

    monkeypatch.setattr(glir.GlirTexture2D, "delete", watched)
    assert elsewhere()
    window.layers.remove(window.layers[-1])
    assert own
    assert all(own)
    window.screenshot(canvas_only=False, flash=False)
