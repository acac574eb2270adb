"""Do the maps lie on the lesion? Every method on held-out sample data, against chance and ceiling.

Run `python -m benchmarks.localisation` from the repository: it prints the tables of
docs/sample_data.md. `--occlusion` adds occlusion of single tokens, which judges the network rather
than a map and takes many passes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

if not __package__:
    sys.path.insert(0, str(Path(__file__).parents[1]))

from g3dvit_napari import api
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.types import Threshold, Volume
from g3dvit_napari.io.samples import sample_path
from g3dvit_napari.models.handle import ModelHandle
from sample_data import brain, cubes, networks

Array = NDArray[Any]
UNCUT = Threshold("none")
# Every method with its defaults, and the poolings of the published one.
VARIANTS: tuple[tuple[str, Mapping[str, Any]], ...] = tuple(
    ("g3dvit", {"pooling": pooling}) for pooling in ("max", "abs_mean", "relu_mean")
)


@dataclass(frozen=True, eq=False)
class Case:
    """A volume whose truth is known: on voxels, and as the share of every patch (f h w)."""

    volume: Volume
    truth: Array
    share: Array
    label: int


@dataclass(frozen=True)
class Score:
    """How well one map agrees with the truth.

    hit
        The strongest patch touches the target. For maps that say nothing: the chance to hit.
    point
        The strongest voxel of the upsampled map lies in the target.
    mass
        Share of the positive relevance that lies in the target.
    """

    hit: float
    point: float
    mass: float
    degenerate: bool = False


def brain_cases(count: int, model: ModelHandle, split: str = "benchmark") -> Iterator[Case]:
    """Yield new brains, each with a lesion: in turn on the left and on the right."""
    drawer = brain.Brain()
    for index in range(count):
        sample = drawer.draw(split, index, 1 + index % 2)
        volume, truth = (networks.brain_volume(part) for part in (sample.data, sample.lesion))
        yield case(volume, truth, sample.label, model)


def cube_cases(count: int, model: ModelHandle, split: str = "benchmark") -> Iterator[Case]:
    """Yield new volumes with their cubes."""
    for index in range(count):
        sample = cubes.draw(split, index)
        volume = networks.cube_volume(sample.data)
        yield case(volume, volume.like(sample.cube.astype(np.float32)), sample.label, model)


def case(volume: Volume, truth: Volume, label: int, model: ModelHandle) -> Case:
    """Return a case: the truth goes through the same geometry as the volume."""
    return Case(volume, truth.data > 0, networks.share_of_patches(truth, model.spec), label)


def score(raw: Array, native: Array, known: Case, *, usable: bool = True) -> Score:
    """Score a token map (f h w) and its picture on the volume's own grid."""
    target, positive = known.truth, np.nan_to_num(np.maximum(native, 0))
    if not usable or not positive.any():
        return Score(*chance(native, known), degenerate=True)
    patches = on_patches(raw, known.share.shape)
    hit = (known.share[patches == patches.max()] > 0).any()
    strongest = positive == positive.max()
    return Score(
        float(hit), float(target[strongest].mean()), positive[target].sum() / positive.sum()
    )


def on_patches(raw: Array, grid: tuple[int, ...]) -> Array:
    """Return a map on patches (f h w): voxels are summed over each, larger blocks repeated."""
    if any(n < g for n, g in zip(raw.shape, grid, strict=True)):
        along = [np.arange(g) * n // g for n, g in zip(raw.shape, grid, strict=True)]
        return raw[np.ix_(*along)]
    (f, h, w), (pf, ph, pw) = grid, (n // g for n, g in zip(raw.shape, grid, strict=True))
    whole = raw[: f * pf, : h * ph, : w * pw]
    return whole.reshape(f, pf, h, ph, w, pw).sum(axis=(1, 3, 5))


def chance(native: Array, known: Case) -> tuple[float, float, float]:
    """Return hit, point and mass of a map that knows nothing."""
    seen = np.isfinite(native)
    voxels = float((known.truth & seen).sum() / seen.sum())
    return float((known.share > 0).mean()), voxels, voxels


def method_score(known: Case, model: ModelHandle, method: str, options: Mapping[str, Any]) -> Score:
    """Explain the true class of a case with a method and score the uncut map."""
    found = api.explain(known.volume, model, method, known.label, threshold=UNCUT, **options)
    raw = found.scaled.placement.tokens_of(found.patch_map)
    return score(raw, found.relevance.data, known, usable=found.status == "ok")


def oracle_score(known: Case, model: ModelHandle) -> Score:
    """Score the best map that patches allow: the share of the target in each of them."""
    return score(known.share, Placement(known.volume, model.spec).to_native(known.share), known)


def chance_score(known: Case, model: ModelHandle) -> Score:
    """Score a map that knows nothing."""
    return Score(*chance(Placement(known.volume, model.spec).to_native(known.share), known))


def occlusion_score(known: Case, model: ModelHandle) -> Score:
    """Score the drop of the logit when one token at a time is made an empty patch."""
    drops = occlusion(known, model)
    return score(drops, Placement(known.volume, model.spec).to_native(drops), known)


def occlusion(known: Case, model: ModelHandle, batch: int = 8) -> Array:
    """Return how much the logit drops without each token (f h w).

    A token is replaced by the one of an empty patch at its place; empty patches are skipped.
    """
    network: Any = model.network
    image = torch.from_numpy(Placement(known.volume, model.spec).to_tensor())[None].to(model.device)
    with torch.no_grad():
        tokens = network.embed(image)
        empty = network.embed(torch.full_like(image, float(image.min())))
        drops = torch.zeros(tokens.shape[1], dtype=torch.float64)
        full = _logit(network, tokens, known.label)
        different = (tokens - empty).abs().amax(dim=(0, 2)) > 1e-4
        for some in torch.nonzero(different)[:, 0].split(batch):
            changed = tokens.repeat(len(some), 1, 1)
            changed[torch.arange(len(some)), some] = empty[0, some]
            drops[some] = (full - _logit(network, changed, known.label)).double().cpu()
    return drops[model.prefix_tokens :].reshape(model.site().cells.shape).numpy()


def _logit(network: Any, tokens: torch.Tensor, label: int) -> torch.Tensor:
    for block in network.blocks:
        tokens = block(tokens)
    logits: torch.Tensor = network.read_out(tokens)[:, label]
    return logits


def table(
    cases: Sequence[Case], model: ModelHandle, *, slow: int, occlude: bool = False
) -> dict[str, list[Score]]:
    """Return the scores of every method, of chance, of the ceiling and perhaps of occlusion.

    Methods of many passes are scored on the first `slow` cases alone.
    """
    rows = {"chance": [chance_score(known, model) for known in cases]}
    for method, options in [*((name, {}) for name in api.METHODS), *VARIANTS]:
        some = cases[:slow] if api.METHODS[method].cost == "many passes" else cases
        if some and api.why_not(method, model) is None:
            name = " ".join([method, *map(str, options.values())])
            rows[name] = [method_score(known, model, method, options) for known in some]
    if occlude:
        rows["occlusion of one token"] = [occlusion_score(known, model) for known in cases]
    rows["ceiling of the patch grid"] = [oracle_score(known, model) for known in cases]
    return rows


def markdown(rows: Mapping[str, Sequence[Score]]) -> str:
    """Return a table of means in per cent."""
    lines = ["| map | hit | point | mass | says nothing | volumes |", "|---|---|---|---|---|---|"]
    for name, scores in rows.items():
        means = [
            100 * np.mean([getattr(s, part) for s in scores]) for part in ("hit", "point", "mass")
        ]
        empty = sum(s.degenerate for s in scores)
        shown = f"{means[0]:.0f} % | {means[1]:.0f} % | {means[2]:.1f} %"
        lines.append(f"| {name} | {shown} | {empty} | {len(scores)} |")
    return "\n".join(lines)


def twin_gaps(count: int, model: ModelHandle) -> Array:
    """Return, per held-out brain, how far the logit falls when its lesion was never drawn."""
    drawer, gaps = brain.Brain(), []
    for index in range(count):
        label = 1 + index % 2
        ill, well = (
            api.predict(networks.brain_volume(drawer.draw("benchmark", index, kind).data), model)
            for kind in (label, 0)
        )
        gaps.append(ill.logits[label] - well.logits[label])
    return np.array(gaps)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=24, help="volumes per table")
    parser.add_argument("--slow", type=int, default=4, help="for methods of many passes")
    parser.add_argument("--occlusion", action="store_true", help="also occlude single tokens")
    chosen = parser.parse_args()
    for name, draw in (("brain", brain_cases), ("cubes", cube_cases)):
        model = api.load_model(sample_path(f"{name}_vit.pth"))
        cases = list(draw(chosen.count, model))
        right = np.mean([api.predict(c.volume, model).predicted == c.label for c in cases])
        print(f"\n{name}: {len(cases)} held-out volumes, {100 * right:.0f} % predicted right\n")
        print(markdown(table(cases, model, slow=chosen.slow, occlude=chosen.occlusion)), flush=True)
        if name == "brain":
            gaps = twin_gaps(chosen.count, model)
            low = gaps.min()
            print(f"\nwithout its lesion the logit falls by {gaps.mean():.1f}, at least {low:.1f}")


if __name__ == "__main__":
    main()
