"""The feature maps of a convolutional network: the last one of every resolution."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor, nn

from g3dvit_napari.core.cells import Cells, Triple
from g3dvit_napari.models.anatomy import Site
from g3dvit_napari.models.feature_maps import FeatureMaps
from g3dvit_napari.models.hooked import only_tensor

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle


def feature_sites(model: ModelHandle, image: Tensor) -> tuple[list[Site], list[str]]:
    """Return a site for every resolution, finest first, and what is not certain of them.

    Of the modules that yield the same feature map the outermost is taken. To be called inside
    `capturing`.
    """
    last: dict[Triple, tuple[str, Cells | None]] = {}
    runs: dict[str, int] = {}

    def leave(name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        runs[name] = runs.get(name, 0) + 1
        tensor = only_tensor(output)
        if tensor is None or tensor.ndim != 5 or len(tensor) > 1:
            return
        if tensor[0, 0].numel() > 1:
            shape = cast(Triple, tuple(tensor.shape[2:]))
            if runs[name] == 1:
                last[shape] = name, maps.cells(tensor)

    maps = FeatureMaps(image)
    with ExitStack() as stack, maps:
        for name, module in model.network.named_modules():
            if name:
                stack.callback(module.register_forward_hook(partial(leave, name)).remove)
        model.answer(image)
    found = sorted(last.items(), key=lambda item: -item[0][0] * item[0][1] * item[0][2])
    sites, remarks = [], []
    for shape, (name, cells) in found:
        if runs[name] > 1:
            continue
        if cells is None:
            cells = _evenly(shape, model.image_shape[2:])
            remarks.append(
                f"where the cells of {name} lie could not be followed; they are drawn as if they "
                "tiled the image"
            )
        sites.append(Site(name, "b d f h w", 0, cells))
    return sites, remarks


def _evenly(shape: Triple, image_size: Triple) -> Cells:
    return Cells.tiling(shape, [n / cells for n, cells in zip(image_size, shape, strict=True)])
