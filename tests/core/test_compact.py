"""What is kept of an explanation is enough to lay it over its volume once more."""

from __future__ import annotations

import numpy as np
import pytest

from g3dvit_napari import api
from g3dvit_napari.core.compact import CompactExplanation
from g3dvit_napari.core.types import Threshold, Volume


@pytest.mark.parametrize("method", ["g3dvit", "libra_grad", "saliency"])
def test_the_same_map_comes_back(method, tiny_model, tiny_volume) -> None:
    found = api.explain(tiny_volume, tiny_model, method, "MCI", threshold=Threshold("keep", 20.0))
    kept = CompactExplanation.of(found)
    again = kept.over(Volume(tiny_volume.data.copy(), tiny_volume.affine, "read again"))
    for name in ("relevance", "patch_map", "field_of_view"):
        first, second = getattr(found, name), getattr(again, name)
        assert np.array_equal(first.data, second.data, equal_nan=True), name
        assert np.array_equal(first.affine, second.affine), name
    for name in ("request", "prediction", "target", "cut", "status", "signed", "provenance"):
        assert getattr(again, name) == getattr(found, name), name
    assert np.array_equal(again.scaled.patches, found.scaled.patches)
    assert again.scaled.limits == found.scaled.limits


def test_another_cut_is_that_of_the_facade(tiny_model, tiny_volume) -> None:
    found = api.explain(tiny_volume, tiny_model, "g3dvit", 0)
    wanted = api.rethreshold(found, Threshold("value", 0.4, "voxels"))
    again = CompactExplanation.of(found).over(tiny_volume, Threshold("value", 0.4, "voxels"))
    assert np.array_equal(wanted.relevance.data, again.relevance.data, equal_nan=True)
    assert again.request.threshold == wanted.request.threshold


def test_it_is_small(tiny_model, tiny_volume) -> None:
    kept = CompactExplanation.of(api.explain(tiny_volume, tiny_model, "g3dvit"))
    assert kept.nbytes == 3 * 4 * 3 * 8  # one double per patch
