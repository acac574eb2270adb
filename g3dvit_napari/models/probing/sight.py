"""Where tokens look: measured on the network itself, while its attention is silent.

Without attention nothing mixes tokens, so a token's gradient at the image fills its own patch, and
tokens without a gradient stand for no place at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from g3dvit_napari.core.cells import Cells, Floats, Triple
from g3dvit_napari.models.passes.hooked import replacing
from g3dvit_napari.models.probing.anatomy import Site
from g3dvit_napari.models.probing.tape import AttentionCall, Tape

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle

MOST_PREFIX = 16  # tokens in front of the cells that are looked for
FAINT = 1e-4  # of the largest gradient: less is rounding, and norms over all voxels

Box = tuple[Triple, Triple]  # first and last voxel along each axis


class _Seen(Exception):
    """The network has come as far as it is needed."""


def silent(call: AttentionCall) -> Tensor:
    """Let an attention give zeros."""
    return torch.zeros_like(call.out)


class Sight:
    """What the tokens of one site see of the image.

    Parameters
    ----------
    model, image
        The network's handle, and any image (1 c f h w) of its shape.
    site
        The site; its cells need not be known. To be made inside `capturing`.
    """

    def __init__(self, model: ModelHandle, image: Tensor, site: Site) -> None:
        self._image = image.detach().clone().requires_grad_()
        self._tokens: Tensor | None = None
        self._boxes: dict[int, Box | None] = {}

        def see(output: Tensor) -> Any:
            self._tokens = site.flat(output)[0]
            raise _Seen

        with (
            suppress(_Seen),
            torch.enable_grad(),
            replacing(model.network, site, see),
            Tape(silent),
        ):
            model.answer(self._image)

    def box(self, token: int) -> Box | None:
        """Return the smallest box of voxels that holds all a token sees; None: nothing."""
        if token not in self._boxes:
            self._boxes[token] = self._measured(token)
        return self._boxes[token]

    def _measured(self, token: int) -> Box | None:
        if self._tokens is None or not self._tokens.requires_grad:
            return None
        # A random weight per feature: those of a layer norm add up to a constant.
        start = torch.zeros_like(self._tokens)
        start[token] = self._direction
        (gradient,) = torch.autograd.grad(self._tokens, self._image, start, retain_graph=True)
        size = gradient[0].abs().amax(0)
        seen = (size > FAINT * size.max()).nonzero()
        if not len(seen):
            return None
        low, high = seen.amin(0).tolist(), seen.amax(0).tolist()
        return cast(Triple, tuple(low)), cast(Triple, tuple(high))

    @cached_property
    def _direction(self) -> Tensor:
        assert self._tokens is not None
        generator = torch.Generator().manual_seed(1)
        return torch.randn(self._tokens.shape[1], generator=generator).to(self._tokens)

    @property
    def prefix(self) -> int:
        """How many tokens in front see nothing of the image."""
        count = 0 if self._tokens is None else min(MOST_PREFIX, len(self._tokens))
        return next((n for n in range(count) if self.box(n) is not None), 0)

    def cells(self, shape: Triple, prefix: int) -> Cells | None:
        """Return where cells lie that are counted with the last axis fastest; None: they do not."""
        middle = [n // 2 for n in shape]
        base = self._box_at(middle, shape, prefix)
        if base is None:
            return None
        lines = []
        for axis in range(3):
            start = self._box_at([*middle[:axis], 0, *middle[axis + 1 :]], shape, prefix)
            if start is None or not _in_line(base, start, axis):
                return None
            lines.append(_line(base, start, axis, middle[axis]))
        if any(size <= 0 for size, _ in lines):
            return None
        size, first = (cast(Floats, tuple(column)) for column in zip(*lines, strict=True))
        cells = Cells(shape, size, first)
        end = self._box_at([n - 1 for n in shape], shape, prefix)
        return cells if end is not None and _ends(cells, base, end) else None

    def _box_at(self, cell: Sequence[int], shape: Triple, prefix: int) -> Box | None:
        return self.box(prefix + (cell[0] * shape[1] + cell[1]) * shape[2] + cell[2])


def _in_line(base: Box, start: Box, axis: int) -> bool:
    """Whether two boxes lie beside each other along one axis."""
    others = [a for a in range(3) if a != axis]
    return all(base[side][a] == start[side][a] for side in (0, 1) for a in others)


def _line(base: Box, start: Box, axis: int, steps: int) -> tuple[float, float]:
    """Return the distance of cells along an axis, and the centre of the first.

    Of the box at the image's edge, one face may be hidden by padding; the other one is not.
    """
    (low, high), (begin, end) = ((box[0][axis], box[1][axis]) for box in (base, start))
    length = max(high - low, end - begin)
    centre = end - length / 2 if begin == 0 else begin + length / 2
    if not steps:
        return length + 1.0, centre
    return max(low - begin, high - end) / steps, centre


def _ends(cells: Cells, base: Box, end: Box) -> bool:
    """Whether the last cell lies where counting on from the first one puts it."""
    for axis, (n, size, first) in enumerate(zip(cells.shape, cells.size, cells.first, strict=True)):
        low, high = end[0][axis], end[1][axis]
        expected = first + (n - 1) * size
        if not low - size / 2 <= expected <= high + size / 2 + max(0, size - (high - low + 1)):
            return False
        if n == 1 and (low, high) != (base[0][axis], base[1][axis]):
            return False
    return True
