"""Does the target speak for its class, or does it only silence what spoke against it?

A network may take healthy tissue at a place as evidence against a class, and a lesion there as the
end of that. Then the lesion decides, and no map of the volume alone can show it: the lesion's own
share of the logit is about zero. The map of the volume minus that of its twin, which lacks nothing
but the signal, shows it.

Run `python -m benchmarks.counter_evidence brain-site --networks FOLDER` from the repository: for
every trained network and class, what patches that touch the target add to the logit, in the volume
and in its twin; the same of all other patches; and how often the strongest patch touches the
target, of the map and of the difference. LibraGrad is asked, as its shares add up to the logit.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

if not __package__:
    sys.path.insert(0, str(Path(__file__).parents[1]))

from g3dvit_napari import api, benchmark
from g3dvit_napari.benchmark.sample import Sample
from g3dvit_napari.core.controls import oracle
from g3dvit_napari.core.evaluation import Scene
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.types import Threshold, Volume
from g3dvit_napari.models.handle import ModelHandle

METHOD, UNCUT = "libra_grad", Threshold("none")
HEAD = ("network", "class", "volumes", "target", "twin", "elsewhere", "twin", "map", "difference")
Numbers = tuple[float, ...]


def main() -> None:
    """Print one line per network and class."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", help="such as brain-site")
    parser.add_argument("--networks", help="folder of trained networks; the user's cache if none")
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(5)))
    parser.add_argument("--count", type=int, default=30, help="test volumes per network")
    given = parser.parse_args()
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for seed in given.seeds:
        model = benchmark.trained(f"{given.task}-seed{seed}", given.networks)
        samples = benchmark.samples(f"{given.task}-seed{seed}", "test", given.count)
        for name, found in sorted(by_class(model, samples).items()):
            means = np.mean(found, axis=0)
            words = [f"{value:.1f}" for value in means[:4]]
            words += [f"{100 * value:.0f} %" for value in means[4:]]
            print(f"| seed {seed} | {name} | {len(found)} | {' | '.join(words)} |", flush=True)


def by_class(model: ModelHandle, samples: list[Sample]) -> dict[str, list[Numbers]]:
    """Return what was found of every volume that is named correctly, by its class."""
    found: dict[str, list[Numbers]] = defaultdict(list)
    for sample in samples:
        right = int(np.argmax(api.predict(sample.volume, model).logits)) == sample.label
        if right and sample.signal.any():
            found[model.class_names[sample.label]].append(tuple(told(model, sample)))
    return found


def told(model: ModelHandle, sample: Sample) -> Iterator[float]:
    """Yield shares of target and rest, with and without signal; then hits of map and difference."""
    scene = Scene(Placement(sample.volume, model.spec), sample.label, truth=sample.signal)
    target = oracle(scene) > 0
    own, twin = (
        shares(model, volume, sample.label) for volume in (sample.volume, sample.twin_volume)
    )
    for part in (target, ~target):
        yield float(own[part].sum())
        yield float(twin[part].sum())
    for values in (own, own - twin):
        yield float(target.ravel()[values.argmax()])


def shares(model: ModelHandle, volume: Volume, label: int) -> NDArray[np.float64]:
    """Return what every patch adds to the logit of a class (f h w)."""
    found = api.explain(volume, model, METHOD, label, threshold=UNCUT)
    return found.scaled.placement.tokens_of(found.patch_map).astype(np.float64)


if __name__ == "__main__":
    main()
