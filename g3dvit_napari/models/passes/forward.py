"""What a method sees: one image's pass through a network, from which every map starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from g3dvit_napari.core.types import TokenMaps
from g3dvit_napari.models.as_found.capture import Tick
from g3dvit_napari.models.attention.attention import AttentionLayer
from g3dvit_napari.models.networks.vit3d import ViT3D
from g3dvit_napari.models.objective import Objective
from g3dvit_napari.models.passes.asked import Files
from g3dvit_napari.models.passes.foreign import ForeignPass
from g3dvit_napari.models.passes.linear_head import LinearHead
from g3dvit_napari.models.passes.native import NativePass
from g3dvit_napari.models.passes.native_attention import Pooling
from g3dvit_napari.models.probing.anatomy import Site
from g3dvit_napari.models.rules.rules import Rules
from g3dvit_napari.models.rules.shares import At, Shares

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle

CHUNK_BYTES = 128 * 2**20  # of gradients held at a time


class ForwardPass(Protocol):
    """One image's pass. `n` counts all tokens, prefix tokens first; `block` may be negative."""

    model: ModelHandle
    image: Tensor  # 1 c f h w
    logits: Tensor  # c
    tick: Tick  # called between steps of work; counts them, and may raise
    objective: Objective
    files: Files | None  # None where no volume is known, only an image
    kept: bool  # from an earlier question about the same image

    def asked(self, tick: Tick, objective: Objective) -> ForwardPass:
        """Return the same pass for another request."""
        ...

    def starts(self, targets: Sequence[int]) -> Tensor:
        """Return the gradients (k 1 c) of the explained numbers at the logits."""
        ...

    def site(self, block: int = -1) -> Site:
        """Return what is known of the attention norm or feature map of a block."""
        ...

    def activations(self, block: int = -1) -> Tensor:
        """Return the output (n d) of the attention norm or feature map of a block."""
        ...

    def gradients(self, targets: Sequence[int], block: int = -1) -> Tensor:
        """Return the gradients (k n d) of the explained numbers with respect to that output."""
        ...

    def mean_gradients(self, targets: Sequence[int], block: int = -1) -> tuple[Tensor, Tensor]:
        """Return their mean over features (k n), and the mean size of the terms behind it."""
        ...

    def scores_without(
        self, features: Sequence[int], targets: Sequence[int], block: int = -1
    ) -> Tensor:
        """Return the explained numbers (f k) when one feature at a time is zero at every token.

        `features` are their numbers (f) in the output of a block's attention norm or feature map;
        what is in front of it does not run again where that can be had.
        """
        ...

    def linear_head(self) -> LinearHead:
        """Return what is averaged over all cells and classified by one linear layer."""
        ...

    def attention(self) -> tuple[AttentionLayer, ...]:
        """Return queries, keys and values of every attention, first to last, without a graph."""
        ...

    def attention_gradients(
        self, targets: Sequence[int], first: int = 0, *, skip_only: bool = False
    ) -> tuple[Tensor, ...]:
        """Return the gradients ∇o (k g h r e) at what each attention mixes (o = A v).

        One per block, from `first` (which may be negative) to the last. Query rows at the end that
        no gradient reaches may be left out (r ≤ n). With `skip_only` queries, keys and values are
        held constant in every block: each o is cut off from what is below it, and only the skip
        path and the feed-forward layers carry.
        """
        ...

    def attention_relevance(
        self, targets: Sequence[int], first: int = 0, *, partial: bool = False
    ) -> tuple[Tensor, ...]:
        """Return t = R / o (k g h r e), R being the relevance of what attention mixes (o = A v).

        One per block, as `attention_gradients` does; the relevance of A itself is ½ A ⊙ (t vᵀ). By
        the rules of Chefer et al. (CVPR 2021), or with `partial` by those of partial LRP.
        """
        ...

    def read_out_gradients(
        self, targets: Sequence[int], first: int, pool: Pooling
    ) -> Iterator[Tensor]:
        """Yield ∇o (k g h r e) of each block from `first` to the last, the head right behind it.

        The explained numbers are then those of an answer that is made of the tokens that leave the
        block; their class token, or their mean, is read. Only for blocks of `Anatomy.leaving`.
        """
        ...

    def shares(self, targets: Sequence[int], rules: Rules, at: At = "tokens") -> Shares:
        """Return what tokens or voxels, and the biases, contribute under backward rules.

        The tokens of a network without attention are its voxels.
        """
        ...


def run_forward(model: ModelHandle, image: Tensor, tick: Tick) -> ForwardPass:
    """Run one image (1 c f h w) through a network; `tick` is called between blocks and may raise.

    Raises
    ------
    MethodError
        When a foreign network's norm cannot be found or explained.
    """
    if isinstance(model.network, ViT3D):
        return NativePass(model, image, tick)
    return ForeignPass(model, image, tick)


def gradient_chunks(run: ForwardPass, targets: Sequence[int], block: int) -> Iterator[Tensor]:
    """Yield the gradients (k n d) for so many classes at a time that they stay small."""
    one_class = run.activations(block).nbytes
    step = max(1, CHUNK_BYTES // one_class)
    for start in range(0, len(targets), step):
        yield run.gradients(targets[start : start + step], block)


def to_maps(
    run: ForwardPass, values: Tensor, magnitude: Tensor, block: int | None = None
) -> TokenMaps:
    """Turn values and magnitudes of all tokens (k n) into maps: prefix tokens dropped, on the grid.

    Only the placing depends on the number of dimensions; the methods know tokens alone. `block`
    says whose cells they are; None: those of the first block.
    """
    site = run.site(0 if block is None else block)
    tokens = (t[:, site.prefix :].cpu().double() for t in (values, magnitude))
    raw, size = (t.reshape(len(t), *site.cells.shape).numpy() for t in tokens)
    return TokenMaps(raw, size, site.cells)
