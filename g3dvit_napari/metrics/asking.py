"""Whom a metric asks, once it has declared that it needs them."""

from __future__ import annotations

from g3dvit_napari.core.evaluation import Evaluation, Scene
from g3dvit_napari.core.explainer import Explainer
from g3dvit_napari.core.network import Network


def asked(scene: Scene) -> Network:
    """Return the network of a scene.

    Raises
    ------
    ValueError
        When the scene has none.
    """
    if scene.network is None:
        raise ValueError("there is no network to ask; a metric must say that it needs one")
    return scene.network


def made_by(evaluation: Evaluation) -> Explainer:
    """Return the method that made a map.

    Raises
    ------
    ValueError
        When none did.
    """
    if evaluation.explainer is None:
        raise ValueError("no method made this map; a metric must say that it needs one")
    return evaluation.explainer
