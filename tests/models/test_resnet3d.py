"""Our ResNet against MONAI's, weight for weight."""

from __future__ import annotations

import pytest
import torch
from monai_networks import (
    BLOCKS,
    WIDTHS,
    difference,
    monai_resnet,
    our_resnet,
    resnet_spec,
    scan,
)

from g3dvit_napari.models.networks.resnet3d import ResNetLayout
from g3dvit_napari.models.reading.infer import build_network

CLOSE = 1e-5


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize(
    ("stride", "pooled"), [((2, 1, 2), True), ((1, 2, 2), False), ((1, 1, 1), True)]
)
def test_it_answers_as_monai(block, stride, pooled):
    theirs = monai_resnet(block, conv1_t_stride=stride, no_max_pool=not pooled)
    spec = resnet_spec(stride=stride, max_pool=pooled).network
    ours, complete, _ = build_network(theirs.state_dict(), spec)
    assert set(ours.state_dict()) == set(theirs.state_dict())
    assert complete.patch == tuple(2 * n if pooled else n for n in stride)
    assert difference(ours, theirs, scan()) < CLOSE


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("option", [{"bias_downsample": False}, {"shortcut_type": "A"}])
def test_shortcuts_are_read_from_the_keys(block, option):
    theirs = monai_resnet(block, **option, conv1_t_stride=2)
    spec = resnet_spec(stride=(2, 2, 2)).network
    ours, _, _ = build_network(theirs.state_dict(), spec)
    assert difference(ours, theirs, scan()) < CLOSE


def test_the_stages_answer_as_monai():
    theirs = monai_resnet(conv1_t_stride=(2, 1, 2))
    ours, _, _ = build_network(theirs.state_dict(), resnet_spec().network)
    with torch.no_grad():
        a, b = (net.maxpool(net.act(net.bn1(net.conv1(scan())))) for net in (ours, theirs))
        for number, stage in enumerate(ours.stages, start=1):
            a, b = stage(a), getattr(theirs, f"layer{number}")(b)
            torch.testing.assert_close(a, b)
    assert a.shape[1] == WIDTHS[-1]


def test_one_bottleneck_is_the_formula():
    """Convolve, norm, rectify, three times, the residual added before the last one."""
    network = our_resnet(ResNetLayout((1,), (2,), bottleneck=True, kernel=(1, 1, 1))).double()
    block = network.stages[0][0]
    x = torch.randn(1, 2, 3, 4, 2, generator=torch.Generator().manual_seed(1)).double()

    def normed(values, norm):
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        shift = norm.bias - scale * norm.running_mean
        return values * scale[:, None, None, None] + shift[:, None, None, None]

    def mixed(values, conv):
        return torch.einsum("oi,bifhw->bofhw", conv.weight[..., 0, 0, 0], values)

    out = normed(mixed(x, block.conv1), block.bn1).clamp(min=0)
    out = torch.nn.functional.conv3d(out, block.conv2.weight, padding=1)
    out = normed(out, block.bn2).clamp(min=0)
    out = normed(mixed(out, block.conv3), block.bn3)
    conv, norm = block.downsample
    shortcut = normed(mixed(x, conv) + conv.bias[:, None, None, None], norm)
    torch.testing.assert_close(block(x.clone()), (out + shortcut).clamp(min=0))


def test_fewer_stages():
    network = our_resnet(ResNetLayout((2, 1), (4, 8), kernel=(3, 3, 3)))
    ours, complete, _ = build_network(network.state_dict(), resnet_spec().network)
    assert (complete.dim, complete.depth) == (4, 3)
    assert difference(ours, network, scan()) == 0


def test_work_in_place_spares_the_image_and_passes_gradients():
    network = our_resnet()
    image = scan(1).requires_grad_()
    before = image.detach().clone()
    network(image)[0, 0].backward()
    assert torch.equal(image.detach(), before)
    assert image.grad.abs().max() > 0
    assert sum(len(stage) for stage in network.stages) == sum(BLOCKS)
