"""What can differ between the maps of a comparison, and what each kind has on offer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from g3dvit_napari.core.registry import Entry
from g3dvit_napari.plugin.asking.method_list import (
    FIRST,
    RECOMMENDED,
    UNSERVED,
    grouped,
    tip_of,
    titled,
)
from g3dvit_napari.plugin.jobs import LoadedModel

Kind = Literal["methods", "classes", "layers", "checkpoints", "randomised"]
ScaleName = Literal["common", "own"]

KINDS: dict[Kind, str] = {
    "methods": "Methods",
    "classes": "Classes",
    "layers": "Layers",
    "checkpoints": "Checkpoints",
    "randomised": "Randomised weights",
}
WHAT: dict[Kind, str] = {
    "methods": "The same class by several methods.",
    "classes": "Several classes by the same method.",
    "layers": "The same class and method, seen from several blocks of the network.",
    "checkpoints": "The same class and method by several networks; each is loaded with the rules "
    "next to its file, and let go again.",
    "randomised": "The network against copies that have learned nothing. A map that stays the same "
    "does not show what the network has learned (Adebayo et al., 2018).",
}
SCALE: dict[Kind, ScaleName] = {
    "methods": "own",  # each method has units of its own
    "classes": "common",
    "layers": "common",
    "checkpoints": "common",
    "randomised": "common",
}
USUAL = (FIRST, RECOMMENDED, "grad_cam", "hires_cam")
MOST = 4  # marked by themselves
ORIGINAL, ALL_WEIGHTS = "original", "all"


@dataclass(frozen=True)
class Variant:
    """What one cell asks for; `value` is a method, class, block, file or part of the weights."""

    title: str
    value: Any


@dataclass(frozen=True)
class Plan:
    """What a comparison asks for."""

    kind: Kind
    variants: tuple[Variant, ...]
    seed: int = 0


@dataclass(frozen=True)
class Item:
    """A line of the list: a heading without a variant, or something to mark.

    marked
        Whether it is marked until the user says otherwise.
    fixed
        Whether it always takes part.
    """

    title: str
    variant: Variant | None = None
    marked: bool = False
    fixed: bool = False
    tip: str = ""


def items_of(kind: Kind, model: LoadedModel, files: Sequence[str] = ()) -> list[Item]:
    """Return what there is to mark; `files` are further checkpoints."""
    handle = model.handle
    if kind == "methods":
        return _methods(model)
    if kind == "classes":
        return [
            Item(name, Variant(name, number), number < MOST)
            for number, name in enumerate(handle.class_names)
        ]
    if kind == "layers":
        return _layers(handle.blocks)
    if kind == "checkpoints":
        first = Item(model.name, Variant(model.name, ORIGINAL), True, True, "The loaded network.")
        return [
            first,
            *(Item(Path(f).name, Variant(Path(f).name, f), True, False, f) for f in files),
        ]
    return _randomised(handle.blocks)


def why_not(kind: Kind, model: LoadedModel, entry: Entry | None) -> str:
    """Return why a kind cannot be compared with the chosen method and network; empty: it can."""
    if kind == "classes" and entry is not None and not entry.class_specific:
        return f"{entry.title} gives the same map for every class; choose another method."
    if kind == "layers":
        if model.handle.blocks < 2:
            return "The network has no two blocks that can be explained."
        if entry is not None and all(p.name != "block" for p in entry.parameters):
            return f"{entry.title} looks at no single block; choose a method with one, as Grad-CAM."
    return ""


def _methods(model: LoadedModel) -> list[Item]:
    items = []
    for title, members in grouped(model.entries, model.reasons).items():
        if title == UNSERVED:
            continue
        items.append(Item(title))
        for entry in members:
            variant = Variant(entry.title, entry.name)
            items.append(Item(titled(entry), variant, entry.name in USUAL, False, tip_of(entry)))
    return items


def _layers(blocks: int) -> list[Item]:
    """First to last; as many as fit into one look are marked, evenly spread."""
    count = min(blocks, MOST)
    spread = {round(n * (blocks - 1) / max(count - 1, 1)) for n in range(count)}
    names = {number: f"block {number + 1} of {blocks}" for number in range(blocks)}
    return [Item(name, Variant(name, n), n in spread) for n, name in names.items()]


def _randomised(blocks: int) -> list[Item]:
    """The fewest new weights first, as in a cascade."""
    items = [Item("Original", Variant("original", ORIGINAL), True, True, "The loaded network.")]
    for block in range(blocks - 1, -1, -1):
        variant = Variant(f"random to block {block + 1}", block)
        tip = "Weights behind the start of this block are drawn anew, those before it are kept."
        items.append(Item(f"Random from head to block {block + 1}", variant, tip=tip))
    return [*items, Item("All weights random", Variant("all weights random", ALL_WEIGHTS), True)]
