"""Which family a state dict belongs to; its keys and shapes are read in that family's file."""

from __future__ import annotations

from torch import Tensor

from g3dvit_napari.models.reading import resnet_keys, swin_keys, vit_keys
from g3dvit_napari.models.reading.resnet_keys import ResNetFound
from g3dvit_napari.models.reading.strangers import State, stranger
from g3dvit_napari.models.reading.swin_keys import SwinFound
from g3dvit_napari.models.reading.vit_keys import ViTFound

Found = ViTFound | SwinFound | ResNetFound  # what the weights of one family decide


def canonical(state: State) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Rename the keys of older or wrapped layouts; return them with notes on what was found."""
    for family in (swin_keys, resnet_keys):
        renamed, notes = family.canonical(state)
        if family.recognises(renamed):
            return renamed, notes
    return vit_keys.canonical(state)


def read_off(state: State, name: str) -> Found:
    """Return what a canonical state dict decides, or say which other network it is."""
    if vit_keys.recognises(state):
        return vit_keys.read_off(state, name)
    if swin_keys.recognises(state):
        return swin_keys.read_off(state, name)
    if resnet_keys.recognises(state):
        return resnet_keys.read_off(state, name)
    raise stranger(state, name)
