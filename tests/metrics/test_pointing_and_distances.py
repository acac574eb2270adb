"""Pointing game and distances: hits with a tolerance, edges, millimetres of any grid, transport."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from math import isnan, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray
from scenes import PATCH, SHAPE, TILT, box, cube_scene, odd_scene, placed
from scipy.spatial.distance import cdist

from g3dvit_napari.api.scoring import scored
from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.controls import control, judged, random
from g3dvit_napari.core.evaluation import Evaluation, Scene
from g3dvit_napari.core.score import Score
from g3dvit_napari.core.units import centres_of
from g3dvit_napari.metrics.localisation.distance import distances, half_diagonal, to_target
from g3dvit_napari.metrics.localisation.emd_score import work


def patches(scene: Scene, **values: float) -> Evaluation:
    """Return a map with values in single patches, named like p_2_3_1 along f h w."""
    tokens = np.zeros(scene.patches.shape)
    for name, value in values.items():
        tokens[tuple(int(i) for i in name.split("_")[1:])] = value
    return judged(tokens, scene)


def points(judged_map: Evaluation, **settings: object) -> Score:
    return scored("pointing_game", judged_map, {"level": "patch", **settings})


@pytest.fixture
def cubes() -> Scene:
    """Patches of 4 voxels; the target, voxels 8 to 13, fills patch 2 and half of patch 3."""
    scene = cube_scene()
    return replace(scene, truth=box((24,) * 3, (8, 8, 8), (13, 13, 13)))


def test_one_patch_hits_or_misses(cubes: Scene) -> None:
    assert points(patches(cubes, p_2_2_2=1)).value == 1
    assert points(patches(cubes, p_1_2_2=1)).value == 0
    assert points(patches(cubes, p_2_2_2=1)).chance == pytest.approx(8 / 216)


def test_equal_maxima_share_the_hit(cubes: Scene) -> None:
    assert points(patches(cubes, p_2_2_2=1, p_0_0_0=1, p_5_5_5=1, p_3_3_3=0.5)).value == (
        pytest.approx(1 / 3)
    )


def test_edge_and_interior_are_parts_of_the_target(cubes: Scene) -> None:
    inside, edge = patches(cubes, p_2_2_2=1), patches(cubes, p_3_2_2=1)
    assert points(inside, part="interior").value == 1
    assert points(inside, part="edge").value == 0
    assert points(edge, part="edge").value == 1
    assert points(edge, part="interior").value == 0
    assert points(edge, part="edge").chance == pytest.approx(7 / 216)
    assert points(edge, part="interior").chance == pytest.approx(1 / 216)


def test_parts_that_do_not_exist_are_said(cubes: Scene) -> None:
    thin = replace(cubes, truth=box((24,) * 3, (9, 9, 9), (10, 10, 10)))
    assert "filled" in points(patches(thin, p_2_2_2=1), part="interior").reason
    whole = replace(cubes, truth=box((24,) * 3, (8, 8, 8), (11, 11, 11)))
    assert "edge" in points(patches(whole, p_2_2_2=1), part="edge").reason
    assert isnan(points(patches(cubes, p_2_2_2=1), part="edge", level="voxel").value)
    assert isnan(points(patches(cubes, p_2_2_2=1), part="edge", tolerance=2.0).value)


@pytest.mark.parametrize(("tolerance", "hit"), [(0.0, 0), (1.0, 0), (1.9, 0), (2.0, 1), (3.0, 1)])
def test_a_tolerance_includes_its_limit(tolerance: float, hit: int) -> None:
    """One voxel two away from the target, on a grid of patches of one voxel."""
    scene = cube_scene(8, 2, 1)
    scene = replace(scene, truth=box((8,) * 3, (3, 3, 3), (4, 4, 4)))
    far = patches(scene, p_6_3_3=1)
    for level in ("voxel", "patch"):
        found = points(far, tolerance=tolerance, unit="voxels", level=level)
        assert found.value == hit
        assert found.chance == (to_target(scene, "voxels") <= tolerance).mean()


def test_torchrays_limit_is_not_included() -> None:
    """TorchRay asks for d² < 15²; whole squares below are those within 14.98 voxels."""
    scene = replace(cube_scene(36, 1, 1), truth=box((36,) * 3, (17, 17, 17), (17, 17, 17)))
    squares = to_target(scene, "voxels") ** 2
    strictly = np.rint(squares) < 15**2
    np.testing.assert_array_equal(to_target(scene, "voxels") <= 14.98, strictly)
    assert (to_target(scene, "voxels") <= 15).sum() > strictly.sum()


def plain_distances(scene: Scene) -> NDArray[np.float64]:
    indices = np.moveaxis(np.indices(SHAPE), 0, -1).reshape(-1, 3)
    world = indices @ scene.placement.volume.affine[:3, :3].T
    far = cdist(world, world[scene.truth.ravel()]).min(axis=1)
    return far.reshape(SHAPE)


@pytest.mark.parametrize("shear", [0.0, 0.3])
def test_distances_are_millimetres_of_the_head(shear: float) -> None:
    """Tilted and anisotropic; sheared, too: then a distance transform along axes would be wrong."""
    turn = TILT @ np.array([[1, shear, 0], [0, 1, 0], [0, 0, 1]])
    scene = odd_scene(placement=placed(turn=turn))
    expected = plain_distances(scene)
    np.testing.assert_allclose(to_target(scene), expected, atol=1e-9)
    spacing = scene.placement.volume.spacing_mm
    along_axes = distances(scene.truth, np.diag([*spacing, 1.0]))
    assert np.allclose(along_axes, expected) == (shear == 0)


def test_half_a_patch_is_measured_along_its_diagonal() -> None:
    scene = odd_scene()
    size = np.array(PATCH) * scene.placement.volume.spacing_mm
    assert half_diagonal(scene) == pytest.approx(np.linalg.norm(size) / 2)
    half = to_target(scene, "half patches")
    np.testing.assert_allclose(half, to_target(scene) / half_diagonal(scene))


@pytest.mark.parametrize("level", ["voxel", "patch"])
def test_the_distance_of_relevance_is_a_weighted_mean(level: str) -> None:
    scene = odd_scene()
    found = judged(random(scene) ** 2, scene)
    far = plain_distances(scene)[scene.counted]
    if level == "patch":
        numbers = scene.patch_numbers[scene.counted]
        far = np.array([far[numbers == n].mean() for n in np.unique(numbers)])
    values = found.values(level)
    expected = (values * far).sum() / values.sum()
    score = scored("mass_distance", found, {"level": level, "unit": "mm"})
    assert score.value == pytest.approx(expected)
    assert score.chance == pytest.approx(far.mean())
    relative = scored("mass_distance", found, {"level": level})
    assert relative.value == pytest.approx(expected / far.mean())
    assert relative.chance == 1


def test_relevance_inside_the_target_has_no_distance(cubes: Scene) -> None:
    assert scored("mass_distance", patches(cubes, p_2_2_2=1), {"level": "patch"}).value == 0


def test_centres_lie_where_patches_do() -> None:
    """One hot patch at a time: the mean place of its voxels is its centre."""
    scene = odd_scene(valid=False)
    world = centres_of(scene.placement, scene.patches)
    affine = scene.placement.volume.affine
    for number in range(scene.patches.count):
        voxels = np.argwhere(scene.patch_numbers == number)
        assert len(voxels) == np.prod(PATCH)
        np.testing.assert_allclose(world[number], (affine @ [*voxels.mean(0), 1])[:3], atol=1e-9)


def test_the_least_work_is_the_best_of_all_pairings() -> None:
    generator = np.random.default_rng(0)
    for _ in range(5):
        here, there = generator.random((5, 3)), generator.random((5, 3))
        cost = cdist(np.concatenate([here, there]), np.concatenate([here, there]))
        supply, demand = np.repeat([0.2, 0.0], 5), np.repeat([0.0, 0.2], 5)
        best = min(
            sum(cost[i, 5 + j] for i, j in enumerate(order)) / 5 for order in permutations(range(5))
        )
        assert work(supply, demand, cost) == pytest.approx(best)


def test_moving_everything_from_one_corner_to_another_scores_nothing() -> None:
    scene = replace(cube_scene(8, 2, 2), truth=box((8,) * 3, (6, 6, 6), (7, 7, 7)))
    assert scored("emd_score", patches(scene, p_0_0_0=2)).value == pytest.approx(0)
    assert scored("emd_score", patches(scene, p_3_3_3=2)).value == pytest.approx(1)
    near = scored("emd_score", patches(scene, p_3_3_3=1, p_3_3_2=1)).value
    assert near == pytest.approx(1 - 0.5 * 2 / (6 * sqrt(3)))


def test_transport_along_a_line_is_the_area_between_cumulative_sums() -> None:
    truth = box((24, 4, 4), (8, 0, 0), (13, 3, 3))
    placement = placed((24, 4, 4), (24, 4, 4), (4, 4, 4), (1.0, 1.0, 1.0), codes="RAS")
    scene = Scene(placement, 0, truth=truth)
    found = judged(random(scene), scene)
    assert scene.patches.shape == (1, 1, 6)
    share = control("oracle", scene).tokens.ravel()
    gap = np.cumsum(found.tokens.ravel() / found.tokens.sum() - share / share.sum())
    expected = 1 - np.abs(gap).sum() * 4 / 20
    assert scored("emd_score", found).value == pytest.approx(expected)


def test_too_many_patches_are_said() -> None:
    score = scored("emd_score", control("random", cube_scene(32, 20, 1)))
    assert isnan(score.value)
    assert "too many" in score.reason


def test_maps_of_voxels_are_hit_exactly() -> None:
    scene = odd_scene(valid=False)
    cells = Cells.voxels(scene.placement.spec.network.image_size)
    tokens = np.zeros(cells.shape)
    tokens[6, 9, 7] = 1
    hot = Evaluation(tokens, scene, cells)
    place = np.argwhere(np.nan_to_num(hot.voxels) == 1)
    assert len(place) == 1
    assert scored("pointing_game", hot).value == float(scene.truth[tuple(place[0])])
    inside = replace(scene, truth=box(SHAPE, place[0], place[0]))
    assert scored("pointing_game", replace(hot, scene=inside)).value == 1
