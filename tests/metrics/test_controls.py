"""Control maps, and what every metric of localisation says of them."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import numpy as np
import pytest
from scenes import GRID, PATCH, SHAPE, cube_scene, odd_scene, placed
from scipy import ndimage

from g3dvit_napari.api.scoring import scored
from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.controls import CONTROLS, control, judged, mean_map, random
from g3dvit_napari.core.evaluation import Evaluation, Scene
from g3dvit_napari.metrics import METRICS

LOCAL = [name for name in METRICS if METRICS[name].family == "localisation"]
LEVELLED = [n for n in LOCAL if "level" in {p.name for p in METRICS[n].parameters}]
# On patches nothing beats the oracle here. It is a reference and no bound for the others: a hot
# patch filled by the target has more mass inside and none outside, Otsu's rule and its kin cut the
# oracle badly, and shifts of a concentrated map may rank higher.
OPTIMAL = {
    "auroc": {},
    "average_precision": {},
    "emd_score": {},
    "max_iou": {},
    "pointing_game": {},
    "relevance_rank": {},
    "top_k_intersection": {},
}


def settings_of(name: str, level: str) -> dict[str, object]:
    return {"level": level} if name in LEVELLED else {}


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_is_a_map_of_patches(name: str) -> None:
    scene = odd_scene()
    tokens = CONTROLS[name](scene)
    assert tokens.shape == scene.patches.shape
    assert tokens.dtype == np.float64
    assert np.isfinite(tokens).all()
    assert tokens.min() >= 0


def test_the_oracle_is_the_share_of_the_target_where_it_counts() -> None:
    scene = odd_scene()
    tokens = CONTROLS["oracle"](scene).ravel()
    inside = scene.truth & scene.counted
    for number in range(tokens.size):
        assert tokens[number] == pytest.approx(inside[scene.patch_numbers == number].mean())
    np.testing.assert_allclose(CONTROLS["inverted_oracle"](scene).ravel(), 1 - tokens)


def test_edges_are_found_where_the_input_has_them() -> None:
    """A bright slab along the first axis of the tensor: its faces, not its inside."""
    scene = odd_scene()
    image = np.zeros(scene.placement.to_tensor().shape[1:])
    image[4:8] = 1
    volume = scene.placement.volume
    cells = Cells.voxels(image.shape)
    data = np.nan_to_num(scene.placement.with_cells(cells).to_native(image, "nearest"))
    scene = replace(scene, placement=replace(scene.placement, volume=volume.like(data)))
    np.testing.assert_array_equal(scene.placement.to_tensor()[0], image)
    gradient = np.sqrt(sum(ndimage.sobel(image, axis) ** 2 for axis in range(3)))
    curvature = np.abs(ndimage.laplace(image))
    f, h, w = scene.patches.shape
    for name, voxels in (("sobel", gradient), ("laplace", curvature), ("magnitude", image)):
        blocks = voxels.reshape(f, 4, h, 5, w, 5).mean(axis=(1, 3, 5))
        np.testing.assert_allclose(CONTROLS[name](scene), blocks, atol=1e-12)
        assert blocks.any()


def test_the_bell_is_highest_in_the_middle_and_the_same_from_both_ends() -> None:
    bell = CONTROLS["centre_gaussian"](odd_scene())
    np.testing.assert_allclose(bell, bell[::-1, ::-1, ::-1])
    middle = tuple(n // 2 for n in bell.shape)
    assert bell[middle] == bell.max()
    assert bell[0, 0, 0] == bell.min()


def test_noise_depends_on_seed_and_draw_alone() -> None:
    np.testing.assert_array_equal(random(odd_scene(), 3), random(odd_scene(), 3))
    assert not np.array_equal(random(odd_scene(), 3), random(odd_scene(), 4))
    assert not np.array_equal(random(odd_scene(seed=1)), random(odd_scene(seed=2)))


def test_a_mean_map_counts_every_volume_alike() -> None:
    one, large = np.zeros((2, 2, 2)), np.zeros((2, 2, 2))
    one[0, 0, 0], large[1, 1, 1] = 1, 100
    mean = mean_map([one, large - 0.5, -large])
    assert mean[0, 0, 0] == mean[1, 1, 1] == 0.5
    with pytest.raises(ValueError, match="at least one map"):
        mean_map([-large])


@pytest.mark.parametrize("name", OPTIMAL)
def test_on_patches_nothing_beats_the_oracle(name: str) -> None:
    for scene in (cube_scene(), cube_scene(24, 4, 6), odd_scene()):
        chosen = settings_of(name, "patch")
        best = scored(name, control("oracle", scene), chosen).value
        others = [control(other, scene) for other in CONTROLS]
        others += [judged(random(scene, draw) ** 8, scene) for draw in range(20)]
        others.append(judged(CONTROLS["oracle"](scene) > 0, scene))
        for other in others:
            assert scored(name, other, chosen).value <= best + 1e-12


@pytest.mark.parametrize("level", ["voxel", "patch"])
@pytest.mark.parametrize("name", LOCAL)
def test_a_constant_map_is_chance_exactly(name: str, level: str) -> None:
    for scene in (cube_scene(), odd_scene()):
        score = scored(name, control("constant", scene), settings_of(name, level))
        if isnan(score.value):
            assert score.reason
        else:
            assert score.value == score.chance
            assert "degenerate" in score.flags


def noise_at(level: str, scene: Scene, draw: int) -> Evaluation:
    """Return noise on patches, or on voxels: interpolated noise is not even over a target."""
    if level == "patch":
        return judged(random(scene, draw), scene)
    cells = Cells.voxels(scene.placement.spec.network.image_size)
    tokens = np.random.default_rng((scene.seed, draw)).random(cells.shape)
    return Evaluation(tokens, scene, cells)


@pytest.fixture(scope="module")
def quiet() -> Scene:
    return odd_scene(seed=5)


# On voxels what cuts and searches is compared with noise on patches, as maps are.
EXACT = [
    (name, level, cut)
    for name in LEVELLED
    for level in ("voxel", "patch")
    for cut in (
        ["otsu", "half", "top"] if "cut" in {p.name for p in METRICS[name].parameters} else [""]
    )
    if level == "patch" or (name != "max_iou" and cut in ("", "top"))
]


@pytest.mark.parametrize(("name", "level", "cut"), EXACT)
def test_noise_scores_as_chance(name: str, level: str, cut: str, quiet: Scene) -> None:
    chosen = {"level": level, **({"cut": cut} if cut else {})}
    draws = 400
    scores = [scored(name, noise_at(level, quiet, draw), chosen) for draw in range(draws)]
    values = np.array([score.value for score in scores])
    measured = name == "max_iou" or cut in ("otsu", "half")  # on a hundred maps of noise
    error = values.std(ddof=1) * np.sqrt(1 / draws + (1 / 100 if measured else 0))
    assert error > 0
    assert abs(values.mean() - scores[0].chance) <= 3 * error


def test_noise_on_voxels_enriches_no_region(quiet: Scene) -> None:
    values = [scored("roi_enrichment", noise_at("voxel", quiet, d)).value for d in range(400)]
    assert abs(np.mean(values) - 1) <= 3 * np.std(values, ddof=1) / 20


def test_interpolated_noise_may_miss_small_targets_for_good() -> None:
    """Why the chance of a hit on voxels holds on average over targets alone."""
    scene = cube_scene(24, 2, 8)
    scene = replace(scene, truth=np.roll(scene.truth, (1, 2, 2), (0, 1, 2)))
    hits = [scored("pointing_game", judged(random(scene, d), scene)).value for d in range(200)]
    assert np.mean(hits) == 0
    assert scored("pointing_game", control("random", scene)).chance > 0


def turned(tokens: np.ndarray, scene: Scene, axes: str, codes: str) -> Evaluation:
    """Return the map for a network that sees the same head along other axes."""
    other = replace(scene, placement=placed(SHAPE, GRID, PATCH, axes=axes, codes=codes))
    patch_volume = scene.placement.patch_volume(tokens)
    return judged(other.placement.tokens_of(patch_volume), other)


@pytest.mark.parametrize("name", LOCAL)
def test_the_order_of_the_array_changes_nothing(name: str) -> None:
    """Also with ties: a map of three values, and one that is mostly zero."""
    scene = odd_scene()
    noise = random(scene)
    for tokens in (noise, np.round(noise * 2), np.maximum(noise - 0.7, 0)):
        for level in ("voxel", "patch") if name in LEVELLED else ("",):
            chosen = settings_of(name, level)
            once = scored(name, judged(tokens, scene), chosen).value
            for axes, codes in (("xyz", "LAS"), ("yzx", "LAS"), ("zyx", "RAS")):
                again = scored(name, turned(tokens, scene, axes, codes), chosen).value
                assert again == pytest.approx(once, abs=1e-9), (level, axes, codes)
