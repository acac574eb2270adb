"""What is behind a site, alone: one image where the network lets it, else as many as needed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from rough_networks import fingerprint
from torch import Tensor, nn

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.models.as_found.capture import capturing
from g3dvit_napari.models.handle import ModelHandle
from g3dvit_napari.models.passes.tail import Behind, without
from g3dvit_napari.models.probing.anatomy import Anatomy, Layout, Site


class Plain(nn.Module):
    """Convolution, then what `onward` does, then a mean and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Conv3d(1, 6, 2, 2)
        self.site = nn.Softplus()
        self.mix = nn.Conv3d(6, 6, 3, padding=1)
        self.head = nn.Linear(6, 3)
        self.seen: list[int] = []

    def forward(self, image: Tensor) -> Any:
        x = self.before(image)
        self.seen.append(len(x))
        return self.head(self.onward(x).mean((2, 3, 4)))

    def onward(self, x: Tensor) -> Tensor:
        return x + self.mix(self.site(x)).tanh()


class Counting(Plain):
    """The number of images is taken from the input: many tokens of one image would be mixed."""

    def onward(self, x: Tensor) -> Tensor:
        return self.mix(self.site(x)).tanh().reshape(len(x), 6, -1, 2, 2)


class InPlace(Plain):
    """Adds to what one image made: many tokens do not fit in there."""

    def onward(self, x: Tensor) -> Tensor:
        x += self.mix(self.site(x)).tanh()
        return x


def handle(network: nn.Module, layout: Layout = "b d f h w") -> ModelHandle:
    spec = NetworkSpec(family="module", image_size=(4, 6, 4), channels=1, classes=3)
    model = ModelHandle(network, ModelSpec(network=spec), torch.device("cpu"), ("a", "b", "c"))
    vars(model)["anatomy"] = Anatomy((Site("site", layout, 0, Cells.tiling((2, 3, 2), (2,) * 3)),))
    return model


@pytest.mark.parametrize(
    ("network", "images"), [(Plain, 1), (Counting, 3), (InPlace, 3)], ids=lambda x: str(x)
)
def test_scores_without_a_feature_are_those_of_the_whole_network(
    network: type[Plain], images: int
) -> None:
    torch.manual_seed(0)
    model = handle(network().double())
    image = torch.randn(1, 1, 4, 6, 4).double()
    run = model.forward(image)
    before = fingerprint(model.network)
    found = run.scores_without([3, 0, 5, 1], (2, 0))
    assert fingerprint(model.network) == before
    assert model.network.seen[-1] == images  # in the last batch: the first item goes alone
    for row, feature in enumerate((3, 0, 5, 1)):

        def remove(_module: Any, _inputs: Any, out: Tensor, gone: int = feature) -> Tensor:
            kept = torch.ones(6).double()
            kept[gone] = 0
            return out * kept[:, None, None, None]

        hook = model.network.site.register_forward_hook(remove)
        wanted = model.network(image)[0, [2, 0]].detach()
        hook.remove()
        torch.testing.assert_close(found[row], wanted, rtol=0, atol=1e-12)
    assert (found[0] - run.logits[[2, 0]]).abs().max() > 1e-4


def test_an_error_behind_the_site_leaves_no_hook() -> None:
    model = handle(Plain().double())
    run = model.forward(torch.randn(1, 1, 4, 6, 4).double())
    model.network.mix.register_forward_hook(lambda *_: 1 / 0)
    before = fingerprint(model.network)
    with pytest.raises(ZeroDivisionError), capturing(model.network):
        Behind(model, run.image, model.site(), run.activations())
    assert fingerprint(model.network) == before


def test_every_copy_lacks_its_own_feature() -> None:
    tokens = torch.arange(1.0, 13.0).reshape(4, 3)
    found = torch.stack(list(without(tokens, [2, 0])))
    assert found.tolist() == [(tokens * torch.tensor(k)).tolist() for k in ([1, 1, 0], [0, 1, 1])]
