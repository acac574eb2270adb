"""A device in one line."""

from __future__ import annotations

import pytest

from g3dvit_napari.core.device import DeviceState

GB = 1 << 30


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (
            DeviceState("CPU", 21 * GB + GB // 2, 24 * GB, 2),
            "CPU, 2 threads · 21.5 of 24.0 GB free",
        ),
        (DeviceState("CPU", 0, GB // 2, 1), "CPU, 1 thread · 0.0 of 0.5 GB free"),
        (DeviceState("cuda:0 H200", 136 * GB, 139 * GB), "cuda:0 H200 · 136 of 139 GB free"),
        (DeviceState("", 3 * GB, 8 * GB), "Memory · 3.0 of 8.0 GB free"),
    ],
)
def test_words(state: DeviceState, words: str) -> None:
    assert state.words == words
