"""Where tokens leave the last blocks of networks that are not ours, and their head behind each."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from other_networks import OTHERS, made
from probed_networks import probed, torch_vit
from torch import Tensor, nn

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.core.spec import NetworkSpec
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.networks.swin3d import Windows


class Block(nn.Module):
    """Attention and feed-forward, each with a residual; written with torch's own attention."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(16), nn.LayerNorm(16)
        self.attn = nn.MultiheadAttention(16, 4, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(16, 20), nn.GELU(), nn.Linear(20, 16))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + self.attn(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class Chain(nn.Module):
    """Blocks in a row, a norm, a head; `reads` is "cls" or "mean"; a side way if it is "both"."""

    def __init__(self, reads: str) -> None:
        super().__init__()
        self.reads = reads
        self.cut = nn.Conv3d(1, 16, (4, 5, 3), stride=(4, 5, 3))
        self.first = nn.Parameter(torch.randn(1, 1, 16))
        self.where = nn.Parameter(torch.randn(1, 25, 16))
        self.blocks = nn.ModuleList(Block() for _ in range(3))
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 3)

    def forward(self, image: Tensor) -> Tensor:
        cells = self.cut(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(len(cells), -1, -1), cells], dim=1) + self.where
        for block in self.blocks:
            x = block(x)
        read = self.norm(x)[:, 0] if self.reads == "cls" else self.norm(x).mean(1)
        side = cells.mean(1) if self.reads == "both" else 0
        return self.head(read + side)


def chain(reads: str) -> ModelHandle:
    spec = NetworkSpec(
        family="module", image_size=(12, 20, 6), patch=(4, 5, 3), channels=1, classes=3,
        prefix_tokens=1,
    )  # fmt: skip
    torch.manual_seed(1)
    model = made(Chain(reads), spec)
    model.network.double()
    return model


def picture(model: ModelHandle) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(model.image_shape, generator=generator, dtype=torch.float64)


def test_blocks_are_found_where_what_leaves_one_enters_the_next() -> None:
    names = [site.name for site in chain("cls").anatomy.leaving]
    assert names == ["blocks.0", "blocks.1", "blocks.2"]


def test_of_a_network_that_merges_patches_only_the_last_blocks_are() -> None:
    model = OTHERS["swin"]()
    assert [site.name for site in model.anatomy.leaving] == [
        "layers2.0.blocks.0",
        "layers2.0.blocks.1",
    ]
    assert model.anatomy.leaving[-1].cells == model.site().cells


def test_a_head_that_reads_something_else_too_cannot_be_put_elsewhere() -> None:
    assert chain("both").anatomy.leaving == ()
    assert "movable head" not in chain("both").offers
    assert OTHERS["a ViT of somebody's own"]().anatomy.leaving == ()  # no modules around


def test_a_norm_at_the_end_of_the_block_before_is_in_no_block_of_its_own() -> None:
    model = probed(torch_vit(norm_first=False))
    assert model.anatomy.attention == "global"
    assert model.anatomy.leaving == ()
    assert probed(torch_vit(norm_first=True)).anatomy.leaving != ()


def slowly(network: Any, image: Tensor, pool: str, target: int) -> list[Tensor]:
    """∂s/∂A (h n n) of every block, the head reading what leaves it; whole matrices."""
    cells = network.cut(image).flatten(2).transpose(1, 2)
    x = torch.cat([network.first, cells], dim=1) + network.where
    found = []
    for block in network.blocks:
        y, attn = block.norm1(x), block.attn
        q, k, v = (
            part.reshape(25, 4, 4).transpose(0, 1)
            for part in (y @ attn.in_proj_weight.T + attn.in_proj_bias)[0].chunk(3, dim=-1)
        )
        weights = (q @ k.mT / 2).softmax(-1)
        x = x + attn.out_proj((weights @ v).transpose(0, 1).reshape(1, 25, 16))
        x = x + block.mlp(block.norm2(x))
        if network.reads == "cls":
            read = network.norm(x[:, 0] if pool == "cls" else x.mean(1))
        else:
            read = network.norm(x).mean(1) if pool == "mean" else network.norm(x[:, 0])
        (gradient,) = torch.autograd.grad(network.head(read)[0, target], weights, retain_graph=True)
        found.append(gradient)
    return found


@pytest.mark.parametrize("reads", ["cls", "mean"])
@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_gradients_are_those_of_the_head_behind_each_block(reads: str, pool: str) -> None:
    model = chain(reads)
    assert model.anatomy.pool == reads
    image = picture(model)
    run = model.forward(image)
    found = list(run.read_out_gradients((2, 0), 0, pool))
    for row, target in enumerate((2, 0)):
        wanted = slowly(model.network, image, pool, target)
        for layer, mixed, gradient in zip(run.attention(), found, wanted, strict=True):
            ours = (mixed[row] @ layer.v.mT)[0]
            assert gradient.abs().max() > 1e-5
            torch.testing.assert_close(ours, gradient, rtol=0, atol=1e-12)


def test_legrad_says_which_blocks_it_leaves_out() -> None:
    model = OTHERS["swin"]()
    image = torch.randn(model.image_shape, generator=torch.Generator().manual_seed(3))
    run = model.forward(image)
    maps = METHODS["legrad"].function(run, (0,))
    assert maps.cells == model.site().cells
    assert maps.remarks == ("only the last 2 of 4 blocks hold tokens that the head can read",)
    with pytest.raises(MethodError, match="behind its last 2 blocks, not behind block 1 of 4"):
        run.read_out_gradients((0,), 1, "mean")


def leave(block: Any, x: Tensor, window: Any) -> tuple[Tensor, Tensor]:
    """What leaves a Swin block (1 f h w c), and its attention (g h n n) on the way."""
    windows = Windows.over(x.shape[1:4], window, shifted=block.shifted)
    split, attn = windows.split(block.norm1(x)), block.attn
    shape = (*split.shape[1:3], 3, attn.heads, -1)
    q, k, v = attn.qkv(split)[0].reshape(shape).permute(2, 0, 3, 1, 4)
    mask = windows.mask(split)
    bias = attn.bias(split.shape[2]) + (0 if mask is None else mask[:, None])
    weights = (q @ k.mT * attn.scale + bias).softmax(-1)
    x = x + windows.join(attn.proj((weights @ v).transpose(1, 2).flatten(2))[None])
    return x + block.mlp(block.norm2(x)), weights


def test_legrad_on_windows_follows_the_formula() -> None:
    model = OTHERS["swin"]()
    model.network.double()
    network, image = model.network, picture(model)
    maps = METHODS["legrad"].function(model.forward(image), (1,))
    x = network.stages[0](network.patch_embed(image)).movedim(1, -1)
    total = torch.zeros(model.site().tokens, dtype=torch.float64)
    for block, places in zip(network.stages[1].blocks, model.anatomy.windows[2:], strict=True):
        x, weights = leave(block, x, network.stages[1].window)
        logit = network.head(network.norm(x).mean((1, 2, 3)))[0, 1]
        (gradient,) = torch.autograd.grad(logit, weights, retain_graph=True)
        real = places >= 0  # padding neither asks nor is asked
        felt = (gradient.relu().mean(1) * real[:, :, None]).sum(1)
        total.index_add_(0, places[real], felt[real] / len(total))
    assert total.std() > 1e-5
    torch.testing.assert_close(torch.from_numpy(maps.values).flatten(), total, rtol=0, atol=1e-12)
