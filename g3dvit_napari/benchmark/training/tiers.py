"""Which networks there are: for every change, for every night, and for a GPU."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from g3dvit_napari.benchmark.cubes.cell import Cell
from g3dvit_napari.benchmark.training.recipe import Recipe, ResNet, ViT
from g3dvit_napari.core.errors import MethodError, unknown_name

SEEDS = range(5)  # of every claim about methods
FEWER = range(3)  # where only poolings and a few others are compared
_CUBES, _NOISY = ViT((4, 4, 4)), ViT((4, 4, 4), embedding="plain")
_LOUD = ViT((4, 4, 4), embedding="plain", positions=0.5, gain=3.0)
_POSITION = Cell(24, 6, 4)
_NOISY_POSITION = Cell(24, 6, 4, embedding="plain", noise=0.5)
_FREE = Cell(24, 6, 4, places="free", embedding="plain", noise=0.5)
_CONTENT = Cell(24, 6, 4, places="free", question="triple", embedding="plain", noise=0.5)
_HOPELESS = Cell(24, 6, 6)
_SEEN = Cell(40, 8, 5)
_HEAD = ViT((5, 5, 6), positions=0.2)  # 25 x 25 x 30 mm along z, x, y

_A = Recipe("cubes-a", _POSITION.name, _CUBES, steps=200, batch=32, rate=1e-3)
_B = Recipe(
    "cubes-b", _NOISY_POSITION.name, _LOUD, steps=360, batch=32, rate=2e-3, easy=0.5
)  # fmt: skip
# From the start it was not learned in any variant that was tried (docs/benchmark.md).
_ANYWHERE = Recipe("cubes-free", _FREE.name, _LOUD, steps=600, batch=48, rate=1e-3, after=_B)
_C = Recipe("cubes-content", _CONTENT.name, _NOISY, steps=240, batch=64, rate=2e-3)
_B1 = Recipe("brain-site", "brain-site", _HEAD, steps=240, batch=32, rate=2e-3, samples=1024)
_B2 = Recipe(
    "brain-ventricles", "brain-ventricles", _HEAD, steps=300, batch=32, rate=2e-3, samples=1024
)
_PERMUTED = Recipe(
    "cubes-permuted",
    _CONTENT.name,
    _LOUD,
    steps=400,
    batch=32,
    rate=1e-3,
    samples=512,  # what cannot be learned can be learned by heart, if there is an end of it
    permuted=True,
)
_NOTHING = Recipe("cubes-hopeless", _HOPELESS.name, ViT((6, 6, 6)), steps=120, batch=32, rate=1e-3)
_CONVOLUTIONS = Recipe("cubes-resnet", _CONTENT.name, ResNet(), steps=150, batch=32, rate=4e-3)
# Less noise than cubes-b; patches as large as a cube of 6 and larger, without noise. Noise of 1.0
# and patches of 3 were not learned (docs/believe.md).
_QUIET = replace(_NOISY_POSITION, noise=0.0)
_NOISES = (
    replace(_B, model="cubes-noise0", task=_QUIET.name, easy=0.0),
    replace(_B, model="cubes-noise0.25", task=replace(_QUIET, noise=0.25).name),
)
_PATCHES = tuple(
    replace(
        _NOISES[0],
        model=f"cubes-patch{patch}",
        task=replace(_QUIET, patch=patch).name,
        network=replace(_LOUD, patch=(patch, patch, patch)),
    )
    for patch in (6, 8)
)
_PUBLISHED = Recipe(
    "published",
    _SEEN.name,
    ViT((5, 5, 5), dim=1024, depth=6, heads=8, dim_head=64, mlp_dim=2048),
    steps=20 * 3200 // 16,
    batch=16,
    rate=1e-4,
    samples=3200,
    one_cycle=False,
)

_NIGHTLY = (_A, _B, _ANYWHERE, _C, _B1, _B2, _PERMUTED, _NOTHING, _CONVOLUTIONS)
TIERS: dict[str, tuple[Recipe, ...]] = {
    "ci": (_C, _B, _B1, _A),  # the longest first, so that two processes end together
    "nightly": tuple(recipe.with_seed(seed) for recipe in _NIGHTLY for seed in SEEDS),
    "claims": tuple(
        recipe.with_seed(seed) for recipe in (_B, *_NOISES, *_PATCHES) for seed in FEWER
    ),
    "gpu": tuple(_PUBLISHED.with_seed(seed) for seed in SEEDS),
}
MODELS = {recipe.id: recipe for tier in TIERS.values() for recipe in tier}


def tier_named(name: str) -> tuple[Recipe, ...]:
    """Return the networks of a tier."""
    if name not in TIERS:
        raise MethodError(unknown_name("tier", name, TIERS))
    return TIERS[name]


def chosen(tier: str, only: str = "", seeds: Collection[int] | None = None) -> tuple[Recipe, ...]:
    """Return those networks of a tier whose names begin so, of some seeds.

    Parameters
    ----------
    only
        How names begin; several with commas between. Empty: all.

    Raises
    ------
    MethodError
        When there is no such tier, or no such network in it.
    """
    there = tier_named(tier)
    starts = tuple(word.strip() for word in only.split(","))
    found = tuple(
        one for one in there if one.id.startswith(starts) and (seeds is None or one.seed in seeds)
    )
    if not found:
        names = ", ".join(one.id for one in there[:8])
        raise MethodError(
            f"tier {tier} has no network that begins with {only!r} and has a seed of "
            f"{'all' if seeds is None else sorted(seeds)}; it holds {names}, …"
        )
    return found


def recipe_of(model_id: str) -> Recipe:
    """Return the recipe of a network such as "cubes-a-seed0"; any seed will do."""
    model, found, seed = model_id.rpartition("-seed")
    known = {recipe.model: recipe for recipe in MODELS.values()}
    if not found or model not in known or not seed.isdigit():
        raise MethodError(unknown_name("benchmark network", model_id, MODELS))
    return known[model].with_seed(int(seed))
