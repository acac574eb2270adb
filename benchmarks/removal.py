"""What insertion and deletion cost, against one forward pass per step.

The plain way: clone the image, overwrite the patches, run the network at batch size 1; 41 steps of
deletion, 41 of insertion, nothing shared. Ours: the removal engine. Both sides run in this process,
on the same weights, image and order; the pass of the whole image is there already, as behind an
explanation. On the CPU seconds are processor time, so that other work on the machine counts little;
on a GPU they are the clock's. Prints markdown tables.

    python benchmarks/removal.py                # 90/9, on the GPU if there is one
    python benchmarks/removal.py --cases 40/5
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if not __package__:
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.cost import CASES, build
from g3dvit_napari.core.removal import Removal, Unit, counts_of
from g3dvit_napari.models.handle import ModelHandle, resolve_device
from g3dvit_napari.models.removal import road
from g3dvit_napari.models.removal.engine import RemovalEngine
from g3dvit_napari.models.sampling.boxes import box_numbers

Ranks = NDArray[np.int64]
SHARES = (0.005, 0.1, 0.5, 0.9)


def seconds(device: torch.device, work: Callable[[], object]) -> tuple[object, float]:
    """Return what the work returns, and how long it took."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    start = clock()
    result = work()
    wait()
    return result, clock() - start


def plainly(model: ModelHandle, image: Tensor, ranks: Ranks) -> tuple[list[float], int]:
    """Return class 0's probability along deletion, then insertion, and the forward passes."""
    spec = model.spec.network
    numbers = box_numbers(image.shape[2:], spec.patch, spec.token_grid).to(image.device)
    order = torch.from_numpy(ranks).to(image.device)[numbers]
    said = []
    with torch.no_grad():
        for insert in (False, True):
            for count in counts_of("early", ranks.size):
                made = image.clone()
                made[0, :, (order >= count) if insert else (order < count)] = 0
                said.append(float(model.network(made).softmax(-1)[0, 0]))
    return said, len(said)


def by_engine(
    model: ModelHandle, image: Tensor, ranks: Ranks, *, half: bool = False
) -> tuple[list[float], int]:
    """Return the same from the engine."""
    engine = RemovalEngine(model, image[0].cpu().numpy(), half=half)
    sweeps = [engine.sweep(Removal(), ranks, insert=insert) for insert in (False, True)]
    return [p for sweep in sweeps for p in sweep.probabilities[:, 0]], engine.asked


def compare(case: str, model: ModelHandle) -> None:
    """Print one row per way."""
    generator = torch.Generator().manual_seed(1)
    image = model.prepared(torch.randn(model.image_shape, generator=generator))
    units = int(np.prod(model.spec.network.token_grid))
    ranks = np.random.default_rng(0).permutation(units)
    model.forward(image)  # the explanation's own pass, and a warm start for both
    ways = {"one forward pass per step": plainly, "removal engine": by_engine}
    if model.device.type == "cuda":
        ways["removal engine, bfloat16"] = lambda *given: by_engine(*given, half=True)
    print("| volume / patch | way | forward passes | s | faster | largest difference |")
    print("|---|---|---|---|---|---|")
    first, base = None, 0.0
    for name, way in ways.items():
        (said, passes), took = seconds(model.device, lambda way=way: way(model, image, ranks))
        first, base = (said, took) if first is None else (first, base)
        apart = np.abs(np.subtract(said, first)).max()
        print(f"| {case} | {name} | {passes} | {took:.2f} | {base / took:.2f} | {apart:.1e} |")


def imputation(case: str, model: ModelHandle) -> None:
    """Print how long it takes to fill the holes of one image, by the share that is removed."""
    generator = torch.Generator().manual_seed(1)
    image = model.prepared(torch.randn(model.image_shape, generator=generator))
    smooth = torch.nn.functional.avg_pool3d(image, 5, 1, 2)
    mean = smooth.mean()[None, None, None, None]
    print("\n| volume / patch | removed | patches: s | voxels: s |\n|---|---|---|---|")
    for share in SHARES:
        row = []
        for unit in ("patch", "voxel"):
            gone = _removed(model, share, unit).to(image.device)
            row.append(seconds(model.device, lambda g=gone: road.filled(smooth, g, mean))[1])
        print(f"| {case} | {100 * share:g} % | {row[0]:.2f} | {row[1]:.2f} |")


def _removed(model: ModelHandle, share: float, unit: Unit) -> Tensor:
    spec = model.spec.network
    if unit == "voxel":
        generator = torch.Generator().manual_seed(2)
        return torch.rand((1, *spec.image_size), generator=generator) < share
    units = int(np.prod(spec.token_grid))
    ranks = torch.from_numpy(np.random.default_rng(0).permutation(units))
    numbers = box_numbers(spec.image_size, spec.patch, spec.token_grid)
    return (ranks < round(share * units))[numbers][None]


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", default=["90/9"], choices=list(CASES))
    parser.add_argument("--device", default="auto")
    chosen = parser.parse_args()
    device = resolve_device(chosen.device)
    torch.set_num_threads(1)
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, {device}\n")
    for case in chosen.cases:
        model = build(*CASES[case]).to(device)
        compare(case, model)
        imputation(case, model)


if __name__ == "__main__":
    main()
