"""Backward rules: values as the network's own, gradients by the rules, nothing lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from monai_networks import monai_resnet, monai_swin, scrambled
from other_networks import OTHERS
from reference_networks import some_image, tiny
from rough_networks import fingerprint
from torch import Tensor, nn
from torch.nn import functional as F

from g3dvit_napari.core.errors import MethodError
from g3dvit_napari.models.as_found.capture import capturing
from g3dvit_napari.models.rules.ledger import Ledger
from g3dvit_napari.models.rules.rules import LIBRA, Ruled, Rules
from g3dvit_napari.models.rules.splitting import Split

SHARED = Rules(attention="shared")
SPLIT = Rules(linear=Split("gamma", 0.5), convolution=Split("alpha_beta", 2.0))
EVERY = [LIBRA, Rules(gates=False), SHARED, SPLIT]
Run = Callable[[Tensor], Tensor]


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double()


class Everything(nn.Module):
    """A CNN with every norm and activation that has a rule, in place where that is possible."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv3d(2, 4, 3), nn.BatchNorm3d(4), nn.ReLU(inplace=True), nn.MaxPool3d(2),
            nn.Conv3d(4, 6, 1), nn.GroupNorm(2, 6), nn.SiLU(inplace=True),
            nn.ConvTranspose3d(6, 4, 2, stride=2), nn.InstanceNorm3d(4, affine=True), nn.GELU(),
            nn.Conv3d(4, 4, 1), nn.InstanceNorm3d(4, track_running_stats=True), nn.LeakyReLU(),
            nn.BatchNorm3d(4, track_running_stats=False), nn.PReLU(4), nn.Dropout3d(),
            nn.Upsample(scale_factor=1.5, mode="trilinear"), nn.AvgPool3d(2), nn.Hardswish(),
        )  # fmt: skip
        self.tail = nn.Sequential(
            nn.LayerNorm(4), nn.Linear(4, 8), nn.GELU("tanh"), nn.RMSNorm(8), nn.Mish(),
            nn.Linear(8, 3),
        )  # fmt: skip

    def forward(self, image: Tensor) -> Tensor:
        x = F.pad(self.body(image), (1, 0), value=0.3)
        x = torch.cat([x, x.new_ones(1, 4, *x.shape[2:4], 2)], dim=-1)
        x = torch.where(x > 10, x, 2 * x - 0.1)
        x += 0.2
        return self.tail(1 - x.mean((2, 3, 4)))


class TorchsOwn(nn.Module):
    """Layers of torch that hide their operations: fused attention, a transformer's encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv3d(2, 16, 3, stride=3)
        layer = nn.TransformerEncoderLayer(16, 2, 24, activation="gelu", norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.head = nn.Linear(16, 3)

    def forward(self, image: Tensor) -> Tensor:
        x = self.encoder(self.patches(image).flatten(2).permute(2, 0, 1)).transpose(0, 1)
        x = x + self.attention(x, x, x)[0]  # with weights asked for, which is not fused
        return self.head(x.mean(1))


def networks() -> dict[str, Callable[[], tuple[nn.Module, Tensor]]]:
    found: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {
        "class token": lambda: (tiny("vit_3d"), some_image(1)),
        "simple": lambda: (tiny("simple_vit_3d"), some_image(1)),
        "everything": lambda: (scrambled(Everything()), noise(1, 2, 8, 7, 9)),
        "torch's own": lambda: (scrambled(TorchsOwn()), noise(1, 2, 6, 9, 6)),
        "MONAI's Swin": lambda: (monai_swin(), noise(1, 1, 17, 22, 13)),
        "MONAI's ResNet": lambda: (monai_resnet(), noise(1, 1, 17, 22, 13)),
        "MONAI's ViT": monai_vit,
    }
    for name, build in OTHERS.items():
        found[name] = lambda build=build: (build().network, noise(*build().image_shape))
    return found


def monai_vit() -> tuple[nn.Module, Tensor]:
    nets = pytest.importorskip("monai.networks.nets.vit", reason="MONAI is not installed")
    torch.manual_seed(0)
    network = nets.ViT(
        in_channels=1, img_size=(8, 12, 8), patch_size=(4, 4, 4), hidden_size=24, mlp_dim=32,
        num_layers=2, num_heads=3, classification=True, num_classes=3, post_activation="none",
        qkv_bias=True,
    )  # fmt: skip
    return network, noise(1, 1, 8, 12, 8)


NETWORKS = networks()
every_network = pytest.mark.parametrize("name", NETWORKS)


def built(name: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(3)
    network, image = NETWORKS[name]()
    return network.double().eval(), image.double()


def logits_of(answer: Any) -> Tensor:
    return answer[0] if isinstance(answer, tuple) else answer


def shares(run: Run, x: Tensor, rules: Rules = LIBRA) -> tuple[Tensor, Tensor, Tensor]:
    """The value, Σ x · ∇x, and what the ledger says of everything that was added; summed."""
    with torch.enable_grad():
        leaf = x.clone().requires_grad_()
        with Ruled(rules) as ruled:
            value = run(leaf.clone()).sum()
        ruled.books = ledger = Ledger()
        (gradient,) = torch.autograd.grad(value, leaf)
    return value.detach(), (x * gradient).sum(), ledger.total(0)


@every_network
@pytest.mark.parametrize("rules", EVERY, ids=["libra", "cp", "attn", "split"])
def test_the_network_says_what_it_always_says(name: str, rules: Rules) -> None:
    network, image = built(name)
    before = fingerprint(network.train())
    with capturing(network):
        wanted = logits_of(network(image.clone()))
        with torch.enable_grad(), Ruled(rules):
            found = logits_of(network(image.clone().requires_grad_().clone()))
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    assert found.requires_grad
    assert fingerprint(network) == before


@every_network
def test_input_and_biases_add_up_to_the_answer(name: str) -> None:
    network, image = built(name)
    with capturing(network):
        value, explained, biases = shares(lambda x: logits_of(network(x)), image)
    assert abs(value - explained - biases) < 1e-12 * max(1, abs(biases))
    assert min(abs(explained), abs(biases)) > 1e-3


@pytest.mark.parametrize("name", ["class token", "everything", "torch's own", "MONAI's Swin"])
def test_plain_gradients_do_not_add_up(name: str) -> None:
    network, image = built(name)
    with capturing(network), torch.enable_grad():
        x = image.clone().requires_grad_()
        value = logits_of(network(x.clone())).sum()
        gradient, biases = torch.autograd.grad(value, x)[0], shares(network, image)[2]
    assert abs(value - (x * gradient).sum() - biases) > 1e-3  # so the test above can fail


@pytest.mark.parametrize(
    ("layer", "deviation"),
    [
        (nn.LayerNorm(6), lambda x: x.var(-1, keepdim=True, correction=0)),
        (nn.LayerNorm((4, 6)), lambda x: x.var((-2, -1), keepdim=True, correction=0)),
        (nn.InstanceNorm1d(4), lambda x: x.var(-1, keepdim=True, correction=0)),
        (nn.GroupNorm(1, 4), lambda x: x.var((-2, -1), keepdim=True, correction=0)),
    ],
)
def test_the_deviation_of_a_norm_is_a_constant(layer: Any, deviation: Any) -> None:
    x = noise(1, 4, 6).requires_grad_()
    with Ruled(LIBRA):
        found = layer.double()(x)
    std = torch.sqrt(deviation(x) + layer.eps).detach()
    dims = {"LayerNorm": tuple(range(-len(getattr(layer, "normalized_shape", ())), 0)),
            "InstanceNorm1d": (-1,), "GroupNorm": (-2, -1)}[type(layer).__name__]  # fmt: skip
    wanted = (x - x.mean(dims, keepdim=True)) / std
    start = noise(1, 4, 6, seed=5)
    a, b = (torch.autograd.grad(y, x, start)[0] for y in (found, wanted))
    torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "gated", [nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.SiLU(inplace=True), nn.Mish(inplace=True),
              nn.Hardswish()],
)  # fmt: skip
def test_the_gate_of_an_activation_is_a_constant_or_not(gated: nn.Module) -> None:
    x, start = noise(50).requires_grad_(), noise(50, seed=5)
    value = gated(x.detach().clone())
    with Ruled(LIBRA):
        y = gated(x.clone())
    (found,) = torch.autograd.grad(y, x, start)
    torch.testing.assert_close(found, value / x.detach() * start, rtol=0, atol=1e-12)
    with Ruled(Rules(gates=False)):
        y = gated(x.clone())
    plain = torch.autograd.grad(gated(x.clone()), x, start)[0]
    assert torch.equal(torch.autograd.grad(y, x, start)[0], plain)


@pytest.mark.parametrize("rules", [LIBRA, SHARED], ids=["constant", "shared"])
def test_fused_attention_and_its_parts_have_the_same_gradients(rules: Rules) -> None:
    q, k, v = (noise(1, 2, 5, 4, seed=n).requires_grad_() for n in range(3))
    mask = noise(1, 2, 5, 5, seed=7)

    def parts(*_: Any) -> Tensor:
        return (q @ k.mT * 0.5 + mask).softmax(-1) @ v

    def einsum(*_: Any) -> Tensor:
        scores = torch.einsum("bhid,bhjd->bhij", q, k) * 0.5 + mask
        return torch.einsum("bhij,bhjd->bhid", torch.softmax(scores, dim=-1), v)

    def batched(*_: Any) -> Tensor:
        scores = torch.baddbmm(mask[0], q[0] * 0.5, k[0].mT)
        return torch.bmm(F.softmax(scores, dim=-1), v[0])[None]

    def fused(*_: Any) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=0.5)

    start, found = noise(1, 2, 5, 4, seed=9), []
    for form in (fused, parts, einsum, batched):
        with Ruled(rules):
            y = form()
        found.append(torch.autograd.grad(y, (q, k, v), start, allow_unused=True))
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert (a is None) == (b is None) == (rules is LIBRA and a is not found[0][2])
            if a is not None:
                torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "product", [lambda x: x[0] * x[1] * x[2], lambda x: torch.einsum("i,i,i->i", *x),
                lambda x: x[0] * x[0], lambda x: F.linear(x, x)],
)  # fmt: skip
def test_a_product_of_activations_is_shared_equally(product: Run) -> None:
    value, explained, biases = shares(product, noise(3, 4))
    assert biases == 0
    torch.testing.assert_close(explained, value, rtol=0, atol=1e-12)


def _filled(x: Tensor) -> Tensor:
    board = torch.full((6, 4), 0.7).double()
    board[1:4] = x
    board[5] += x[0]
    return board


CONSTANTS: dict[str, Run] = {
    "added": lambda x: x + noise(4, seed=3),
    "a number": lambda x: 3 - x,
    "in place": lambda x: x.add_(noise(3, 4, seed=3), alpha=2).sub_(1),
    "joined": lambda x: torch.cat([noise(1, 4, seed=3), x, x], dim=0),
    "stacked": lambda x: torch.stack([x, noise(3, 4, seed=3)]),
    "padded": lambda x: F.pad(x, (1, 2), value=0.4),
    "filled": lambda x: x.masked_fill(noise(3, 4, seed=3) > 0, 1.5),
    "chosen": lambda x: torch.where(noise(3, 4, seed=3) > 0, x, noise(3, 4, seed=8)),
    "written into": _filled,
    "a matrix with a bias": lambda x: torch.addmm(noise(2, seed=3), x, noise(4, 2, seed=8)),
}


@pytest.mark.parametrize("form", CONSTANTS)
def test_constants_count_as_biases(form: str) -> None:
    value, explained, biases = shares(CONSTANTS[form], noise(3, 4))
    torch.testing.assert_close(explained + biases, value, rtol=0, atol=1e-12)
    assert abs(biases) > 1e-3


REFUSED: dict[str, tuple[Run, str]] = {
    "tanh": (torch.tanh, "tanh"),
    "a gate of its own": (lambda x: x * torch.sigmoid(x), "sigmoid"),
    "a norm by hand": (lambda x: x / x.norm(), "a division by an activation|norm"),
    "in place": (lambda x: x.clone().mul_(x), "a product written in place"),
    "several": (lambda x: torch.var_mean(x)[0], "var_mean"),
    "clamped": (lambda x: x.clamp(-1, 1), "clamp"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_what_has_no_rule_is_refused_by_name(form: str) -> None:
    run, name = REFUSED[form]
    with pytest.raises(MethodError, match=f"no backward rule is known for ({name})"):
        shares(run, noise(3, 4))


def test_what_no_gradient_meets_is_not_refused() -> None:
    """Queries and keys may be normalised by hand: attention weights are constants."""

    def cosine(x: Tensor) -> Tensor:
        q = F.normalize(x, dim=-1)
        return (q @ q.mT * 5).exp().softmax(-1) @ x

    value, explained, _ = shares(cosine, noise(3, 4))
    torch.testing.assert_close(explained, value, rtol=0, atol=1e-12)
    with pytest.raises(MethodError, match="no backward rule"):
        shares(cosine, noise(3, 4), SHARED)


def test_outside_the_mode_gradients_are_torchs_own() -> None:
    x = noise(3, 4).requires_grad_()
    with Ruled(LIBRA):
        pass
    plain = torch.autograd.grad(F.gelu(x).sum(), x)[0]
    assert not torch.allclose(plain * x, F.gelu(x))
