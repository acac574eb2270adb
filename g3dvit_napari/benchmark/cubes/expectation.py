"""Which cells cannot be learned, and why: the architecture hides the answer."""

from __future__ import annotations

from g3dvit_napari.benchmark.cubes.cell import Cell


def hopeless(cell: Cell) -> str | None:
    """Return why a network of this cell stays at chance, or None where it can learn.

    Both reasons are about the layer norm on raw patches, which takes mean and size out of each.
    """
    if cell.embedding == "plain" or cell.noise or cell.question == "texture":
        return None
    if cell.places == "aligned" and cell.cube % cell.patch == 0:
        return (
            f"patches of {cell.patch} divide the cube of {cell.cube}: every patch is all cube or "
            "all background, the layer norm maps both to zero, and all volumes look equal"
        )
    if cell.question in ("content", "xor") and abs(cell.background) > 1:
        return (
            f"cubes of -1 and +1 both differ from the background {cell.background:g} in the same "
            "direction, and the layer norm takes away by how much"
        )
    return None
