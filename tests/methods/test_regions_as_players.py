"""Regions as players: Shapley's definition, what stays in the image, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from known_functions import entangled, handle, patches_of, picture
from plain_shapley import shapley_values
from torch import Tensor

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.regions import Regions
from g3dvit_napari.methods import METHODS

SIZE = (6, 6, 4)  # eighteen patches
GRID = (3, 3, 2)
every_game = pytest.mark.parametrize("method", ["kernel_shap", "shapley_sampling"])


class Atlas:
    """Files of which one holds labels."""

    def __init__(self, labels: Any, lost: tuple[int, ...] = ()) -> None:
        self.labels, self.lost = np.asarray(labels, dtype=np.int64), lost

    def regions(self, path: str, cells: Cells) -> Regions:
        assert path == "atlas.nii"
        assert cells.shape == self.labels.shape
        return Regions(self.labels, self.lost)

    def image(self, path: str) -> Any:
        raise AssertionError(path)


def labels(grid: tuple[int, int, int] = GRID) -> np.ndarray:
    """Three regions of unequal size, named unevenly, and patches of none."""
    return np.random.default_rng(1).choice([0, 4, 17, 18], grid, p=[0.2, 0.4, 0.2, 0.2])


def asked(model: Any, x: Tensor, atlas: Atlas) -> Any:
    run = model.forward(x)
    run.files = atlas
    return run


def grown(names: np.ndarray, patch: tuple[int, ...]) -> np.ndarray:
    """The label of each voxel."""
    return np.kron(names, np.ones(patch, dtype=names.dtype))


def by_definition(model: Any, x: Tensor, names: np.ndarray, patch: tuple[int, ...]) -> np.ndarray:
    """Shapley values (k m) with images put together region by region, zero in place of them."""
    of_voxels = grown(names, patch)
    regions = [int(n) for n in np.unique(names) if n]

    def worth(some: frozenset[int]) -> Any:
        absent = [n for i, n in enumerate(regions) if i not in some]
        hidden = torch.from_numpy(np.isin(of_voxels, absent))
        return model.logits(x.masked_fill(hidden, 0))[0].numpy()

    return shapley_values(len(regions), worth)


@every_game
def test_a_sum_is_shared_exactly_and_evenly_within_each_region(method: str) -> None:
    x, names = picture(SIZE), labels()
    run = asked(handle(entangled, SIZE), x, Atlas(names))
    maps = METHODS[method].function(run, (1,), regions="atlas.nii", baseline="zero")
    each = patches_of(x)[0].reshape(GRID).numpy()
    assert maps.cells == Cells.tiling(GRID, (2, 2, 2))
    for name in (4, 17, 18):
        inside = names == name
        np.testing.assert_allclose(maps.values[0][inside], each[inside].mean(), rtol=0, atol=1e-12)
        assert (np.abs(maps.values[0]) <= maps.magnitude[0])[inside].all()
    assert not maps.values[0][names == 0].any()
    assert maps.figures[0]["standard_error_max"] < 1e-10


def test_values_are_shapleys_and_patches_of_no_region_stay() -> None:
    model, x, names = handle(entangled, SIZE), picture(SIZE), labels()
    run = asked(model, x, Atlas(names))
    wanted = by_definition(model, x, names, (2, 2, 2))[0]
    exact = METHODS["kernel_shap"].function(run, (0,), regions="atlas.nii", baseline="zero")
    drawn = METHODS["shapley_sampling"].function(
        run, (0,), regions="atlas.nii", baseline="zero", pairs=200
    )
    assert np.abs(wanted).max() > 0.1
    for number, name in enumerate((4, 17, 18)):
        found = exact.values[0][names == name].sum()
        assert found == pytest.approx(wanted[number], abs=1e-10)
        by_luck = drawn.values[0][names == name].sum()
        assert abs(by_luck - wanted[number]) < 5 * drawn.figures[0]["standard_error_max"] + 1e-10
    (nothing,) = model.logits(x.masked_fill(torch.from_numpy(grown(names, (2, 2, 2)) != 0), 0))
    whole = model.logits(x)[0, 0] - nothing[0]
    assert exact.values.sum() == pytest.approx(float(whole), abs=1e-10)


@pytest.mark.parametrize("kind", ["class token", "mean", "simple"])
def test_regions_of_our_own_networks_are_hidden_among_the_tokens(
    build: Any, image: Tensor, kind: str
) -> None:
    model, names = build(kind), labels((3, 4, 3))
    run = asked(model, image, Atlas(names))
    maps = METHODS["kernel_shap"].function(run, (3, 0), regions="atlas.nii", baseline="zero")
    wanted = by_definition(model, image, names, (4, 5, 3))[[3, 0]]
    for number, name in enumerate((4, 17, 18)):
        found = maps.values[:, names == name].sum(1)
        np.testing.assert_allclose(found, wanted[:, number], rtol=0, atol=1e-10)
    assert np.abs(wanted).min() > 1e-4


def test_a_region_that_equals_the_baseline_gets_nothing() -> None:
    names = labels()
    x = picture(SIZE).masked_fill(torch.from_numpy(grown(names, (2, 2, 2)) == 17), 0)
    model = handle(entangled, SIZE)
    maps = METHODS["kernel_shap"].function(
        asked(model, x, Atlas(names)), (0,), regions="atlas.nii", baseline="zero"
    )
    wanted = by_definition(model, x, names, (2, 2, 2))[0]
    assert not maps.values[0][names == 17].any()
    assert maps.values[0][names == 4].sum() == pytest.approx(wanted[0], abs=1e-10)
    assert maps.values[0][names == 18].sum() == pytest.approx(wanted[2], abs=1e-10)


@every_game
def test_regions_that_got_no_patch_are_told(method: str) -> None:
    run = asked(handle(entangled, SIZE), picture(SIZE), Atlas(labels(), (3, 11)))
    maps = METHODS[method].function(run, (0,), regions="atlas.nii")
    assert maps.remarks == ("regions without a patch that is mostly theirs take no part: 3, 11",)


def test_what_makes_no_game_is_refused() -> None:
    model, x = handle(entangled, SIZE), picture(SIZE)
    method = METHODS["kernel_shap"].function
    with pytest.raises(MethodError, match="no patch of the network lies in a region"):
        method(asked(model, x, Atlas(np.zeros(GRID))), (0,), regions="atlas.nii")
    with pytest.raises(MethodError, match="leave one of the two out"):
        method(asked(model, x, Atlas(labels())), (0,), regions="atlas.nii", group=2)
    with pytest.raises(MethodError, match=r"explain a volume, by api\.explain"):
        method(model.forward(x), (0,), regions="atlas.nii")
