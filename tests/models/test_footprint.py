"""Bytes that can be counted by hand."""

from __future__ import annotations

import torch

from g3dvit_napari.models.sampling.footprint import Footprint


def test_what_comes_and_goes_is_counted_and_the_most_is_kept() -> None:
    with Footprint() as found:
        one = torch.zeros(1000)
        two = one + 1
        assert found.now == 8000
        del two
        assert found.now == 4000
        three = torch.zeros(2000, dtype=torch.float64)
        assert found.now == 20000
        del three
    assert found.now == 4000
    assert found.peak == 20000


def test_views_and_work_in_place_take_nothing() -> None:
    with Footprint() as found:
        one = torch.zeros(10, 100)
        view = one.T[3:5].add_(1)
    assert found.peak == 4000
    del one
    assert found.now == 4000  # the view keeps all of it
    del view
    assert found.now == 0


def test_what_is_known_is_not_counted() -> None:
    weight = torch.zeros(100, 100)
    with Footprint([weight]) as found:
        weight.T  # noqa: B018 - a view of something known
        torch.zeros(1, 100) @ weight.T
    assert found.peak == 800
