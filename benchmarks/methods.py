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
from g3dvit_napari import api
from g3dvit_napari.methods import METHODS
from g3dvit_napari.models.handle import ModelHandle

# F a forward pass, B a backward pass, b one through the last block, k samples, c features.
LAWS: dict[str, tuple[str, float | None]] = {  # law, and the limit in forward passes
    **dict.fromkeys(
        ["g3dvit", "grad_cam", "grad_cam_plus_plus", "x_grad_cam", "layer_cam", "hires_cam",
         "grad_cam_element_wise", "eigen_grad_cam", "attention_grad_cam"],
        ("F + b", 2.0),
    ),
    **dict.fromkeys(["eigen_cam", "raw_attention"], ("F", 2.0)),
    "agcam": ("F + B of the class token", 2.0),
    "attention_rollout": ("F + rows", 2.5),
    "partial_lrp": ("F + tail", None),
    **dict.fromkeys(
        ["gradient_rollout", "generic_attention", "i_saw"], ("F + B + rows", 5.0)
    ),
    "legrad": ("F + blocks · b", 5.0),
    **dict.fromkeys(["libra_grad", "libra_full_grad", "cp_lrp", "attn_lrp"], ("F + B", 5.0)),
    "transformer_attribution": ("F + B + relevance", None),
    **dict.fromkeys(["saliency", "input_x_gradient"], ("F + B", None)),
    "integrated_gradients": ("steps · (F + B)", None),
    **dict.fromkeys(["smooth_grad", "gradient_shap"], ("samples · (F + B)", None)),
    "occlusion": ("windows · F", None),
    "kernel_shap": ("samples · F", None),
    "shapley_sampling": ("2 · pairs · players · F", None),
    "token_removal": ("masks · F of half the tokens", None),
    "score_cam": ("features · F", None),
    "ablation_cam": ("F + features · tail", None),
    "attention_flow": ("F + tokens · flow", None),
}  # fmt: skip
FEW: dict[str, Mapping[str, Any]] = {  # settings that make a method of many passes quick
    "integrated_gradients": {"steps": 2},
    "smooth_grad": {"samples": 2},
    "gradient_shap": {"samples": 2},
    "score_cam": {"features": 4},
    "ablation_cam": {"features": 16},
    "token_removal": {"masks": 8},
}
# A window or a player per patch is a pass or more: these are left out unless they are named.
LONG = ("occlusion", "kernel_shap", "shapley_sampling", "attention_flow")


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
    for name in (n for n in names if not api.why_not(n, model)):
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
    parser.add_argument(
        "--methods", nargs="*", default=[n for n in METHODS if n not in LONG], choices=list(METHODS)
    )
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
