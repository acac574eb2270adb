"""No attention method holds a matrix over all tokens."""

from __future__ import annotations

from typing import Any

import pytest
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.attention import attention

HEADS, TOKENS = 8, 37
STREAMED = ["raw_attention", "attention_rollout", "gradient_rollout", "generic_attention",
            "attention_grad_cam", "i_saw", "agcam", "legrad"]  # fmt: skip


class Largest(TorchDispatchMode):
    """Remembers how large the largest tensor was that any operation returned."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        sizes = [leaf.numel() for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        self.count = max(self.count, *sizes, 0)
        return out


@pytest.mark.parametrize("kind", ["class token", "mean"])
@pytest.mark.parametrize("method", STREAMED)
def test_the_largest_tensor_is_smaller_than_attention(
    build: Any, image: Tensor, method: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = build(kind, heads=HEADS, double=False).forward(image.float())
    monkeypatch.setattr(attention, "CHUNK_BYTES", 1)
    with Largest() as largest:
        METHODS[method].function(run, (1,))
    assert TOKENS < largest.count < HEADS * TOKENS * TOKENS


def test_all_at_once_it_would_not_be(build: Any, image: Tensor) -> None:
    run = build("mean", heads=HEADS, double=False).forward(image.float())
    with Largest() as largest:
        METHODS["attention_rollout"].function(run, (1,))
    assert largest.count == HEADS * TOKENS * TOKENS  # so the test above can fail
