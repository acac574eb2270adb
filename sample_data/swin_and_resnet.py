"""A Swin Transformer and a ResNet for the sample brain: their specs, and how they are trained.

The ResNet learns from the classes alone. The Swin Transformer reads the mean over hundreds of
normed tokens, of which a lesion moves a few; from the classes alone it learned next to nothing in
175 steps. So its last norm starts with large weights, and while it learns a helper must tell from
the tokens which of them hold a lesion, and of which side. It is thrown away afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from g3dvit_napari.core.spec import NetworkSpec
from g3dvit_napari.models.networks.resnet3d import ResNet3D, ResNetLayout
from g3dvit_napari.models.networks.swin3d import Swin3D, SwinLayout
from sample_data.networks import BRAIN_SPEC, brain_batches, descend

SWIN_STEPS, SWIN_TWINS, SWIN_RATE = 400, 3, 3e-3
RESNET_STEPS, RESNET_TWINS, RESNET_RATE = 300, 4, 4e-3
GAIN = 10.0  # of the last norm at the start: one token in five hundred must move the mean
HELP, LESION_WEIGHT, SOME = 5.0, 20.0, 0.05  # few tokens hold lesion, so they weigh more

SWIN_LAYOUT = SwinLayout(depths=(2, 2), heads=(2, 4), last_merge=False)
SWIN_SPEC = BRAIN_SPEC.model_copy(
    update={
        "name": "sample-brain-swin",
        "network": NetworkSpec(
            family="swin_3d",
            image_size=(84, 90, 102),
            patch=(6, 6, 6),
            channels=1,
            classes=3,
            dim=24,
            mlp_dim=48,
            window=(3, 3, 3),
            merging="mergingv2",
        ),
        "input": BRAIN_SPEC.input.model_copy(update={"crop_start": (1, 4, 0)}),
    }
)

RESNET_LAYOUT = ResNetLayout(blocks=(1, 1, 1), widths=(12, 24, 48), kernel=(5, 5, 5))
RESNET_SPEC = BRAIN_SPEC.model_copy(
    update={
        "name": "sample-brain-resnet",
        "network": NetworkSpec(
            family="resnet_3d",
            image_size=(81, 90, 99),
            patch=(3, 3, 3),
            channels=1,
            classes=3,
            stride=(3, 3, 3),
            max_pool=False,
        ),
    }
)


def train_swin(say: Callable[[str], None]) -> Swin3D:
    """Train the Swin Transformer; about seven minutes on one core."""
    torch.manual_seed(0)
    network = Swin3D(SWIN_SPEC.network, SWIN_LAYOUT)
    nn.init.constant_(cast(Tensor, network.norm.weight), GAIN)
    helper = nn.Linear(network.head.in_features, network.head.out_features)
    batches = brain_batches(SWIN_SPEC, SWIN_STEPS, SWIN_TWINS)
    losses = (_swin_loss(network, helper, *batch) for batch in batches)
    descend([network, helper], losses, SWIN_STEPS, SWIN_RATE, say)
    return network.eval()


def train_resnet(say: Callable[[str], None]) -> ResNet3D:
    """Train the ResNet; about five minutes on one core."""
    torch.manual_seed(0)
    network = ResNet3D(RESNET_SPEC.network, RESNET_LAYOUT)
    batches = brain_batches(RESNET_SPEC, RESNET_STEPS, RESNET_TWINS)
    losses = (F.cross_entropy(network(images), labels) for images, labels, _ in batches)
    descend([network], losses, RESNET_STEPS, RESNET_RATE, say)
    return network.eval()


def _swin_loss(
    network: Swin3D, helper: nn.Module, images: Tensor, labels: Tensor, shares: Tensor | None
) -> Tensor:
    """Return the cross-entropy of the classes, plus that of the helper, token by token."""
    tokens = network.tokens(images)
    logits = network.head(tokens.mean(dim=(1, 2, 3)))
    per_patch = cast(Tensor, shares).reshape(len(images), 1, *SWIN_SPEC.network.token_grid)
    share = F.avg_pool3d(per_patch, 2, ceil_mode=True)[:, 0]  # of the eight that were merged
    wanted = torch.where(share > SOME, labels[:, None, None, None], 0)
    weight = torch.where(wanted > 0, LESION_WEIGHT, 1.0)
    found = helper(tokens / GAIN).movedim(-1, 1)
    losses = F.cross_entropy(found, wanted, reduction="none") * weight
    return F.cross_entropy(logits, labels) + HELP * losses.sum() / weight.sum()
