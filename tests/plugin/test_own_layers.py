"""What is the user's stays as the user left it: names, values, colours, copies."""

from __future__ import annotations

import numpy as np
import pytest
from made_heads import explanation_of, head
from napari.layers import Image, Layer

from g3dvit_napari.plugin.picture.layers import is_volume, to_layer_data
from g3dvit_napari.plugin.picture.overlay import Overlay


@pytest.fixture
def anatomy(viewer):
    data, keywords = to_layer_data(head())
    return viewer.add_image(data, **keywords)


@pytest.fixture
def overlay(viewer, anatomy):
    overlay = Overlay(viewer, anatomy)
    overlay.show(explanation_of(head(), target=1))
    return overlay


def state(layer: Layer) -> tuple[object, ...]:
    return layer.name, layer.data.tobytes(), layer.colormap.name, tuple(layer.contrast_limits)


def another(overlay: Overlay) -> Image:
    return overlay.show(explanation_of(head(), lambda at: at[0] ** 2 + 1.0, target=0))


def test_layers_of_the_same_name_are_left_alone(viewer, overlay) -> None:
    name = overlay.layer.name
    own = viewer.add_image(np.full((27, 41, 33), 7.0), name=name, colormap="magma")
    own.name = name  # napari numbers the second of two names: insist
    before = state(own)
    layer = another(overlay)
    assert layer is not own
    assert state(own) == before
    assert len(viewer.layers) == 3


def test_a_copy_of_our_layer_is_the_users(viewer, overlay) -> None:
    layer = overlay.layer
    copy = Layer.create(*layer.as_layer_data_tuple())  # as napari's "Duplicate" does
    copy.data = np.array(copy.data)
    viewer.layers.insert(0, copy)  # where it is found first
    before = state(copy)
    assert another(overlay) is layer
    assert state(copy) == before
    assert not is_volume(copy)


@pytest.mark.parametrize("in_place", [True, False])
def test_a_map_that_was_written_into_is_left_and_a_new_layer_made(
    viewer, overlay, in_place
) -> None:
    edited = overlay.layer
    edited.name = "my correction"
    if in_place:
        edited.data[13, 20, 16] = 0.123
    else:
        edited.data = np.flip(edited.data, axis=2)
    before = state(edited)
    layer = another(overlay)
    assert layer is not edited
    assert state(edited) == before
    assert len(viewer.layers) == 3
    assert another(overlay) is layer  # and no layer more with every map
    edited.colormap = "green"
    assert layer.colormap.name != edited.colormap.name
    overlay.set_cut(0.7)
    assert state(edited)[:2] == before[:2]
    assert edited.colormap.name == "green"
    overlay.close()


def test_a_renamed_map_keeps_its_name_and_its_place(viewer, overlay) -> None:
    layer = overlay.layer
    layer.name = "what I think"
    assert another(overlay) is layer
    assert layer.name == "what I think"
    assert len(viewer.layers) == 2


def test_a_map_that_was_removed_comes_as_a_new_one(viewer, overlay) -> None:
    viewer.layers.remove(overlay.layer)
    another(overlay)
    assert len(viewer.layers) == 2


def test_a_number_that_napari_gave_does_not_keep_an_old_name(viewer, anatomy) -> None:
    first = explanation_of(head())
    viewer.add_image(np.zeros((3, 3, 3)), name=f"{first.target_name} | G3D-ViT")
    overlay = Overlay(viewer, anatomy)
    layer = overlay.show(first)
    assert layer.name.endswith(" [1]")
    assert another(overlay) is layer
    assert layer.name.partition(" | ")[0] != first.target_name
    assert not layer.name.endswith("]")
    layer.name = "mine [1]"
    overlay.show(first)
    assert layer.name == "mine [1]"
