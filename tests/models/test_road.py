"""ROAD's imputation against dense systems and closed forms."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from g3dvit_napari.models.removal.road import TOLERANCE, filled

WEIGHTS = {1: 3 / 44, 2: 3 / 88, 3: 1 / 44}  # by how many coordinates differ
NO_MEAN = torch.zeros(1, 1, 1, 1, dtype=torch.float64)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def removed(share: float, *shape: int, seed: int = 1) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < share


def dense(image: Tensor, gone: Tensor) -> Tensor:
    """Solve for one channel (f h w), written from the equations, one voxel after the other."""
    places = [tuple(place) for place in gone.nonzero().tolist()]
    number = {place: n for n, place in enumerate(places)}
    matrix, right = np.zeros((len(places),) * 2), np.zeros(len(places))
    for row, place in enumerate(places):
        for offset in product((-1, 0, 1), repeat=3):
            other = tuple(a + b for a, b in zip(place, offset, strict=True))
            if not any(offset) or not all(
                0 <= i < n for i, n in zip(other, gone.shape, strict=True)
            ):
                continue
            weight = WEIGHTS[sum(map(abs, offset))]
            matrix[row, row] += weight
            if other in number:
                matrix[row, number[other]] -= weight
            else:
                right[row] += weight * image[other]
    result = image.clone()
    result[gone] = torch.from_numpy(np.linalg.solve(matrix, right))
    return result


def test_the_weights_of_all_neighbours_add_up_to_one() -> None:
    assert 6 * WEIGHTS[1] + 12 * WEIGHTS[2] + 8 * WEIGHTS[3] == pytest.approx(1)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.98])
def test_it_solves_the_system_written_out(share: float) -> None:
    image, gone = drawn(1, 2, 5, 7, 6), removed(share, 1, 5, 7, 6)
    found = filled(image, gone, image[0].mean((1, 2, 3))[:, None, None, None], 1e-12)
    expected = torch.stack([dense(channel, gone[0]) for channel in image[0]])[None]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    kept = ~gone[:, None].expand_as(image)
    assert torch.equal(found[kept], image[kept])


def test_the_tolerance_for_scores_is_fine_enough() -> None:
    image, gone = drawn(1, 1, 12, 12, 12), removed(0.9, 1, 12, 12, 12)
    exact, quick = (filled(image, gone, NO_MEAN, tol) for tol in (1e-12, TOLERANCE))
    assert 0 < (exact - quick).abs().max() < 0.01


def test_a_linear_ramp_comes_back() -> None:
    ramp = torch.arange(9.0, dtype=torch.float64)[None, None, :, None, None].expand(1, 1, 9, 8, 7)
    gone = torch.zeros(1, 9, 8, 7, dtype=torch.bool)
    gone[0, 2:7, 2:6, 2:5] = True  # away from the faces, where neighbours lie on both sides
    torch.testing.assert_close(filled(ramp, gone, NO_MEAN, 1e-12), ramp, rtol=0, atol=1e-9)


def test_without_a_kept_voxel_the_mean_is_left() -> None:
    image, mean = drawn(1, 2, 4, 4, 4), drawn(2, 1, 1, 1)
    found = filled(image, torch.ones(1, 4, 4, 4, dtype=torch.bool), mean)
    torch.testing.assert_close(found, mean.expand_as(image[0])[None])


def test_an_answer_does_not_depend_on_what_else_is_in_the_batch() -> None:
    image = drawn(1, 2, 8, 9, 7)
    masks = torch.cat([removed(share, 1, 8, 9, 7) for share in (0.01, 0.5, 0.95, 1.1, -1.0)])
    together = filled(image, masks, NO_MEAN)
    for mask, found in zip(masks, together, strict=True):
        alone = filled(image, mask[None], NO_MEAN)
        torch.testing.assert_close(found, alone[0], rtol=0, atol=1e-12)


def test_one_image_per_mask() -> None:
    images, masks = drawn(3, 1, 6, 6, 6), removed(0.5, 3, 6, 6, 6)
    together = filled(images, masks, NO_MEAN, 1e-12)
    for image, mask, found in zip(images, masks, together, strict=True):
        torch.testing.assert_close(found[0], dense(image[0], mask), rtol=0, atol=1e-9)


def test_shifting_the_image_shifts_the_answer() -> None:
    image, gone = drawn(1, 1, 8, 8, 8), removed(0.7, 1, 8, 8, 8)
    mean = image.mean()[None, None, None, None]
    shifted = filled(image + 100, gone, mean + 100)
    torch.testing.assert_close(shifted, filled(image, gone, mean) + 100, rtol=0, atol=1e-9)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_same() -> None:
    image, gone = drawn(1, 2, 12, 13, 11), removed(0.6, 4, 12, 13, 11)
    there = filled(image.cuda(), gone.cuda(), NO_MEAN.cuda(), 1e-10).cpu()
    torch.testing.assert_close(there, filled(image, gone, NO_MEAN, 1e-10), rtol=0, atol=1e-8)
