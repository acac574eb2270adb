"""What every method costs, as ratios to one plain forward pass of the same network.

For each method: the time of one class from the start (pass and map), and the rise of the process's
resident memory, both divided by those of a plain forward pass without a graph that runs in the same
process just before. Beside them stand the law of its cost and the limit it must keep. Methods of
many passes run with fewer of them, which is said; their memory does not depend on the number.

    python benchmarks/methods.py                      # 40/5 and 90/9
    python benchmarks/methods.py --cases 90/5         # 5,833 tokens: minutes a method
    python benchmarks/methods.py --methods libra_grad agcam
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint

if not __package__:
    sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.cost import CASES, Cost, build
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle

# F a forward pass, B a backward pass, b one through the last block, k samples, c features.
LAWS: dict[str, tuple[str, float | None]] = {}  # law, and the limit in forward passes
FEW: dict[str, Mapping[str, Any]] = {}  # settings that make a method of many passes quick


@dataclass(frozen=True)
class Row:
    """One method on one case."""

    seconds: float
    mebibytes: float
    settings: Mapping[str, Any]
    failed: str = ""


def rows_of(case: str, names: list[str], clock: Callable[[], float]) -> Iterator[tuple[str, Row]]:
    """Measure the references and then the methods of one case."""
    side = CASES[case][0]
    model = build(*CASES[case])
    image = torch.randn(1, 1, side, side, side, generator=torch.Generator().manual_seed(1))
    work: dict[str, Callable[[], object]] = {
        "forward pass": lambda: model.logits(image),
        "backward pass, checkpointed": lambda: checkpointed(model, image),
    }
    for name, job in work.items():
        yield name, measured(job, {}, clock)
    for name in names:
        yield (
            name,
            measured(lambda name=name: explained(model, image, name), FEW.get(name, {}), clock),
        )


def measured(job: Callable[[], object], settings: Mapping[str, Any], clock: Any) -> Row:
    """Run a job twice, the first time to warm up where it is quick, and keep the smaller time."""
    cost = Cost(clock)
    try:
        cost.add(job)
        if cost.seconds < 10:
            cost.add(job)
    except Exception as error:  # noqa: BLE001 - a row of the table says so
        return Row(cost.seconds, cost.mebibytes, settings, f"{type(error).__name__}: {error}")
    return Row(cost.seconds, cost.mebibytes, settings)


def explained(model: ModelHandle, image: torch.Tensor, name: str) -> object:
    """Return the map of one class, from the start."""
    model.forget()
    found = METHODS[name].function(
        model.forward(image), (1,), **METHODS[name].checked(FEW.get(name, {}))
    )
    model.forget()
    return found


def checkpointed(model: ModelHandle, image: torch.Tensor) -> torch.Tensor:
    """Return the gradient of a logit at the first tokens, one block's graph at a time."""
    network: Any = model.network
    with torch.no_grad():
        tokens = network.embed(image)
    x = leaf = tokens.requires_grad_()
    for block in network.blocks:
        x = checkpoint(block, x, use_reentrant=False)
    return torch.autograd.grad(network.read_out(x)[0, 1], leaf)[0]


def print_table(rows: Mapping[str, Row]) -> None:
    """Print one line per method, as ratios to the forward pass."""
    forward, backward = rows["forward pass"], rows["backward pass, checkpointed"]
    print("| method | law | forwards | limit | MiB | of a checkpointed backward | settings |")
    print("|---|---|---|---|---|---|---|")
    for name, row in rows.items():
        law, limit = LAWS.get(name, ("", None))
        if row.failed:
            print(f"| {name} | {law} | – | {limit or ''} | – | – | {row.failed[:80]} |")
            continue
        ratio = row.seconds / forward.seconds
        over = " **over**" if limit is not None and ratio > limit else ""
        settings = ", ".join(f"{key}={value}" for key, value in row.settings.items())
        print(
            f"| {name} | {law} | {ratio:.2f}{over} | {limit or ''} | {row.mebibytes:.0f} "
            f"| {row.mebibytes / max(backward.mebibytes, 1):.2f} | {settings} |"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", nargs="*", default=["40/5", "90/9"], choices=list(CASES))
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--busy-machine", action="store_true",
                        help="one thread, and processor time instead of the clock's")  # fmt: skip
    given = parser.parse_args()
    if given.busy_machine:
        torch.set_num_threads(1)
    clock = time.process_time if given.busy_machine else time.perf_counter
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}")
    for case in given.cases:
        print(f"\n## {case}\n")
        print_table(dict(rows_of(case, given.methods, clock)))


if __name__ == "__main__":
    main()
