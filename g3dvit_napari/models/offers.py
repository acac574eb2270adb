"""What a network offers to methods, and the sentence where it does not."""

from __future__ import annotations

from collections.abc import Iterable

from g3dvit_napari.models.probing.anatomy import Anatomy

# What a method may need of a network, and why a network may lack it.
LACKING = {
    "features": "no layer was found that holds one vector per place; name it (network.norm)",
    "attention": "it has no attention that could be followed from token to token",
    "global attention": "its tokens do not all attend to each other",
    "linear head": "its answer is not one linear layer on averaged features",
    "convolutions": "it is not built of convolutions alone; attention needs rules of its own",
    "movable head": "its head cannot be put behind other blocks than the last",
    "own blocks": "it is no vit_3d or simple_vit_3d, whose blocks can be run one by one",
}


def offers_of(anatomy: Anatomy, *, own: bool, convolutions: bool) -> frozenset[str]:
    """Return what a network offers.

    Parameters
    ----------
    anatomy
        What running it has shown.
    own
        Whether it is a `ViT3D`, whose blocks we run ourselves.
    convolutions
        Whether it has any.
    """
    found = {
        "features": bool(anatomy.sites),
        "attention": anatomy.attention != "none",
        "global attention": anatomy.attention == "global",
        "linear head": anatomy.linear_head,
        "convolutions": convolutions and anatomy.attention == "none",
        "movable head": bool(anatomy.leaving),
        "own blocks": own,
    }
    return frozenset(name for name, offered in found.items() if offered)


def lacking(needs: Iterable[str], offers: frozenset[str]) -> str:
    """Return why a network cannot serve what is needed; empty when it can."""
    return "; ".join(LACKING[need] for need in sorted(set(needs) - offers))
