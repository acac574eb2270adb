"""The 3D Swin Transformer classifier, key for key as MONAI's `SwinTransformer` with norm and head.

Tensors: image (b c f h w); between stages (b c f h w), inside a stage (b f h w c); windows
(b w n c), the n tokens of a window in the order of its grid, last axis fastest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from g3dvit_napari.core.spec import NetworkSpec, Triple

APART = -100.0  # added to the score of two tokens that only the shift made neighbours
MERGING = {
    "mergingv2": tuple(product((0, 1), repeat=3)),
    "merging": ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1),
                (1, 1, 1)),
    # Before MONAI 1.5 two neighbours were taken twice and two never; weights were trained so.
    "merging-legacy": ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (0, 1, 0), (0, 0, 1),
                       (1, 1, 1)),
}  # fmt: skip


@dataclass(frozen=True)
class SwinLayout:
    """What the keys and shapes of a checkpoint decide and a spec does not hold.

    depths, heads
        Blocks and attention heads of every stage.
    last_merge
        Whether tokens are merged behind the last stage too, as MONAI does.
    norm_weights
        Whether the last norm has weights of its own.
    """

    depths: tuple[int, ...]
    heads: tuple[int, ...]
    qkv_bias: bool = True
    patch_norm: bool = False
    last_merge: bool = True
    norm_weights: bool = True


@dataclass(frozen=True)
class Windows:
    """How a grid of tokens is cut into windows, moved by `shift` first."""

    grid: Triple
    size: Triple
    shift: Triple

    @classmethod
    def over(cls, grid: Triple, window: Triple, *, shifted: bool) -> Windows:
        """Return the windows of a grid; along an axis that one window covers nothing is moved."""
        axes = list(zip(grid, window, strict=True))
        f, h, w = (min(n, size) for n, size in axes)
        sf, sh, sw = (size // 2 if shifted and n > size else 0 for n, size in axes)
        return cls(grid, (f, h, w), (sf, sh, sw))

    @property
    def padded(self) -> Triple:
        """The grid, filled up to whole windows."""
        f, h, w = (-(-n // size) * size for n, size in zip(self.grid, self.size, strict=True))
        return f, h, w

    def split(self, x: Tensor) -> Tensor:
        """Cut tokens (b f h w c) into windows (b w n c); padding is zero and takes part."""
        rest = [total - n for total, n in zip(self.padded, self.grid, strict=True)]
        x = F.pad(x, (0, 0, 0, rest[2], 0, rest[1], 0, rest[0]))
        if any(self.shift):
            x = x.roll([-s for s in self.shift], dims=(1, 2, 3))
        f, h, w = self.size
        pattern = "b (nf f) (nh h) (nw w) c -> b (nf nh nw) (f h w) c"
        return rearrange(x, pattern, f=f, h=h, w=w)

    def join(self, windows: Tensor) -> Tensor:
        """Undo `split`."""
        (f, h, w), (nf, nh, nw) = self.size, self._counts
        pattern = "b (nf nh nw) (f h w) c -> b (nf f) (nh h) (nw w) c"
        x = rearrange(windows, pattern, f=f, h=h, w=w, nf=nf, nh=nh, nw=nw)
        if any(self.shift):
            x = x.roll(self.shift, dims=(1, 2, 3))
        return x[:, : self.grid[0], : self.grid[1], : self.grid[2]]

    @property
    def _counts(self) -> Triple:
        f, h, w = (n // size for n, size in zip(self.padded, self.size, strict=True))
        return f, h, w

    def mask(self, like: Tensor) -> Tensor | None:
        """Return what keeps tokens apart (w n n) that are no neighbours in the image, or None."""
        if not any(self.shift):
            return None
        regions = torch.zeros(self.padded, device=like.device, dtype=torch.long)
        for axis, (size, shift) in enumerate(zip(self.size, self.shift, strict=True)):
            if shift:  # the last window holds what is left there and what came round
                place = torch.arange(self.padded[axis], device=like.device) - self.padded[axis]
                part = (place >= -size).long() + (place >= -shift).long()
                regions = 3 * regions + part.reshape([-1 if a == axis else 1 for a in range(3)])
        region = Windows(self.padded, self.size, (0, 0, 0)).split(regions[None, ..., None])[0]
        apart = region != region.mT
        return torch.zeros_like(apart, dtype=like.dtype).masked_fill(apart, APART)


def relative_index(window: Triple) -> Tensor:
    """Return, for every two tokens (n n) of a window, the row of the bias table they share."""
    # Real even where a network is built without memory: the index follows from the window alone.
    axes = (torch.arange(n, device="cpu") for n in window)
    places = torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1)
    f, h, w = places[:, :, None] - places[:, None, :]
    rows, columns = 2 * window[1] - 1, 2 * window[2] - 1
    index: Tensor = ((f + window[0] - 1) * rows + h + window[1] - 1) * columns + w + window[2] - 1
    return index


class WindowAttention(nn.Module):
    """Multi-head self-attention inside windows, with a bias for every relative position."""

    relative_position_index: Tensor

    def __init__(self, dim: int, heads: int, window: Triple, *, qkv_bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (dim // heads) ** -0.5
        rows = math.prod(2 * n - 1 for n in window)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(rows, heads))
        self.register_buffer("relative_position_index", relative_index(window))
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)

    def bias(self, tokens: int) -> Tensor:
        """Return the bias (h n n) of the first tokens of a window; a smaller one has fewer."""
        index = self.relative_position_index[:tokens, :tokens]
        return self.relative_position_bias_table[index].permute(2, 0, 1)

    def forward(self, windows: Tensor, mask: Tensor | None) -> Tensor:
        """Map normed windows (b w n c) to their update (b w n c)."""
        batch, count, tokens, _ = windows.shape
        q, k, v = rearrange(self.qkv(windows), "b w n (p h d) -> p (b w) h n d", p=3, h=self.heads)
        added = self.bias(tokens)[None]
        if mask is not None:
            added = (added + mask[:, None]).expand(batch, count, -1, -1, -1).flatten(0, 1)
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=added, scale=self.scale)
        return cast(Tensor, self.proj(rearrange(out, "(b w) h n d -> b w n (h d)", b=batch)))


class FeedForward(nn.Module):
    """Two linear layers with GELU."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(dim, hidden)
        self.act = nn.GELU()
        self.linear2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map normed tokens (... c) to their update (... c)."""
        return cast(Tensor, self.linear2(self.act(self.linear1(x))))


class SwinBlock(nn.Module):
    """Window attention, then feed-forward, each behind a norm and with a residual."""

    def __init__(self, attention: WindowAttention, dim: int, hidden: int, *, shifted: bool) -> None:
        super().__init__()
        self.shifted = shifted
        self.norm1 = nn.LayerNorm(dim)
        self.attn = attention
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = FeedForward(dim, hidden)

    def forward(self, x: Tensor, windows: Windows) -> Tensor:
        """Map tokens (b f h w c) to tokens (b f h w c)."""
        split = windows.split(self.norm1(x))
        x = x + windows.join(self.attn(split, windows.mask(split)))
        return x + cast(Tensor, self.mlp(self.norm2(x)))


class PatchMerging(nn.Module):
    """Eight neighbours become one token of twice the width; odd grids are padded with zeros."""

    def __init__(self, dim: int, order: str) -> None:
        super().__init__()
        self.offsets = MERGING[order]
        self.reduction = nn.Linear(8 * dim, 2 * dim, bias=False)
        self.norm = nn.LayerNorm(8 * dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (b f h w c) to tokens (b f/2 h/2 w/2 2c)."""
        f, h, w = x.shape[1:4]
        x = F.pad(x, (0, 0, 0, w % 2, 0, h % 2, 0, f % 2))
        parts = [x[:, i::2, j::2, k::2] for i, j, k in self.offsets]
        return cast(Tensor, self.reduction(self.norm(torch.cat(parts, dim=-1))))


class Stage(nn.Module):
    """Blocks on one grid, every other one with shifted windows; then, perhaps, the merging."""

    def __init__(self, spec: NetworkSpec, layout: SwinLayout, number: int) -> None:
        super().__init__()
        assert spec.window is not None  # completed by models.reading.infer
        dim, hidden = (cast(int, n) * 2**number for n in (spec.dim, spec.mlp_dim))
        heads = layout.heads[number]
        self.window = spec.window
        self.blocks = nn.ModuleList(
            SwinBlock(
                WindowAttention(dim, heads, spec.window, qkv_bias=layout.qkv_bias),
                dim,
                hidden,
                shifted=block % 2 == 1,
            )
            for block in range(layout.depths[number])
        )
        merges = layout.last_merge or number < len(layout.depths) - 1
        self.downsample = PatchMerging(dim, cast(str, spec.merging)) if merges else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map features (b c f h w) to those of the next stage (b c f h w)."""
        x = x.movedim(1, -1)
        f, h, w = x.shape[1:4]
        for block in self.blocks:
            shifted = cast(SwinBlock, block).shifted
            x = block(x, Windows.over((f, h, w), self.window, shifted=shifted))
        return cast(Tensor, self.downsample(x)).movedim(-1, 1)


class PatchEmbed(nn.Module):
    """One token per patch, by a convolution; images are padded with zeros to whole patches."""

    def __init__(self, channels: int, dim: int, patch: Triple, *, norm: bool) -> None:
        super().__init__()
        self.patch = patch
        self.proj = nn.Conv3d(channels, dim, kernel_size=patch, stride=patch)
        self.norm = nn.LayerNorm(dim) if norm else nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        """Map an image (b c f h w) to features (b c f h w), one per patch."""
        rest = [-n % p for n, p in zip(image.shape[2:], self.patch, strict=True)]
        x = self.proj(F.pad(image, (0, rest[2], 0, rest[1], 0, rest[0])))
        return cast(Tensor, self.norm(x.movedim(1, -1)).movedim(-1, 1))


class Swin3D(nn.Module):
    """A 3D Swin Transformer classifier: stages, norm, mean over all tokens, linear head.

    Parameters
    ----------
    spec
        Network spec with channels, classes, dim, mlp_dim (of the first stage), patch, window and
        merging.
    layout
        Stages and optional layers.
    """

    def __init__(self, spec: NetworkSpec, layout: SwinLayout) -> None:
        super().__init__()
        assert spec.patch is not None  # completed by models.reading.infer
        dim, classes = cast(int, spec.dim), cast(int, spec.classes)
        self.spec = spec
        self.patch_embed = PatchEmbed(
            cast(int, spec.channels), dim, spec.patch, norm=layout.patch_norm
        )
        stages = len(layout.depths)
        for number in range(stages):
            self.add_module(f"layers{number + 1}", nn.ModuleList([Stage(spec, layout, number)]))
        width = dim * 2 ** (stages if layout.last_merge else stages - 1)
        self.norm = nn.LayerNorm(width, elementwise_affine=layout.norm_weights)
        self.head = nn.Linear(width, classes)

    @property
    def stages(self) -> list[Stage]:
        """The stages, first to last."""
        lists = (part for name, part in self.named_children() if name.startswith("layers"))
        return [cast(Stage, cast(nn.ModuleList, part)[0]) for part in lists]

    def tokens(self, image: Tensor) -> Tensor:
        """Map an image (b c f h w) to the normed tokens of the last grid (b f h w c)."""
        x = self.patch_embed(image)
        for stage in self.stages:
            x = stage(x)
        return cast(Tensor, self.norm(x.movedim(1, -1)))

    def forward(self, image: Tensor) -> Tensor:
        """Map an image (b c f h w) to logits (b k)."""
        return cast(Tensor, self.head(self.tokens(image).mean(dim=(1, 2, 3))))
