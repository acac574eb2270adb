"""The 3D Vision Transformer, key for key as in vit-pytorch's `vit_3d` and `simple_vit_3d`.

Tensors: image (b c f h w) with the frames axis first; tokens (b n d), prefix tokens first, patches
in the order of their grid (f h w), last axis fastest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from g3dvit_napari.core.spec import NetworkSpec

PATCH_ORDER = {
    "legacy": "b c (f pf) (h p1) (w p2) -> b (f h w) (p1 p2 pf c)",
    "new": "b c (f pf) (h p1) (w p2) -> b (f h w) (pf p1 p2 c)",
}


@dataclass(frozen=True)
class Layout:
    """Which optional layers a checkpoint has; vit-pytorch changed them over the years."""

    patch_norm: bool = True  # layer norms around the patch projection, since February 2023
    final_norm: bool = False  # a norm after the last block; SimpleViT has one
    head_norm: bool = True  # a norm in front of the classifying layer


class Attention(nn.Module):
    """Multi-head self-attention with its layer norm in front."""

    def __init__(self, dim: int, heads: int, dim_head: int, *, simple: bool) -> None:
        super().__init__()
        inner = heads * dim_head
        self.heads = heads
        self.scale = dim_head**-0.5
        self.norm = nn.LayerNorm(dim)
        self.to_qkv = nn.Linear(dim, 3 * inner, bias=False)
        self.to_out: nn.Module
        if simple:
            self.to_out = nn.Linear(inner, dim, bias=False)
        elif heads == 1 and dim_head == dim:
            self.to_out = nn.Identity()
        else:
            self.to_out = nn.Sequential(nn.Linear(inner, dim), nn.Identity())

    def split_heads(self, x: Tensor) -> Tensor:
        """Reshape (b n (h d)) to (b h n d)."""
        return rearrange(x, "b n (h d) -> b h n d", h=self.heads)

    def query_key_value(self, normed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return q, k, v, each (b h n d), of already normed tokens (b n d)."""
        q, k, v = (self.split_heads(part) for part in self.to_qkv(normed).chunk(3, dim=-1))
        return q, k, v

    def mixed(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend with the fused kernel: (b h m d), (b h n d) to (b m (h d))."""
        out = F.scaled_dot_product_attention(q, k, v, scale=self.scale)
        return rearrange(out, "b h n d -> b n (h d)")

    def mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend and project: (b h m d), (b h n d) to (b m d)."""
        return cast(Tensor, self.to_out(self.mixed(q, k, v)))

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (b n d) to their update (b n d)."""
        return self.mix(*self.query_key_value(self.norm(x)))


class FeedForward(nn.Module):
    """Two linear layers with GELU, their layer norm in front."""

    def __init__(self, dim: int, hidden: int, *, simple: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.GELU()]
        if not simple:
            layers.append(nn.Identity())  # a dropout in vit-pytorch; keeps the index of the next
        self.net = nn.Sequential(*layers, nn.Linear(hidden, dim))

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (b n d) to their update (b n d)."""
        return cast(Tensor, self.net(x))


class Block(nn.ModuleList):
    """One transformer block: attention, then feed-forward, each with a residual."""

    @property
    def attention(self) -> Attention:
        """The attention of this block."""
        return cast(Attention, self[0])

    @property
    def feed_forward(self) -> FeedForward:
        """The feed-forward part of this block."""
        return cast(FeedForward, self[1])

    def from_norm(self, normed: Tensor, skip: Tensor, rows: int | None = None) -> Tensor:
        """Map the attention norm's output, and what skips it (b n d), to the first tokens (b m d).

        `rows` is how many of them are computed; None: all.
        """
        q, k, v = self.attention.query_key_value(normed)
        x = self.attention.mix(q[:, :, :rows], k, v) + skip[:, :rows]
        return x + cast(Tensor, self.feed_forward(x))

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (b n d) to tokens (b n d)."""
        x = x + cast(Tensor, self.attention(x))
        return x + cast(Tensor, self.feed_forward(x))


class Transformer(nn.Module):
    """The stack of blocks."""

    def __init__(self, spec: NetworkSpec, *, simple: bool, final_norm: bool) -> None:
        super().__init__()
        sizes = (spec.dim, spec.depth, spec.heads, spec.dim_head, spec.mlp_dim)
        dim, depth, heads, dim_head, hidden = cast(tuple[int, int, int, int, int], sizes)
        self.layers = nn.ModuleList(
            Block(
                [
                    Attention(dim, heads, dim_head, simple=simple),
                    FeedForward(dim, hidden, simple=simple),
                ]
            )
            for _ in range(depth)
        )
        if final_norm:
            self.norm = nn.LayerNorm(dim)


class ViT3D(nn.Module):
    """A 3D Vision Transformer classifier.

    Parameters
    ----------
    spec
        Complete network spec: every field but `norm` set.
    layout
        Optional layers.
    """

    def __init__(self, spec: NetworkSpec, layout: Layout) -> None:
        super().__init__()
        assert spec.patch is not None  # completed by models.reading.infer
        simple = spec.family == "simple_vit_3d"
        dim, classes = cast(int, spec.dim), cast(int, spec.classes)
        f, h, w = spec.token_grid
        pf, ph, pw = spec.patch
        voxels = pf * ph * pw * cast(int, spec.channels)
        self.spec = spec
        self.to_patch_embedding = nn.Sequential(
            nn.Identity(),  # the rearrangement; keeps the index of the next
            nn.LayerNorm(voxels) if layout.patch_norm else nn.Identity(),
            nn.Linear(voxels, dim),
            nn.LayerNorm(dim) if layout.patch_norm else nn.Identity(),
        )
        if not simple:
            self.pos_embedding = nn.Parameter(torch.zeros(1, f * h * w + 1, dim))
            self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.transformer = Transformer(spec, simple=simple, final_norm=layout.final_norm)
        linear = nn.Linear(dim, classes)
        head = nn.Sequential(nn.LayerNorm(dim), linear) if layout.head_norm else linear
        self.add_module("linear_head" if simple else "mlp_head", head)

    @property
    def blocks(self) -> list[Block]:
        """The transformer blocks, first to last."""
        return [cast(Block, block) for block in self.transformer.layers]

    @property
    def prefix_tokens(self) -> int:
        """How many tokens stand in front of the patches."""
        return 0 if self.spec.family == "simple_vit_3d" else 1

    @property
    def cls_pooling(self) -> bool:
        """Whether the class token alone is read out."""
        return self.spec.pool == "cls"

    @property
    def rows_read(self) -> int | None:
        """How many tokens are read behind the last attention; None: all."""
        return 1 if self.cls_pooling else None

    @property
    def head(self) -> nn.Module:
        """What classifies the pooled token: a linear layer, mostly with a norm in front."""
        return cast(nn.Module, self.linear_head if self.prefix_tokens == 0 else self.mlp_head)

    def embed(self, image: Tensor) -> Tensor:
        """Map an image (b c f h w) to the input tokens of the first block (b n d)."""
        pf, ph, pw = cast(tuple[int, int, int], self.spec.patch)
        pattern = PATCH_ORDER[cast(str, self.spec.patch_order)]
        x = cast(Tensor, self.to_patch_embedding(rearrange(image, pattern, pf=pf, p1=ph, p2=pw)))
        if self.prefix_tokens == 0:
            return x + sincos_positions(self.spec.token_grid, x.shape[-1]).to(x)
        return torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embedding

    def read_out(self, x: Tensor) -> Tensor:
        """Map the tokens after the last block (b n d) to logits (b k).

        With class-token pooling only the first token is read, so (b 1 d) serves as well.
        """
        x = self.final(x)
        x = x[:, 0] if self.cls_pooling else x.mean(dim=1)
        return cast(Tensor, self.head(x))

    def final(self, x: Tensor) -> Tensor:
        """Map the tokens after the last block to those that are pooled: the final norm, if any."""
        return cast(Tensor, self.transformer.norm(x)) if hasattr(self.transformer, "norm") else x

    def forward(self, image: Tensor) -> Tensor:
        """Map an image (b c f h w) to logits (b k)."""
        x = self.embed(image)
        for block in self.blocks:
            x = block(x)
        return self.read_out(x)


def sincos_positions(grid: tuple[int, int, int], dim: int, temperature: float = 10_000) -> Tensor:
    """Return the fixed positions of SimpleViT (n d): sines and cosines of x, y, z, zero-padded."""
    z, y, x = torch.meshgrid(*(torch.arange(n) for n in grid), indexing="ij")
    sixth = dim // 6
    omega = 1.0 / temperature ** (torch.arange(sixth) / (sixth - 1))
    angles = [axis.flatten()[:, None] * omega for axis in (x, y, z)]
    waves = torch.cat([wave for a in angles for wave in (a.sin(), a.cos())], dim=1)
    return F.pad(waves, (0, dim - waves.shape[1]))
