"""Which voxels are head and which are air."""

from __future__ import annotations

import numpy as np
import pytest

from g3dvit_napari.core.head import head_mask


def ball(shape: tuple[int, int, int], radius: float) -> np.ndarray:
    places = np.indices(shape) - np.array(shape)[:, None, None, None] / 2 + 0.5
    return (places**2).sum(axis=0) < radius**2


@pytest.fixture
def scan() -> tuple[np.ndarray, np.ndarray]:
    head = ball((19, 23, 17), 7)
    noise = np.random.default_rng(0).normal(size=head.shape)
    return np.where(head, 100 + 5 * noise, 3 * noise), head


def test_a_head_in_noisy_air_is_found_with_its_holes_filled(scan) -> None:
    data, head = scan
    data[8:11, 10:13, 7:10] = 0  # a ventricle
    assert np.array_equal(head_mask(data), head)


def test_specks_apart_from_it_are_dropped(scan) -> None:
    data, head = scan
    data[0, 0, 0] = 200
    assert np.array_equal(head_mask(data), head)


def test_where_the_surroundings_were_cleared_all_else_is_head() -> None:
    head = ball((19, 23, 17), 7)
    values = np.random.default_rng(0).normal(size=head.shape)  # z-scored: around zero
    assert np.array_equal(head_mask(np.where(head, values, -2.5)), head)


def test_a_volume_without_an_object_is_all_head() -> None:
    assert head_mask(np.full((3, 4, 5), 7.0)).all()
    assert head_mask(np.full((3, 4, 5), np.nan)).all()
