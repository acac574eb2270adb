"""Make a handle: from the weights of a file, or from a module that is already built."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from g3dvit_napari.core.errors import SpecError
from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.models.as_found.capture import capturing
from g3dvit_napari.models.handle import ModelHandle, names_of_classes, resolve_device
from g3dvit_napari.models.networks.resnet3d import ResNet3D
from g3dvit_napari.models.networks.swin3d import Swin3D
from g3dvit_napari.models.networks.vit3d import ViT3D
from g3dvit_napari.models.probing.probe import with_patch
from g3dvit_napari.models.reading.infer import build_network, complete, refuse_open
from g3dvit_napari.models.reading.inspection import inspect_state, open_input
from g3dvit_napari.models.reading.layout import read_off
from g3dvit_napari.models.reading.readings import in_words
from g3dvit_napari.models.reading.strangers import OWN_MODULE, State

_NEEDED = ("image_size", "channels", "classes")


def build_handle(
    state: State, meta: Mapping[str, Any], spec: ModelSpec | None = None, device: str = "auto"
) -> ModelHandle:
    """Return the handle of a checkpoint's network.

    Raises
    ------
    CheckpointError
        When the weights belong to another kind of network.
    SpecError
        When weights and spec leave something open or contradict each other.
    """
    name = str(meta.get("name", "the checkpoint"))
    place = resolve_device(device)
    inspection = inspect_state(state, meta, spec)
    refuse_open(inspection.questions, name)
    with torch.inference_mode(False):  # weights made in that mode can never be differentiated
        network, _, _ = build_network(state, inspection.spec.network, name)
        network.to(place)
    facts = {**meta, "notes": inspection.notes}
    names = names_of_classes(inspection.spec)
    return ModelHandle(network, inspection.spec, place, names, facts)


def module_handle(module: nn.Module, spec: ModelSpec, device: str = "auto") -> ModelHandle:
    """Return the handle of a module; "auto" leaves it on the device where it is.

    A `ViT3D`, `Swin3D` or `ResNet3D` is used as it is. A ViT of vit-pytorch is rebuilt as a `ViT3D`
    with a copy of its weights, and the two are compared on one image. Any other module is used as
    it is, with `network.family: module`.

    Raises
    ------
    SpecError
        When the spec leaves something open or does not describe the module.
    """
    module = getattr(module, "_orig_mod", module)  # of torch.compile: the same weights, to see into
    place = _device_of(module) if device == "auto" else resolve_device(device)
    if spec.network.family == "module":
        return _foreign(module, spec, place)
    if isinstance(module, ViT3D | Swin3D | ResNet3D):
        whole = _completed(module, spec)
        return ModelHandle(module.to(place), whole, place, names_of_classes(whole), _facts(module))
    known = _read_module(module)
    if known is None:
        raise SpecError(f"{type(module).__name__} is not a 3D ViT of vit-pytorch. {OWN_MODULE}")
    given = spec.merged(_agreed(spec.network, known))
    handle = build_handle(module.state_dict(), _facts(module), given, str(place))
    _compare(module, handle)
    return handle


def _completed(module: ViT3D | Swin3D | ResNet3D, spec: ModelSpec) -> ModelSpec:
    """Return the spec of one of our own networks, with all that the module and its weights say."""
    found = read_off(module.state_dict(), "the module")
    draft = complete(found, _agreed(spec.network, module.spec))
    whole = spec.merged(draft.spec)
    refuse_open([*draft.questions, *open_input(whole)], "the module")
    return whole


def _facts(module: nn.Module) -> dict[str, Any]:
    name = type(module).__name__
    return {"name": name, "format": "module", "sha256": "", "prefix": "", "notes": ()}


def _device_of(module: nn.Module) -> torch.device:
    return next((p.device for p in module.parameters()), torch.device("cpu"))


def _agreed(spec: NetworkSpec, module: NetworkSpec) -> NetworkSpec:
    """Return the spec with what the module says of itself; the two may not contradict."""
    known = module.model_dump(exclude_none=True)
    for name, value in known.items():
        given = getattr(spec, name)
        if given is not None and given != value:
            raise SpecError(
                f"network.{name} is {in_words(given)} in the spec, but {in_words(value)} in the "
                "module; correct the spec"
            )
    return spec.model_copy(update=known)


def _read_module(module: nn.Module) -> NetworkSpec | None:
    """Return what a module of vit-pytorch says beyond its weights; None for any other."""
    try:
        embed = cast(Any, module).to_patch_embedding[0]
        attention = cast(Any, module).transformer.layers[0][0]
        pattern, axes = str(embed.pattern), dict(embed.axes_lengths)
        heads = int(getattr(attention, "fn", attention).heads)
    except (AttributeError, IndexError, TypeError):
        return None
    order = re.search(r"\(\s*(pf p1 p2 c|p1 p2 pf c)\s*\)$", pattern)
    if order is None or not {"p1", "p2", "pf"} <= axes.keys():
        return None
    return NetworkSpec(
        patch=(axes["pf"], axes["p1"], axes["p2"]),
        heads=heads,
        pool=getattr(module, "pool", None),
        patch_order="legacy" if order[1] == "p1 p2 pf c" else "new",
    )


def _compare(module: nn.Module, handle: ModelHandle) -> None:
    """Refuse a module whose own forward is not the one that was rebuilt."""
    image = _noise(handle)
    parameter = next(module.parameters())
    with capturing(module):
        theirs = handle.checked_logits(module(image.to(parameter.device, parameter.dtype)))
    ours = handle.logits(image).to("cpu", torch.float64)
    difference = (theirs.to("cpu", torch.float64) - ours).abs().max().item()
    tolerance = max(1e-4, 30 * torch.finfo(parameter.dtype).eps)
    if not difference <= tolerance * ours.abs().max().item():
        raise SpecError(
            f"{type(module).__name__} has the weights of a ViT of vit-pytorch, but answers "
            f"differently (logits differ by {difference:.3g}); its forward is its own: write "
            "network.family: module into the spec"
        )


def _noise(handle: ModelHandle) -> Tensor:
    """Return one random image, without touching the global random state."""
    return torch.randn(handle.image_shape, generator=torch.Generator().manual_seed(0))


def _foreign(module: nn.Module, spec: ModelSpec, place: torch.device) -> ModelHandle:
    """Return the handle of a network of the user's own, probed with a few passes."""
    missing = [f"network.{name}" for name in _NEEDED if getattr(spec.network, name) is None]
    if missing:
        raise SpecError(f"a network of family module needs {', '.join(missing)} in its spec")
    if spec.network.patch and 0 in spec.network.token_grid:
        size, patch = cast(Any, spec.network.image_size), spec.network.patch
        raise SpecError(
            f"network.patch {in_words(patch)} is larger than network.image_size {in_words(size)}"
        )
    refuse_open(open_input(spec), "the module")
    names = names_of_classes(spec)
    handle = ModelHandle(module.to(place), spec, place, names, _facts(module))
    handle.spec = with_patch(spec, handle.anatomy)
    handle.checkpoint = {**handle.checkpoint, "notes": handle.anatomy.remarks}
    return handle
