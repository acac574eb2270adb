"""A network asked many times: scores in batches, gradients at the input, within a memory budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from math import prod
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from g3dvit_napari.models.as_found.capture import Stage, capturing, expect, pull_back
from g3dvit_napari.models.networks.vit3d import ViT3D
from g3dvit_napari.models.passes.cut import pulled
from g3dvit_napari.models.sampling.footprint import Footprint

if TYPE_CHECKING:
    from g3dvit_napari.models.passes.forward import ForwardPass

BATCH_BYTES = 512 * 2**20  # of a batch without a graph
LARGEST_BATCH = 16  # more gains nothing on a CPU, whose caches are small
LARGEST_ELSEWHERE = 64
GRAPH_BYTES = 2**30  # of one image's graph; a larger one is made block by block

Ask = Callable[[Tensor], Tensor]  # a batch (b ...) to logits (b c)


def logits_of(run: ForwardPass, images: Tensor) -> Tensor:
    """Map images (b c f h w) to logits (b c), those that the pass itself explains."""
    network = run.model.network
    if isinstance(network, ViT3D):
        return from_tokens(network, network.embed(images))
    return run.model.answer(images)


def from_tokens(network: ViT3D, x: Tensor) -> Tensor:
    """Map the tokens that enter the first block (b n d) to logits (b c)."""
    for block in network.blocks[:-1]:
        x = block(x)
    return _last(network, x)


def _last(network: ViT3D, x: Tensor) -> Tensor:
    """Map the tokens that enter the last block (b n d) to logits, through those that are read."""
    block = network.blocks[-1]
    return network.read_out(block.from_norm(block.attention.norm(x), x, network.rows_read))


def scores(
    run: ForwardPass, images: Iterable[Tensor], count: int, targets: Sequence[int]
) -> Tensor:
    """Return the explained numbers (count k) of images (c f h w), in float64 on the CPU.

    The images may be made as they are asked for: no more than a batch of them is held.
    """
    return asked_in_batches(run, partial(logits_of, run), images, count, targets)


def asked_in_batches(
    run: ForwardPass, ask: Ask, items: Iterable[Tensor], count: int, targets: Sequence[int]
) -> Tensor:
    """Return the explained numbers (count k) of whatever `ask` maps to logits.

    The first item goes alone and its memory is measured; from then on as many go together as the
    budget holds. Ticks once per item.
    """
    expect(run.tick, count)
    found = [torch.empty(0, len(targets), dtype=torch.float64)]
    with capturing(run.model.network):
        for logits in _logits_in_batches(run, ask, iter(items)):
            found.append(explained(run, logits, targets))
            for _ in logits:
                run.tick()
    return torch.cat(found)


def _logits_in_batches(run: ForwardPass, ask: Ask, items: Iterator[Tensor]) -> Iterator[Tensor]:
    network = run.model.network
    for first in islice(items, 1):
        with Footprint([*network.parameters(), *network.buffers()]) as footprint:
            logits = ask(first[None])
        yield logits
        each = footprint.peak + 2 * first.nbytes  # alone, and stacked
        most = LARGEST_BATCH if logits.device.type == "cpu" else LARGEST_ELSEWHERE
        size = max(1, min(BATCH_BYTES // each, most))
        while batch := list(islice(items, size)):
            yield ask(torch.stack(batch))


def explained(run: ForwardPass, logits: Tensor, targets: Sequence[int]) -> Tensor:
    """Return the explained numbers (... k) of logits (... c), in float64 on the CPU."""
    return run.objective.scores(logits.detach().cpu().double(), targets)


def expect_gradients(run: ForwardPass, images: int) -> None:
    """Tell the progress at how many images `input_gradients` will be asked for."""
    expect(run.tick, images * len(_stages(run)))


def input_gradients(run: ForwardPass, image: Tensor, targets: Sequence[int]) -> Tensor:
    """Return the gradients (k c f h w) of the explained numbers at an image (1 c f h w).

    One forward pass and one backward pass per class, with the parameters frozen: in float64 on the
    CPU, so that the gradients of many images can be added up. Where the graph of our own network
    would not fit the budget, each block is run again when its turn comes, which costs one more
    forward pass and holds one block's graph at a time.
    """
    stages = _stages(run)
    with capturing(run.model.network):
        entering = [image.clone()]  # one made in inference mode cannot be a leaf
        for stage in stages[:-1]:
            entering.append(stage(entering[-1]))
        gradients = _through(run, stages[-1], entering.pop(), targets)
        run.tick()
        gradients = pull_back(stages[:-1], entering, gradients, run.tick)
    return gradients[:, 0].cpu().double()


def _through(run: ForwardPass, stage: Stage, x: Tensor, targets: Sequence[int]) -> Tensor:
    """Return the gradients (k ...) at what enters the stage that ends with the logits."""
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        logits = stage(leaf)
    starts = run.objective.starts(logits[0], targets)
    return torch.stack([pulled(logits, [leaf], start)[0] for start in starts])


def _stages(run: ForwardPass) -> list[Stage]:
    """Return the network in as few stages as the budget allows."""
    network = run.model.network
    if not isinstance(network, ViT3D) or graph_bytes(network) <= GRAPH_BYTES:
        return [partial(logits_of, run)]
    return [network.embed, *network.blocks[:-1], partial(_last, network)]


def graph_bytes(network: ViT3D) -> int:
    """Return what autograd keeps of one image: inputs of norms and GELUs, and q, k, v and o."""
    weight = network.blocks[0].attention.to_qkv.weight  # 3 (h d), dim
    hidden = cast(int, network.spec.mlp_dim)
    per_token = 2 * weight.shape[1] + 4 * weight.shape[0] // 3 + hidden
    tokens = prod(network.spec.token_grid) * len(network.blocks)
    return tokens * per_token * weight.element_size()
