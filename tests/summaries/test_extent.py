"""The figures of a cut, against numbers counted by hand, on anisotropic voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from g3dvit_napari.core.scaled_map import ScaledMap
from g3dvit_napari.core.threshold import cut_value
from g3dvit_napari.core.types import Threshold, Volume
from g3dvit_napari.summaries.extent import Sizes, clusters_at, extent_of

AFFINE = np.array([[0, -2.0, 0, 7], [1.5, 0, 0, -3], [0, 0, 4.0, 1], [0, 0, 0, 1]])  # 12 mm³
SHAPE = (5, 4, 3)


@dataclass(frozen=True, eq=False)
class Placed:
    """As much of a placement as the figures need: a place whose field of view leaves z = 2 out."""

    volume: Volume
    voxels: np.ndarray

    @property
    def field_of_view(self) -> np.ndarray:
        return np.isfinite(self.voxels).astype(np.uint8)

    def to_native(self, _values: np.ndarray, _interpolation: str = "linear") -> np.ndarray:
        return self.voxels


def map_of(values: dict[tuple[int, int, int], float], *, signed: bool = False) -> ScaledMap:
    """Return a map that is zero but for some voxels; the volume's head is x < 3."""
    voxels = np.zeros(SHAPE, np.float32)
    for place, value in values.items():
        voxels[place] = value
    voxels[:, :, 2] = np.nan
    head = np.zeros(SHAPE, np.float32)
    head[1:4, 1:3, 1] = 1  # 6 voxels, all within the field of view
    patches = np.array([[[0.0, 0.25], [0.5, 1.0]]])
    placed = Placed(Volume(head, AFFINE), voxels)
    return ScaledMap(placed, patches, signed, (2.0, 6.0))  # type: ignore[arg-type]


TWO = {(1, 1, 1): 1.0, (2, 1, 1): 0.5, (4, 3, 0): 0.5, (0, 0, 0): 0.25}


def test_voxels_millilitres_and_share_inside_the_head() -> None:
    extent = extent_of(map_of(TWO))
    kept = extent.kept(0.5)
    assert kept.voxels == 3
    assert kept.share == pytest.approx(3 / 40)  # 5 x 4 x 2 are seen
    assert kept.ml == pytest.approx(3 * 12.0 / 1000)
    assert kept.inside == pytest.approx(1.5 / 2.0)
    assert kept.chance == pytest.approx(6 / 40)
    everything = extent.kept(None)
    assert (everything.voxels, everything.share) == (40, 1.0)
    assert everything.inside == pytest.approx(1.5 / 2.25)
    assert extent.kept(1.5).inside is None


def test_another_mask_counts_within_the_field_of_view_alone() -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[4] = 7  # 8 of its 12 voxels are seen
    kept = extent_of(map_of(TWO), mask).kept(0.5)
    assert kept.inside == pytest.approx(0.5 / 2.0)
    assert kept.chance == pytest.approx(8 / 40)


def test_signed_maps_count_by_size() -> None:
    extent = extent_of(map_of({(1, 1, 1): -1.0, (4, 3, 0): 0.5}, signed=True))
    kept = extent.kept(0.5)
    assert kept.voxels == 2
    assert kept.inside == pytest.approx(1 / 1.5)
    assert (extent.edges[0], extent.edges[-1]) == (-1.0, 1.0)
    assert extent.counts.sum() == 40


def test_clusters_touch_by_faces_and_have_one_sign() -> None:
    edge_on = {(1, 1, 1): 1.0, (2, 2, 1): 1.0, (2, 1, 0): 1.0}
    assert clusters_at(map_of(edge_on), 0.5) == 3
    assert clusters_at(map_of({**edge_on, (2, 1, 1): 0.6}), 0.5) == 1
    assert clusters_at(map_of({**edge_on, (2, 1, 1): 0.6}), 0.7) == 3
    signed = map_of({(1, 1, 1): 1.0, (2, 1, 1): -1.0}, signed=True)
    assert clusters_at(signed, 0.5) == 2
    assert clusters_at(map_of({}), 0.5) == 0
    assert clusters_at(map_of({}), None) == 1  # the field of view


@pytest.mark.parametrize("kind", ["keep", "mass", "absolute", "value", "otsu", "none"])
@pytest.mark.parametrize("stage", ["patches", "voxels"])
def test_the_threshold_found_from_a_cut_cuts_there(kind, stage) -> None:
    values = np.random.default_rng(3).random(SHAPE).astype(np.float32)
    scaled = map_of(dict(np.ndenumerate(values)))
    extent, wanted = extent_of(scaled), 0.623
    found = extent.threshold_at(wanted, Threshold(kind, 1.0, stage))
    assert found.kind == ({"otsu": "value", "none": "value"}.get(kind, kind))
    assert found.stage == stage
    reached = scaled.cut(found)
    sizes = (extent.patches if stage == "patches" else extent.voxels).rising
    tolerance = 0.003
    if kind == "mass":  # it cuts at one of the sizes: at the next one from here on
        wanted = float(sizes[np.searchsorted(sizes, wanted)])
        tolerance = 1e-6
    assert reached == pytest.approx(wanted, abs=tolerance)


def test_percentile_is_that_of_numpy() -> None:
    sizes = np.sort(np.random.default_rng(4).random(31))
    ready = Sizes(sizes)
    for percentile in (0.0, 3.0, 51.7, 96.2, 100.0):
        cut = cut_value(sizes, Threshold("keep", 100 - percentile))
        assert cut is not None
        assert ready.percentile_of(cut) == pytest.approx(percentile)
    assert ready.kept(float(sizes[7])) == 24
    assert ready.percentile_of(2.0) == 100.0
    assert ready.percentile_of(-1.0) == 0.0
