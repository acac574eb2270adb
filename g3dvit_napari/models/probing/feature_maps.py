"""Where the cells of feature maps lie in the image: followed through convolutions and pooling."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from torch import Tensor
from torch.overrides import TorchFunctionMode

from g3dvit_napari.core.cells import Cells, Floats, Triple
from g3dvit_napari.models.probing.notes import Notes
from g3dvit_napari.models.rules.operations import Operation, name_of, tensors

# The arguments of what slides a window, in torch's order.
_SLIDING: dict[str, tuple[str, ...]] = {
    "conv3d": ("input", "weight", "bias", "stride", "padding", "dilation"),
    "max_pool3d": ("input", "kernel_size", "stride", "padding", "dilation"),
    "avg_pool3d": ("input", "kernel_size", "stride", "padding"),
}


class FeatureMaps(TorchFunctionMode):
    """Inside, feature maps (b d f h w) that come from an image know where their cells lie.

    A convolution of kernel k, stride s, dilation e and padding p puts its first cell at
    (k − 1) / 2 · e − p cells of its input, and the next one s further on.
    """

    def __init__(self, image: Tensor) -> None:
        super().__init__()
        self._cells: Notes[Cells] = Notes()
        self._cells[image] = Cells.voxels(image.shape[2:])

    def cells(self, tensor: Tensor) -> Cells | None:
        """Return where the cells of a feature map lie; None: not known."""
        return self._cells.get(tensor)

    def __torch_function__(
        self,
        func: Operation,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run one operation, and note where its result lies."""
        named = dict(kwargs or {})
        out = func(*args, **named)
        if isinstance(out, Tensor) and out.ndim == 5:
            known = (self._cells.get(tensor) for tensor in tensors(args, named))
            before = next((cells for cells in known if cells is not None), None)
            if before is not None:
                cells = _moved(name_of(func), before, args, named, out)
                if cells is not None and cells.shape == tuple(out.shape[2:]):
                    self._cells[out] = cells
        return out


def _moved(
    name: str, before: Cells, args: tuple[Any, ...], named: dict[str, Any], out: Tensor
) -> Cells | None:
    if name in _SLIDING:
        return _slid(name, before, dict(zip(_SLIDING[name], args, strict=False)) | named, out)
    if name == "pad":
        return _padded(before, args[1], out)
    if name == "getitem":
        return _sliced(before, args[1], out)
    return before


def _slid(name: str, before: Cells, given: dict[str, Any], out: Tensor) -> Cells | None:
    if name == "conv3d":
        kernel = _triple(given["weight"].shape[2:])
    else:
        kernel = _triple(given["kernel_size"])
    stride_default = 1 if name == "conv3d" else kernel
    stride = _triple(given.get("stride") or stride_default)
    dilation, padding = _triple(given.get("dilation", 1)), given.get("padding", 0)
    if isinstance(padding, str):
        same = padding == "same"
        padding = [(k - 1) * e // 2 if same else 0 for k, e in zip(kernel, dilation, strict=True)]
    axes = zip(kernel, dilation, _triple(padding), strict=True)
    starts = [(k - 1) / 2 * e - p for k, e, p in axes]
    return _stepped(before, starts, stride, out)


def _padded(before: Cells, padding: Sequence[int], out: Tensor) -> Cells | None:
    pairs = [*padding, *(0 for _ in range(6 - len(padding)))]  # the last axis comes first
    return _stepped(before, [-pairs[4], -pairs[2], -pairs[0]], (1, 1, 1), out)


def _sliced(before: Cells, index: Any, out: Tensor) -> Cells | None:
    """Follow x[:, :, ::2, ::2, ::2]."""
    if not isinstance(index, tuple) or len(index) != 5:
        return None
    if not all(isinstance(part, slice) for part in index):
        return None
    lengths = (1, 1, *before.shape)
    ranges = [range(n)[part] for n, part in zip(lengths, index, strict=True)]
    return _stepped(before, [r.start for r in ranges[2:]], [r.step for r in ranges[2:]], out)


def _stepped(before: Cells, starts: Sequence[float], steps: Sequence[int], out: Tensor) -> Cells:
    """Return cells that begin at `starts` and go on by `steps`, counted in cells of before."""
    axes = list(zip(before.size, before.first, starts, steps, strict=True))
    size = tuple(s * step for s, _, _, step in axes)
    first = tuple(f + s * start for s, f, start, _ in axes)
    shape = tuple(out.shape[2:])
    return Cells(cast(Triple, shape), cast(Floats, size), cast(Floats, first))


def _triple(value: Any) -> Triple:
    if isinstance(value, int):
        return value, value, value
    a, b, c = value if len(value) == 3 else (value[0],) * 3
    return int(a), int(b), int(c)
