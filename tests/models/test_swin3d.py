"""Our Swin Transformer against MONAI's, weight for weight, and against the definition."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from monai_networks import (
    DEPTHS,
    DIM,
    HEADS,
    difference,
    merged_by_hand,
    monai_swin,
    our_swin,
    scan,
    swin_spec,
)

from g3dvit_napari.models.networks.swin3d import (
    APART,
    PatchMerging,
    SwinLayout,
    WindowAttention,
    Windows,
    relative_index,
)
from g3dvit_napari.models.reading.infer import build_network

CLOSE = 1e-5


@pytest.mark.parametrize("merging", ["merging", "mergingv2"])
@pytest.mark.parametrize(
    ("size", "window"),
    [
        ((17, 22, 13), (4, 3, 2)),  # padded everywhere
        ((16, 24, 16), (4, 4, 4)),  # even
        ((31, 20, 9), (7, 7, 7)),  # windows larger than the later grids
        ((8, 9, 40), (2, 5, 3)),  # one axis without a shift
    ],
)
def test_it_answers_as_monai(merging, size, window):
    theirs = monai_swin(window_size=window, downsample=merging)
    spec = swin_spec(image_size=size, merging=merging).network
    ours, complete, notes = build_network(theirs.state_dict(), spec)
    assert complete.window == window
    assert any("'swin.'" in note for note in notes)
    assert difference(ours, theirs, scan(2, size)) < CLOSE


def test_the_encoders_stages_answer_as_monai():
    theirs = monai_swin()
    ours, _, _ = build_network(theirs.state_dict(), swin_spec(merging="merging").network)
    with torch.no_grad():
        expected = theirs.swin(scan(), normalize=False)
        found = [ours.patch_embed(scan())]
        for stage in ours.stages:
            found.append(stage(found[-1]))
    assert [x.shape for x in found] == [x.shape for x in expected]
    for ours_there, theirs_there in zip(found, expected, strict=True):
        torch.testing.assert_close(ours_there, theirs_there, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("option", [{"qkv_bias": False}, {"patch_norm": True}, {"in_chans": 2}])
def test_options_are_read_from_the_keys(option):
    theirs = monai_swin(**option)
    ours, complete, _ = build_network(theirs.state_dict(), swin_spec(merging="merging").network)
    assert complete.channels == option.get("in_chans", 1)
    assert difference(ours, theirs, scan(1, channels=complete.channels)) < CLOSE


def test_without_a_norm_of_its_own_the_encoder_normalises():
    theirs = monai_swin(norm=False)
    ours, _, notes = build_network(theirs.state_dict(), swin_spec(merging="merging").network)
    assert any("without weights" in note for note in notes)
    assert difference(ours, theirs, scan()) < CLOSE


def test_the_three_orders_differ_and_are_what_monai_took():
    """The legacy order takes two neighbours twice: (0, 1, 0) and (0, 0, 1)."""
    x = torch.randn(1, 5, 4, 3, 2, generator=torch.Generator().manual_seed(1))
    orders = {
        "mergingv2": list(itertools.product((0, 1), repeat=3)),
        "merging": [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1),
                    (1, 1, 1)],
        "merging-legacy": [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (0, 1, 0),
                           (0, 0, 1), (1, 1, 1)],
    }  # fmt: skip
    seen = []
    for name, order in orders.items():
        merging = PatchMerging(2, name)
        torch.nn.init.normal_(merging.reduction.weight)
        gathered = merged_by_hand(x[0], order)
        expected = merging.norm(gathered) @ merging.reduction.weight.mT
        torch.testing.assert_close(merging(x)[0], expected)
        seen.append(gathered)
    assert not any(torch.equal(a, b) for a, b in itertools.combinations(seen, 2))


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize(("grid", "window"), [((5, 6, 3), (2, 3, 4)), ((4, 4, 7), (4, 2, 3))])
def test_windows_come_back_where_they_were(grid, window, shifted):
    windows = Windows.over(grid, window, shifted=shifted)
    x = torch.randn(2, *grid, 3)
    split = windows.split(x)
    assert split.shape[2] == math.prod(windows.size)
    assert torch.equal(windows.join(split), x)


@pytest.mark.parametrize(("grid", "window"), [((5, 6, 3), (2, 3, 4)), ((6, 4, 7), (3, 4, 2))])
def test_only_neighbours_in_the_image_see_each_other(grid, window):
    """Two tokens of one window are apart when the shift brought one of them round the edge."""
    windows = Windows.over(grid, window, shifted=True)
    places = torch.stack(torch.meshgrid(*map(torch.arange, windows.padded), indexing="ij"), -1)
    whole = Windows(windows.padded, windows.size, windows.shift)
    split = whole.split(places[None].float())[0]
    mask = windows.mask(split)
    for of_window, kept in zip(split, mask, strict=True):
        gap = (of_window[:, None] - of_window[None]).abs()
        near = (gap < torch.tensor(windows.size)).all(-1)
        assert torch.equal(near, kept == 0)
        assert torch.equal(~near, kept == APART)


def test_relative_index_counts_every_offset_once():
    window = (2, 3, 4)
    index = relative_index(window)
    places = list(itertools.product(*map(range, window)))
    offsets = {}
    for (i, a), (j, b) in itertools.product(enumerate(places), repeat=2):
        offset = tuple(p - q for p, q in zip(a, b, strict=True))
        offsets.setdefault(index[i, j].item(), set()).add(offset)
    assert all(len(found) == 1 for found in offsets.values())
    assert sorted(offsets) == list(range(math.prod(2 * n - 1 for n in window)))


def test_attention_is_the_formula():
    attention = WindowAttention(6, 3, (2, 1, 2), qkv_bias=True).double()
    random = torch.Generator().manual_seed(1)
    x = torch.randn(2, 2, 4, 6, generator=random, dtype=torch.float64)
    torch.nn.init.normal_(attention.relative_position_bias_table)
    mask = torch.zeros(2, 4, 4, dtype=torch.float64)
    mask[1, 0, 3] = mask[1, 3, 0] = APART
    found = attention(x, mask)
    weight, bias = attention.qkv.weight.reshape(3, 3, 2, 6), attention.qkv.bias.reshape(3, 3, 2)
    for b, w in itertools.product(range(2), range(2)):
        mixed = []
        for head in range(3):
            q, k, v = (x[b, w] @ weight[part, head].T + bias[part, head] for part in range(3))
            table = attention.relative_position_bias_table[relative_index((2, 1, 2)), head]
            scores = q @ k.T / math.sqrt(2) + table + mask[w]
            mixed.append(scores.softmax(-1) @ v)
        expected = attention.proj(torch.cat(mixed, -1))
        torch.testing.assert_close(found[b, w], expected)


def test_fewer_stages_and_no_last_merging():
    layout = SwinLayout((1, 2), (1, 2), last_merge=False, norm_weights=False, patch_norm=True)
    network = our_swin(layout)
    assert network.head.in_features == 2 * DIM
    ours, complete, _ = build_network(network.state_dict(), swin_spec().network)
    assert complete.depth == 3
    assert difference(ours, network, scan()) == 0


def test_half_precision_and_gradients_pass():
    network = our_swin().bfloat16()
    image = scan(1).bfloat16().requires_grad_()
    network(image)[0, 0].backward()
    assert image.grad.abs().max() > 0
    assert len(network.stages) == len(DEPTHS) == len(HEADS)
