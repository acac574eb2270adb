"""Relevance by regions: numbers that can be checked by hand, on other grids and turned affines."""

from __future__ import annotations

import numpy as np
import pytest
from maps import OBLIQUE, PLAIN, explained

from g3dvit_napari.core import space
from g3dvit_napari.core.atlas import atlas_of
from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.types import Threshold, Volume
from g3dvit_napari.summaries import region_shares


def by_name(found):
    return {row.name: row for row in found.rows}


def test_shares_by_hand() -> None:
    values = np.zeros((4, 3, 5))  # 60 voxels of 8 mm³
    values[0, 0, 0], values[0, 0, 1], values[3, 2, 4] = 6.0, 3.0, 1.0
    labels = np.zeros(values.shape)
    labels[0, 0, :3], labels[3, 2, 3:] = 1, 7  # three voxels and two
    atlas = atlas_of(Volume(labels, PLAIN, "atlas"), {1: "left"})
    threshold = Threshold("value", 0.4, "voxels")  # two voxels are shown
    found = by_name(region_shares(explained(values, threshold=threshold), atlas))
    left, seven, rest = found["left"], found["label-7"], found["outside every region"]
    assert (left.label, left.volume_ml) == (1, pytest.approx(0.024))
    assert left.share == pytest.approx(0.9)
    assert left.enrichment == pytest.approx(0.9 / (3 / 60))
    assert left.share_of_shown == 1.0
    assert left.inside_view == 1.0
    assert left.mean == pytest.approx((1.0 + 0.5 + 0.0) / 3)
    assert left.peak.index == (0, 0, 0)
    assert seven.share == pytest.approx(0.1)
    assert seven.enrichment == pytest.approx(0.1 / (2 / 60))
    assert seven.share_of_shown == 0.0
    assert seven.peak.world_mm == (6.0, 4.0, 8.0)
    assert rest.share == 0.0
    assert rest.volume_ml == pytest.approx(55 * 0.008)


def test_signed_maps_count_by_size() -> None:
    values = np.zeros((5, 4, 3))
    values[0, 0, 0], values[4, 3, 2] = 1.0, -3.0
    labels = np.zeros(values.shape)
    labels[0], labels[4] = 1, 2
    atlas = atlas_of(Volume(labels, PLAIN, "atlas"))
    found = by_name(region_shares(explained(values, signed=True), atlas))
    assert found["label-1"].share == pytest.approx(0.25)
    assert found["label-2"].share == pytest.approx(0.75)
    assert found["label-2"].mean == pytest.approx(-1 / 12)
    assert found["label-2"].peak.relevance == -1.0


def test_what_the_network_never_saw_has_no_share() -> None:
    values = np.arange(27.0).reshape(3, 3, 3)
    labels = np.zeros((6, 5, 4))
    labels[5], labels[2:4, 1:3, 1:3] = 1, 2
    labels[1, 1, 1] = 3  # just inside: the network's first voxel
    labels[0, 1, 1] = 3  # and just outside
    explanation = explained(values, data=np.ones((6, 5, 4)), box=((1, 1, 1), (3, 3, 3)))
    found = by_name(region_shares(explanation, atlas_of(Volume(labels, PLAIN, "atlas"))))
    unseen = found["label-1"]
    assert unseen.inside_view == 0.0
    assert (unseen.share, unseen.enrichment, unseen.mean, unseen.peak) == (None,) * 4
    assert unseen.n_cells == 0
    assert found["label-2"].inside_view == 1.0
    assert found["label-3"].inside_view == 0.5


def test_how_many_patches_make_up_a_region() -> None:
    values = np.arange(8.0).reshape(2, 2, 2)  # patches of 3 x 4 x 5 voxels
    labels = np.zeros((6, 8, 10))
    labels[:3, :4, :5] = 1  # exactly one patch
    labels[0:6, 4, 0] = 2  # three voxels in each of two patches
    labels[0, 7, 9], labels[3:6, 7, 9] = 3, 3  # one voxel in one, three in the other
    explanation = explained(values, patch=(3, 4, 5), box=((0, 0, 0), (6, 8, 10)))
    found = by_name(region_shares(explanation, atlas_of(Volume(labels, PLAIN, "atlas"))))
    whole, even, uneven = (found[f"label-{n}"] for n in (1, 2, 3))
    assert (whole.n_cells, whole.effective_cells, whole.small) == (1, 1.0, False)
    assert (even.n_cells, even.effective_cells, even.small) == (2, 2.0, True)
    assert uneven.n_cells == 2
    assert uneven.effective_cells == pytest.approx(16 / 10)
    assert found["outside every region"].n_cells == 7  # all but the first, which has one label


@pytest.mark.parametrize("codes", ["RAS", "LPI", "SRA"])
def test_labels_on_another_grid_fall_where_they_are(codes) -> None:
    """Labels of halved voxels, turned: each voxel of the volume holds eight that agree."""
    values = np.random.default_rng(3).random((5, 7, 4))
    coarse = np.random.default_rng(4).integers(0, 4, values.shape)
    fine = coarse.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    affine = OBLIQUE @ space.step_affine((-0.25,) * 3, (0.5,) * 3)
    turned = np.ascontiguousarray(space.to_codes(fine, codes))
    other = Volume(turned, space.affine_to_codes(affine, fine.shape, codes), "fine")
    explanation = explained(values, OBLIQUE)
    same = region_shares(explanation, atlas_of(Volume(coarse, OBLIQUE, "same")))
    assert region_shares(explanation, atlas_of(other)).rows == same.rows
    assert len(same.rows) == 5


def test_labels_that_do_not_reach_the_volume_are_told() -> None:
    values = np.random.default_rng(3).random((5, 7, 4))
    far = space.step_affine((100, 0, 0), (2, 2, 2))
    atlas = atlas_of(Volume(np.ones((5, 7, 4)), far, "elsewhere"))
    found = region_shares(explained(values), atlas)
    assert [row.name for row in found.rows] == ["outside every region", "outside the head"]
    assert found.sentence.startswith("elsewhere has no region where this volume is.")
    assert "1 of 1 regions have no voxel" in found.sentence


def test_outside_the_head_and_degenerate_maps() -> None:
    values = np.zeros((9, 9, 9))
    values[4, 4, 4], values[0, 0, 0] = 3.0, 1.0
    data = np.zeros((9, 9, 9))
    data[2:7, 2:7, 2:7] = 100.0
    atlas = atlas_of(Volume(np.ones((9, 9, 9)), PLAIN, "atlas"))
    air = by_name(region_shares(explained(values, data=data), atlas))["outside the head"]
    assert (air.label, air.share) == (None, pytest.approx(0.25))
    assert air.volume_ml == pytest.approx((9**3 - 5**3) * 0.008)
    nothing = region_shares(explained(np.zeros((9, 9, 9))), atlas)
    assert nothing.rows == ()
    assert "zero everywhere" in nothing.sentence


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full((3, 3, 3), 1.5), "1.5 is no label"),
        (np.full((3, 3, 3), 2.0**25), "too large"),
        (np.arange(30**3).reshape(30, 30, 30), "different values"),
        (np.full((3, 3, 3), np.nan), "is no label"),
    ],
)
def test_an_image_that_is_no_label_image_is_refused(values, words) -> None:
    with pytest.raises(VolumeError, match=words):
        atlas_of(Volume(values, PLAIN, "t1"))
    assert atlas_of(Volume(np.full((3, 3, 3), 2.0004), PLAIN, "float")).labels.data.max() == 2
