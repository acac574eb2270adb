"""Complete a network spec from the weights, ask for the rest, and build the network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from g3dvit_napari.core.errors import CheckpointError, SpecError
from g3dvit_napari.core.spec import NetworkSpec
from g3dvit_napari.models.networks.resnet3d import ResNet3D
from g3dvit_napari.models.networks.swin3d import Swin3D
from g3dvit_napari.models.networks.vit3d import ViT3D
from g3dvit_napari.models.reading.draft import Draft
from g3dvit_napari.models.reading.layout import Found, canonical, read_off
from g3dvit_napari.models.reading.readings import Question
from g3dvit_napari.models.reading.resnet_keys import ResNetFound, settle_resnet
from g3dvit_napari.models.reading.strangers import State
from g3dvit_napari.models.reading.swin_keys import SwinFound, settle_swin
from g3dvit_napari.models.reading.vit_keys import ViTFound
from g3dvit_napari.models.reading.vit_questions import settle_vit

_TITLES = {
    "vit_3d": "vit-pytorch's vit_3d",
    "simple_vit_3d": "vit-pytorch's simple_vit_3d",
    "swin_3d": "MONAI's SwinTransformer with norm and head",
    "resnet_3d": "MONAI's ResNet",
}


def complete(found: Found, spec: NetworkSpec) -> Draft:
    """Combine what the weights decide with what the spec says.

    Raises
    ------
    SpecError
        When the two contradict each other.
    """
    if spec.family == "module":
        raise SpecError(
            "network.family is module in the spec: such a network must be handed over in Python, "
            f"load_model(module, spec=...); for this checkpoint write family: {found.family}"
        )
    draft = Draft(spec)
    draft.set(family=found.family, classes=found.classes)
    if found.dtype != "float32":
        draft.notes.append(f"weights stored as {found.dtype}, used as float32")
    match found:
        case ViTFound():
            settle_vit(draft, found)
        case SwinFound():
            settle_swin(draft, found)
        case ResNetFound():
            settle_resnet(draft, found)
    return draft


def _empty(found: Found, spec: NetworkSpec) -> nn.Module:
    """Return the network of a complete spec, without weights."""
    with torch.device("meta"):  # no random numbers are drawn, no memory is filled twice
        match found:
            case ViTFound():
                return ViT3D(spec, found.layout)
            case SwinFound():
                return Swin3D(spec, found.layout)
            case ResNetFound():
                return ResNet3D(spec, found.layout)


def build_network(
    state: State, spec: NetworkSpec, name: str = "the checkpoint"
) -> tuple[nn.Module, NetworkSpec, tuple[str, ...]]:
    """Return the network with its weights, its complete spec, and notes on what was decided.

    Raises
    ------
    CheckpointError
        When the weights belong to another kind of network, or are not finite.
    SpecError
        When the spec contradicts the weights or leaves something open.
    """
    state, notes = canonical(state)
    found = read_off(state, name)
    draft = complete(found, spec)
    refuse_open(draft.questions, name)
    network = _empty(found, draft.spec)
    weights = {key: _copied(value) for key, value in (_unlearned(network) | state).items()}
    _check_keys(network, weights, name, _TITLES[found.family])
    _check_finite(weights, name)
    network.load_state_dict(weights, strict=True, assign=True)
    return network.eval().requires_grad_(False), draft.spec, (*notes, *draft.notes)


def refuse_open(questions: Sequence[Question], name: str) -> None:
    """Raise a `SpecError` that lists what is open, if anything is."""
    if questions:
        listed = "\n".join(f"- {question}" for question in questions)
        raise SpecError(
            f"the weights of {name} do not decide everything; give a preset or a spec, or write "
            f"one to edit with: g3dvit inspect CHECKPOINT --write-spec\n{listed}"
        )


def _unlearned(network: nn.Module) -> dict[str, Tensor]:
    """Return the buffers that follow from the sizes alone; a checkpoint may lack them."""
    return {key: buffer for key, buffer in network.named_buffers() if not buffer.is_meta}


def _copied(value: Tensor) -> Tensor:
    return value.to(torch.float32 if value.is_floating_point() else value.dtype, copy=True)


def _check_keys(network: nn.Module, state: State, name: str, title: str) -> None:
    """Refuse weights that are missing, superfluous or of another shape, naming some."""
    wanted = network.state_dict()
    wrong = {
        "missing": [key for key in wanted if key not in state],
        "not part of it": [key for key in state if key not in wanted],
        "of another shape": [
            k for k, v in wanted.items() if k in state and v.shape != state[k].shape
        ],
    }
    found = [f"{len(keys)} {what} ({', '.join(keys[:3])})" for what, keys in wrong.items() if keys]
    if found:
        raise CheckpointError(
            f"{name} is close to {title}, but not it: of its tensors, {'; '.join(found)}. Make the "
            "network in Python and hand it over: load_model(module, spec=...) with "
            "network.family: module"
        )


def _check_finite(weights: dict[str, Tensor], name: str) -> None:
    broken = [key for key, value in weights.items() if not torch.isfinite(value).all()]
    if broken:
        raise CheckpointError(
            f"{name} holds values that are not finite in {len(broken)} tensors ({broken[0]}); the "
            "training diverged or the file is damaged; use an earlier checkpoint"
        )
