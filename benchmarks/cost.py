"""What an explanation costs, against a straightforward implementation of the published procedure.

Both sides run in this process, on the same weights, image and class, in turn. Times are the
smallest of all repeats; memory is the largest rise of the process's resident memory above what it
held just before. Prints markdown tables.

    python benchmarks/cost.py                 # all cases; the largest needs 16 GB and minutes
    python benchmarks/cost.py --cases 40/5    # one case
    python benchmarks/cost.py --busy-machine  # when others use the machine too
"""

from __future__ import annotations

import argparse
import copy
import ctypes
import gc
import platform
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional as F

from g3dvit_napari.core.spec import ModelSpec, NetworkSpec
from g3dvit_napari.core.threshold import apply_cut, cut_value, scaled
from g3dvit_napari.core.types import Threshold
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle, names_of_classes
from g3dvit_napari.models.networks.vit3d import Attention, Layout, ViT3D

ONCE = ("90/5",)  # the published procedure needs 10 GB for it; a second run was killed at 24 GB
MIB = 2**20
CASES = {  # side of the volume, side of a patch, classes
    "40/5": (40, 5, 125),
    "90/9": (90, 9, 2),
    "90/5": (90, 5, 2),
}


class PlainAttention(Attention):
    """Attention as published: the whole matrix of weights, in so many words."""

    def mix(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend and project."""
        weights = (torch.matmul(q, k.transpose(-1, -2)) * self.scale).softmax(dim=-1)
        return self.to_out(rearrange(torch.matmul(weights, v), "b h n d -> b n (h d)"))


def build(side: int, patch: int, classes: int) -> ModelHandle:
    """The published network's size, with weights as random as its own at the start."""
    spec = NetworkSpec(
        family="vit_3d", image_size=(side,) * 3, patch=(patch,) * 3, channels=1, classes=classes,
        dim=1024, depth=6, heads=8, dim_head=64, mlp_dim=2048, pool="cls", prefix_tokens=1,
        patch_order="legacy",
    )  # fmt: skip
    torch.manual_seed(0)
    network = ViT3D(spec, Layout())
    with torch.no_grad():
        network.pos_embedding.normal_()
        network.cls_token.normal_()
        for module in network.modules():
            if isinstance(module, nn.LayerNorm):
                module.weight.normal_(1, 0.3)
                module.bias.normal_(0, 0.3)
    model = ModelSpec(network=spec)
    return ModelHandle(network, model, torch.device("cpu"), names_of_classes(model))


def plainly(model: ModelHandle) -> ViT3D:
    """The same network with plain attention."""
    network = copy.deepcopy(model.network)
    for block in network.blocks:
        block.attention.__class__ = PlainAttention
    return network


def published(network: ViT3D, image: Tensor, target: int) -> np.ndarray:
    """Whole graph, hooks, full backward pass; ReLU, min-max, cut on patches, trilinear."""
    stored: dict[str, Tensor] = {}
    norm = network.blocks[-1].attention.norm
    hooks = [
        norm.register_forward_hook(lambda _m, _i, out: stored.update(a=out)),
        norm.register_full_backward_hook(lambda _m, _i, out: stored.update(g=out[0])),
    ]
    logits = network(image)
    chosen = torch.zeros_like(logits)
    chosen[0, target] = 1
    logits.backward(gradient=chosen, retain_graph=True)
    for hook in hooks:
        hook.remove()
    with torch.no_grad():
        tokens = (stored["g"].mean(-1, keepdim=True) * stored["a"]).sum(-1)[0, 1:]
        patches = tokens.reshape(network.spec.token_grid).relu()
        patches = (patches - patches.min()) / (patches.max() - patches.min() + 1e-8)
        cut = np.percentile(patches.numpy(), 95)
        return upsampled(torch.where(patches >= cut, patches, 0), image)


def ours(model: ModelHandle, image: Tensor, target: int, **options: Any) -> np.ndarray:
    """The same map through the project."""
    method = options.pop("method", "g3dvit")
    maps = METHODS[method].function(model.forward(image), (target,), **options)
    signed = METHODS[method].signed
    patches = scaled(maps.values[0], signed=signed)
    cut = cut_value(patches, Threshold("keep", 5.0), signed=signed)
    return upsampled(torch.from_numpy(apply_cut(patches, cut, signed=signed)), image)


def upsampled(patches: Tensor, image: Tensor) -> np.ndarray:
    """Bring patches to the image's grid."""
    size = image.shape[2:]
    volume = F.interpolate(patches[None, None], size=size, mode="trilinear", align_corners=False)
    return volume[0, 0].numpy()


@dataclass
class Cost:
    """The smallest time and the largest rise in memory of some repeats."""

    clock: Callable[[], float]
    seconds: float = float("inf")
    mebibytes: float = 0.0

    def add(self, work: Callable[[], object]) -> None:
        """Run something once more."""
        settle()
        before = psutil.Process().memory_info().rss
        with Peak() as peak:
            started = self.clock()
            work()
            self.seconds = min(self.seconds, self.clock() - started)
        self.mebibytes = max(self.mebibytes, (peak.bytes - before) / MIB)


class Peak:
    """The largest resident memory inside the block: the kernel's own mark, or sampled."""

    def __enter__(self) -> Peak:
        self.bytes = 0
        self._exact = sys.platform == "linux"
        if self._exact:
            Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
        else:
            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._sample)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._exact:
            lines = Path("/proc/self/status").read_text().splitlines()
            self.bytes = next(int(x.split()[1]) for x in lines if x.startswith("VmHWM")) * 1024
        else:
            self._stop.set()
            self._thread.join()

    def _sample(self) -> None:
        process = psutil.Process()
        while not self._stop.wait(0.001):
            self.bytes = max(self.bytes, process.memory_info().rss)


def settle() -> None:
    """Give freed memory back: what one side left must not hide what the other takes."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def compare(name: str, repeats: int, clock: Callable[[], float]) -> dict[str, float]:
    """Return the costs of one case; the two finished maps must be the same."""
    side, patch, classes = CASES[name]
    model = build(side, patch, classes)
    image = torch.randn(1, 1, side, side, side, generator=torch.Generator().manual_seed(1))
    plain = plainly(model)
    cost = {who: Cost(clock) for who in ("published", "ours")}
    maps: dict[str, np.ndarray] = {}

    def run(who: str) -> None:
        maps[who] = published(plain, image, 1) if who == "published" else ours(model, image, 1)

    for _ in range(1 if name in ONCE else repeats):
        plain.zero_grad(set_to_none=True)
        cost["published"].add(partial(run, "published"))
        plain.zero_grad(set_to_none=True)
        model.forget()
        cost["ours"].add(partial(run, "ours"))
    return {
        "tokens": (side // patch) ** 3 + 1,
        **{f"{k} seconds": c.seconds for k, c in cost.items()},
        **{f"{k} MiB": c.mebibytes for k, c in cost.items()},
        "difference": difference(**maps),
    }


def difference(ours: np.ndarray, published: np.ndarray) -> float:
    """Return the largest difference as a share of the maximum.

    Each map is first divided by its own: the published scaling adds 1e-8 to a range that may be as
    small as 1e-6, so that its peak falls short of one.
    """
    return float(np.abs(ours / ours.max() - published / published.max()).max())


def again(repeats: int, clock: Callable[[], float]) -> dict[str, float]:
    """Return what comes after the first explanation of an image, in seconds (40/5)."""
    model = build(*CASES["40/5"])
    image = torch.randn(1, 1, 40, 40, 40, generator=torch.Generator().manual_seed(1))
    every = tuple(range(model.classes))

    def first(**options: Any) -> Callable[[], object]:
        return lambda: (model.forget(), ours(model, image, 1, **options))

    def next_(target: int = 2, **options: Any) -> Callable[[], object]:
        return lambda: ours(model, image, target, **options)

    jobs: dict[str, Callable[[], object]] = {
        "network alone, one forward pass": lambda: model.logits(image),
        "first g3dvit": first(),
        "another class": next_(),
        "another pooling (max)": next_(pooling="max"),
        "another pooling (abs_mean)": next_(pooling="abs_mean"),
        "grad_cam": next_(method="grad_cam"),
        "hires_cam": next_(method="hires_cam"),
        "an earlier block (3 of 6)": next_(block=3),
        "libra_grad after it": next_(method="libra_grad"),
        "libra_grad first": first(method="libra_grad"),
        "g3dvit, all 125 classes, from the start": lambda: (
            model.forget(),
            METHODS["g3dvit"].function(model.forward(image), every),
        ),
    }
    costs = {name: Cost(clock) for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            if not name.endswith("first") and "start" not in name and "alone" not in name:
                model.forward(image)
            costs[name].add(job)
    return {name: cost.seconds for name, cost in costs.items()}


def print_comparison(rows: dict[str, dict[str, float]]) -> None:
    """Print one line per case."""
    head = "case|tokens|published s|ours s|faster|published MiB|ours MiB|memory|largest difference"
    print("| " + head.replace("|", " | ") + " |")
    print("|" + "---|" * (head.count("|") + 1))
    for name, r in rows.items():
        faster = r["published seconds"] / r["ours seconds"]
        share = r["published MiB"] / r["ours MiB"]
        print(
            f"| {name} | {r['tokens']} | {r['published seconds']:.2f} | {r['ours seconds']:.2f} "
            f"| {faster:.1f}× | {r['published MiB']:.0f} | {r['ours MiB']:.0f} | 1/{share:.1f} "
            f"| {r['difference']:.0e} |"
        )


def print_again(seconds: dict[str, float]) -> None:
    """Print one line per kind of explanation."""
    forward, first = seconds["network alone, one forward pass"], seconds["first g3dvit"]
    print("| what (40/5) | ms | of a forward pass | of the first explanation |\n|---|---|---|---|")
    for name, s in seconds.items():
        print(f"| {name} | {s * 1e3:.1f} | {s / forward:.3f} | {s / first:.3f} |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--again", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument(
        "--busy-machine",
        action="store_true",
        help="one thread, and processor time instead of the clock's",
    )
    options = parser.parse_args()
    clock = time.process_time if options.busy_machine else time.perf_counter
    if options.busy_machine:
        torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}\n")
    print_comparison({name: compare(name, options.repeats, clock) for name in options.cases})
    if options.again:
        print()
        print_again(again(options.repeats, clock))


if __name__ == "__main__":
    main()
