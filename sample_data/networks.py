"""The two sample ViTs: their specs, and how all sample networks are trained.

Training sees the volumes exactly as the package feeds them (`Placement.to_tensor`). Three things
make it short. Every batch holds twins: one subject with the lesion on the left, on the right, and
without. The task begins easy (many lesions at once; no noise around the cube). And the brain ViT
has a helper while it learns: a linear layer that must tell, from the tokens between two blocks,
which patches hold lesion. It is thrown away afterwards; the class is read from the class token
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from g3dvit_napari.core import space
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec
from g3dvit_napari.core.types import Volume
from g3dvit_napari.models.networks.vit3d import Layout, ViT3D
from sample_data import brain, cubes

SUBJECTS = 320  # bent templates that training mirrors, plants lesions into and adds noise to
BRAIN_STEPS, BRAIN_TWINS, BRAIN_RATE = 450, 4, 1e-3
CUBE_STEPS, CUBE_BATCH, CUBE_RATE = 500, 32, 2e-3
EASY = 0.4  # share of the steps after which the task is at full difficulty
MANY = 8  # lesions more than one, at the start
HELPED_BLOCK, HELP = 1, 5.0  # after which block the helper reads, and the weight of its loss

BRAIN_SPEC = ModelSpec(
    name="sample-brain",
    description="Finds the side of a dark lesion in T1-weighted brains in MNI space, 2 mm, LAS.",
    network=NetworkSpec(
        family="vit_3d",
        image_size=(81, 90, 99),
        patch=(9, 9, 9),
        channels=1,
        classes=3,
        dim=96,
        depth=3,
        heads=4,
        dim_head=16,
        mlp_dim=192,
        pool="cls",
        patch_order="new",
    ),
    input=InputSpec(
        orientation="LAS",
        voxel_size=(2.0, 2.0, 2.0),
        fit="crop-pad",
        crop_start=(1, 5, 0),
        intensity="zscore",
        intensity_scope="crop",
        tensor_axes="zxy",
        frame="mean",
    ),
    class_names=brain.CLASSES,
)

CUBES_SPEC = ModelSpec(
    name="sample-cubes",
    description="Finds the place of a cube in noise, after the position task of G3D-ViT.",
    network=NetworkSpec(
        family="vit_3d",
        image_size=(cubes.GRID,) * 3,
        patch=(cubes.PATCH,) * 3,
        channels=1,
        classes=len(cubes.CLASSES),
        dim=64,
        depth=2,
        heads=8,
        dim_head=16,
        mlp_dim=128,
        pool="cls",
        patch_order="legacy",
    ),
    input=InputSpec(
        orientation="stored",
        fit="crop-pad",
        crop_start=(0, 0, 0),
        intensity="none",
        tensor_axes="xyz",
        frame="0",
    ),
    class_names=cubes.CLASSES,
)


Batch = tuple[Tensor, Tensor, Tensor | None]  # images, labels, share of lesion in every patch


def train_brain(say: Callable[[str], None]) -> ViT3D:
    """Train the brain network; about eight minutes on two cores."""
    batches = brain_batches(BRAIN_SPEC, BRAIN_STEPS, BRAIN_TWINS)
    return trained(BRAIN_SPEC, batches, BRAIN_STEPS, BRAIN_RATE, say)


def train_cubes(say: Callable[[str], None]) -> ViT3D:
    """Train the cube network; about three minutes on two cores."""
    return trained(CUBES_SPEC, _cube_batches(), CUBE_STEPS, CUBE_RATE, say)


def trained(
    spec: ModelSpec,
    batches: Iterator[Batch],
    steps: int,
    rate: float,
    say: Callable[[str], None],
) -> ViT3D:
    """Return a new ViT after `steps` batches."""
    network, helper = fresh(spec), fresh_helper(spec)
    losses = (loss_of(network, helper, *batch) for batch in batches)
    descend([network, helper], losses, steps, rate, say)
    return network.eval()


def descend(
    modules: Sequence[nn.Module],
    losses: Iterator[Tensor],
    steps: int,
    rate: float,
    say: Callable[[str], None],
) -> None:
    """Follow the losses down (AdamW, one cycle of the learning rate).

    Of the modules the first is the network; the gradients of the others are not clipped.
    """
    parameters = [parameter for module in modules for parameter in module.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, steps, pct_start=0.15)
    for step, loss in enumerate(losses, start=1):
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(modules[0].parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 50 == 0:
            say(f"step {step} of {steps}, loss {loss.item():.3f}")


def loss_of(
    network: ViT3D, helper: nn.Module, images: Tensor, labels: Tensor, shares: Tensor | None
) -> Tensor:
    """Return the cross-entropy of the classes, plus that of the helper where it has a truth."""
    tokens, help_loss = network.embed(images), torch.zeros(())
    for number, block in enumerate(network.blocks):
        tokens = block(tokens)
        if number == HELPED_BLOCK and shares is not None:
            found = helper(tokens[:, network.prefix_tokens :])[..., 0]
            help_loss = _patch_loss(found, shares)
    return F.cross_entropy(network.read_out(tokens), labels) + HELP * help_loss


def _patch_loss(found: Tensor, shares: Tensor) -> Tensor:
    """Return the weighted binary cross-entropy; few patches hold lesion, so they weigh more."""
    weight = torch.where(shares > 0, 20.0, 1.0)
    wanted = (shares / 0.3).clamp(max=1)
    losses = F.binary_cross_entropy_with_logits(found, wanted, reduction="none")
    return (losses * weight).sum() / weight.sum()


def fresh(spec: ModelSpec) -> ViT3D:
    """Return an untrained network, the same every time."""
    torch.manual_seed(0)
    network = ViT3D(spec.network, Layout())
    nn.init.normal_(network.pos_embedding, std=0.5)
    nn.init.normal_(network.cls_token, std=0.5)
    return network


def fresh_helper(spec: ModelSpec) -> nn.Module:
    """Return the layer that tells lesion from the tokens of the patches; it begins with no."""
    dim = spec.network.dim or 0
    layer = nn.Linear(dim, 1)
    nn.init.constant_(layer.bias, -4.0)
    return nn.Sequential(nn.LayerNorm(dim), layer)


def tensor_of(volume: Volume, spec: ModelSpec) -> Tensor:
    """Return what the network gets to see (c f h w)."""
    return torch.from_numpy(Placement(volume, spec).to_tensor())


def brain_volume(data: NDArray[Any]) -> Volume:
    """Return an array of the brain generator, which is LAS, as a volume."""
    straight = space.from_codes(data, "LAS").astype(np.float32)
    return Volume(straight, space.affine_from_codes(brain.AFFINE, data.shape, "LAS"))


def cube_volume(data: NDArray[Any]) -> Volume:
    """Return an array of the cube generator as a volume."""
    return Volume(data, cubes.AFFINE)


def accuracy(network: nn.Module, images: Sequence[Tensor], labels: Sequence[int]) -> float:
    """Return the share of images whose class is predicted right."""
    with torch.no_grad():
        found = [int(network(image[None]).argmax()) for image in images]
    return float(np.mean(np.equal(found, labels)))


def share_of_patches(mask: Volume, spec: ModelSpec) -> NDArray[np.float32]:
    """Return how much of every patch (f h w) a mask fills."""
    plain = spec.input.model_copy(update={"intensity": "none"})
    tensor = Placement(mask, spec.model_copy(update={"input": plain})).to_tensor()[0]
    (f, h, w), (pf, ph, pw) = spec.network.token_grid, spec.network.patch or (1, 1, 1)
    covered = tensor[: f * pf, : h * ph, : w * pw]
    share: NDArray[np.float32] = covered.reshape(f, pf, h, ph, w, pw).mean(axis=(1, 3, 5))
    return share


@cache
def brain_subjects() -> list[brain.Subject]:
    """Return the subjects of training; three minutes and 1.5 GB, shared by all brain networks."""
    drawer = brain.Brain()
    return [drawer.subject(brain.generator("train", i)) for i in range(SUBJECTS)]


def brain_batches(spec: ModelSpec, steps: int, twins: int) -> Iterator[Batch]:
    """Yield images, labels and the share of lesion in every patch, easy at first."""
    subjects = brain_subjects()
    rng = np.random.default_rng([brain.VERSION, 1000])
    for step in range(steps):
        lesions = 1 + round(MANY * max(0.0, 1 - step / (EASY * steps)))
        drawn = [subjects[int(rng.integers(len(subjects)))] for _ in range(twins)]
        pairs = [pair for subject in drawn for pair in _twins(subject, lesions, rng)]
        images = torch.stack([tensor_of(brain_volume(data), spec) for data, _ in pairs])
        shares = [share_of_patches(brain_volume(lesion), spec).flatten() for _, lesion in pairs]
        labels = torch.arange(len(brain.CLASSES)).repeat(twins)
        yield images, labels, torch.from_numpy(np.stack(shares))


def _twins(
    subject: brain.Subject, lesions: int, rng: np.random.Generator
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield one subject, perhaps mirrored, once for every class: scan and lesion."""
    if rng.random() < 0.5:
        subject = brain.Subject(subject.signal[::-1], subject.mask[::-1])
    seed = int(rng.integers(2**31))
    for label in range(len(brain.CLASSES)):
        same = np.random.default_rng(seed)
        signal, lesion = brain.with_lesions(subject, label, same, lesions)
        yield brain.scan(signal, subject.mask, same), lesion


def _cube_batches() -> Iterator[Batch]:
    places = [cubes.draw("train", 0, label, noise=0.0).data for label in range(len(cubes.CLASSES))]
    clean = torch.from_numpy(np.stack(places))[:, None]
    random = torch.Generator().manual_seed(cubes.VERSION)
    for step in range(CUBE_STEPS):
        noise = cubes.NOISE * min(1.0, step / (EASY * CUBE_STEPS))
        labels = torch.randint(len(cubes.CLASSES), (CUBE_BATCH,), generator=random)
        images = clean[labels]
        yield images + noise * torch.randn(images.shape, generator=random), labels, None
