"""The feature maps of a convolutional network: the last one of every resolution."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor, nn

from g3dvit_napari.core.cells import Cells, Triple
from g3dvit_napari.models.passes.hooked import only_tensor
from g3dvit_napari.models.probing.anatomy import Site
from g3dvit_napari.models.probing.feature_maps import FeatureMaps

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle


@dataclass(frozen=True)
class FeatureMap:
    """What a module yielded.

    depth
        How many modules around it were run as well; lists of modules are not.
    cells
        Where its cells lie; None: not known.
    """

    name: str
    depth: int
    shape: Triple
    cells: Cells | None

    @property
    def resolution(self) -> object:
        """What is the same for all feature maps of one resolution, padded ones too."""
        return self.shape if self.cells is None else self.cells.size


def feature_sites(model: ModelHandle, image: Tensor) -> tuple[list[Site], list[str]]:
    """Return a site for every resolution, finest first, and what is not certain of them.

    Of all modules that yield a resolution it is the last of the outermost ones. To be called inside
    `capturing`.
    """
    chosen: dict[object, FeatureMap] = {}
    for found in _feature_maps(model, image):
        known = chosen.get(found.resolution)
        if known is None or found.depth <= known.depth:
            chosen[found.resolution] = found
    sites, remarks = [], []
    for found in chosen.values():
        if found.cells is None:
            remarks.append(
                f"where the cells of {found.name} lie could not be followed; they are drawn as if "
                "they tiled the image"
            )
        cells = found.cells or _evenly(found.shape, model.image_shape[2:])
        sites.append(Site(found.name, "b d f h w", 0, cells))
    return sorted(sites, key=lambda site: prod(site.cells.size)), remarks


def _feature_maps(model: ModelHandle, image: Tensor) -> list[FeatureMap]:
    """Return the feature maps of all modules that are run once, in the order they end in."""
    running: list[str] = []
    ended: list[str] = []
    found: list[FeatureMap] = []

    def enter(name: str, _module: nn.Module, _inputs: Any) -> None:
        running.append(name)

    def leave(name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        running.remove(name)
        ended.append(name)
        tensor = only_tensor(output)
        if tensor is None or tensor.ndim != 5 or len(tensor) > 1 or tensor[0, 0].numel() == 1:
            return
        shape, cells = cast(Triple, tuple(tensor.shape[2:])), maps.cells(tensor)
        padded = cells is not None and cells.size == (1, 1, 1) and len(tensor[0]) == len(image[0])
        if not padded:  # the image itself is no feature map
            found.append(FeatureMap(name, len(running), shape, cells))

    maps = FeatureMaps(image)
    with ExitStack() as stack, maps:
        for name, module in model.network.named_modules():
            if name:
                stack.callback(module.register_forward_pre_hook(partial(enter, name)).remove)
                stack.callback(module.register_forward_hook(partial(leave, name)).remove)
        model.answer(image)
    return [each for each in found if ended.count(each.name) == 1]


def _evenly(shape: Triple, image_size: Triple) -> Cells:
    return Cells.tiling(shape, [n / cells for n, cells in zip(image_size, shape, strict=True)])
