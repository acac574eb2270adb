"""Which relevance counts on a signed map, and how long all metrics of localisation take."""

from __future__ import annotations

from dataclasses import replace
from time import process_time

import numpy as np
import pytest
from scenes import box, cube_scene, odd_scene
from sklearn.metrics import roc_auc_score

from g3dvit_napari.api.scoring import scored
from g3dvit_napari.core.controls import judged, random
from g3dvit_napari.core.evaluation import Evaluation
from g3dvit_napari.metrics import METRICS


@pytest.fixture
def signed() -> Evaluation:
    scene = odd_scene()
    return replace(judged(random(scene) - 0.6, scene), signed=True)


@pytest.mark.parametrize("sign", ["positive", "abs", "signed"])
@pytest.mark.parametrize("level", ["voxel", "patch"])
def test_the_sign_is_taken_before_anything_is_interpolated(
    signed: Evaluation, level: str, sign: str
) -> None:
    taken = {"positive": np.maximum(signed.tokens, 0), "abs": np.abs(signed.tokens)}
    tokens = taken.get(sign, signed.tokens)
    scene = signed.scene
    where = scene.counted if level == "voxel" else scene.counted_patches
    voxels = scene.placement.to_native(tokens, dtype=np.float64)
    values = voxels[where] if level == "voxel" else tokens.ravel()[where]
    target = scene.truth_share(level) > 0
    found = scored("auroc", signed, {"level": level, "sign": sign}).value
    assert found == pytest.approx(roc_auc_score(target, values.round(12)), abs=1e-9)


def test_a_map_that_only_speaks_against_is_scored_as_chance(signed: Evaluation) -> None:
    """It must not profit from being left out; by its sizes it says something."""
    against = replace(signed, tokens=-np.abs(signed.tokens))
    for name in ("auroc", "iou", "relevance_mass", "mass_distance", "emd_score"):
        score = scored(name, against)
        assert score.value == score.chance
        assert "degenerate" in score.flags
        assert "degenerate" not in scored(name, against, {"sign": "abs"}).flags


def test_all_of_them_take_less_than_the_method_they_judge() -> None:
    """40 x 40 x 40 voxels, 512 patches, once what all maps share is there; processor time."""
    scene = cube_scene(40, 8, 5)
    scene = replace(
        scene, distractor=np.roll(scene.truth, 15, axis=2), brain=box((40,) * 3, [3] * 3, [36] * 3)
    )
    names = [name for name in METRICS if METRICS[name].family in ("localisation", "character")]
    assert len(names) > 20
    took = []
    for draw in range(4):
        found, start = judged(random(scene, draw), scene), process_time()
        for name in names:
            assert np.isfinite(scored(name, found).value)
        took.append(process_time() - start)
    assert min(took[1:]) < 0.15
