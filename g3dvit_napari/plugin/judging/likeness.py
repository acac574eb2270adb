"""How alike the maps of a network and of its randomised copy are, in words."""

from __future__ import annotations

from g3dvit_napari.plugin.judging.jobs import Forgotten
from g3dvit_napari.summaries.verdict import HARDLY


def in_words(forgotten: Forgotten, seed: int) -> str:
    """Return a sentence with the figures behind it; it speaks of this one copy alone."""
    found, status = forgotten.agreement, forgotten.compared.titled[1][1].status
    if status != "ok":
        return (
            f"Of the network that learned nothing the method gives no map ({status}): nothing of "
            f"this one is left. One random copy, seed {seed}."
        )
    if found.spearman is None or found.dice is None or found.chance is None:
        return f"No likeness can be given: {found.why_not}."
    said = _said(found.spearman >= HARDLY, found.dice >= HARDLY, found.dice > 2 * found.chance)
    return (
        f"{said}\nSpearman's ρ {found.spearman:.2f} over {found.places:,} places "
        f"(0: unlike, 1: the same order); the strongest 5 % overlap by {found.dice:.2f} "
        f"(Dice; chance {found.chance:.2f}). One random copy, seed {seed}."
    )


def _said(order: bool, strongest: bool, some: bool) -> str:
    """Return what the figures come to; `some`: the strongest agree more than chance has them."""
    if order and strongest:
        return "The map hardly changed: so far it does not show what the network learned."
    if order:
        return (
            "The order of all places stayed much the same, the strongest places did not: "
            "the order does not show what the network learned."
        )
    if strongest:
        return (
            "The strongest places stayed, the order of all others did not: "
            "the strongest do not show what the network learned."
        )
    if some:
        return "The map changed, but its strongest places are still more alike than by chance."
    return "The map changed with the weights, as it should. That alone does not make it right."
