"""One cell of the grid of cube tasks: its name says everything that decides it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args

from g3dvit_napari.core.errors import MethodError

Places = Literal["aligned", "free"]
Question = Literal["position", "content", "triple", "texture", "xor"]
Embedding = Literal["layernorm", "plain"]
Pool = Literal["cls", "mean"]

_NAME = re.compile(
    r"cubes-(?P<grid>\d+)-(?P<cube>\d+)-(?P<patch>\d+)-(?P<background>-?[\d.]+)"
    r"-(?P<places>[a-z]+)-(?P<question>[a-z]+)-(?P<embedding>[a-z]+)"
    r"(-noise(?P<noise>[\d.]+))?(?P<smooth>-smooth)?(?P<distractor>-distractor)?(?P<pool>-mean)?"
)


@dataclass(frozen=True, order=True)
class Cell:
    """A cube task.

    grid, cube, patch
        Edges in voxels of the volume, of the cube, and of the network's patches.
    background
        Value of the voxels without cube; cubes have the value 1 (or -1).
    places
        "aligned": the corner is a multiple of the cube's edge; "free": any voxel.
    question
        "position": which of (grid / cube)³ places is nearest; "content": is the cube -1 or +1;
        "triple": the same, or no cube at all; "texture": stripes along which axis, all of the mean
        of the background; "xor": are two cubes equal.
    embedding
        "layernorm": the network normalises raw patches, as vit-pytorch since 2023; "plain": not.
    noise, smooth
        Standard deviation of the noise; smooth: over 2 voxels (Gaussian), of the same deviation.
    distractor
        Whether a second cube is there that the class does not depend on.
    pool
        What the network reads.
    """

    grid: int
    cube: int
    patch: int
    background: float = 0.2
    places: Places = "aligned"
    question: Question = "position"
    embedding: Embedding = "layernorm"
    noise: float = 0.0
    smooth: bool = False
    distractor: bool = False
    pool: Pool = "cls"

    def __post_init__(self) -> None:
        for name, value in (("patch", self.patch), ("cube", self.cube)):
            if value < 1 or self.grid % value:
                raise MethodError(f"{name} {value} does not divide the grid {self.grid}; change it")
        known = {
            "places": Places, "question": Question, "embedding": Embedding, "pool": Pool
        }  # fmt: skip
        for name, kind in known.items():
            if getattr(self, name) not in get_args(kind):
                words = ", ".join(get_args(kind))
                raise MethodError(f"{name} is {getattr(self, name)!r}; choose one of: {words}")
        if self.noise < 0:
            raise MethodError(f"noise is {self.noise}; it must not be negative")
        if self.smooth and self.noise == 0:
            raise MethodError("smooth noise of deviation 0 is none; give a noise above 0")

    @property
    def name(self) -> str:
        """The cell in one word, which `cell_named` reads again."""
        size = f"cubes-{self.grid}-{self.cube}-{self.patch}-{self.background:g}"
        noise = f"-noise{self.noise:g}" if self.noise else ""
        ends = "-smooth" * self.smooth + "-distractor" * self.distractor
        asked = f"{self.places}-{self.question}-{self.embedding}"
        return f"{size}-{asked}{noise}{ends}" + "-mean" * (self.pool == "mean")

    @property
    def per_axis(self) -> int:
        """Places along an axis that are told apart."""
        return self.grid // self.cube

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the network answers."""
        if self.question == "position":
            n = self.per_axis
            return tuple(
                f"cube at {x} {y} {z}" for x in range(n) for y in range(n) for z in range(n)
            )
        return {
            "content": ("cube of -1", "cube of +1"),
            "triple": ("no cube", "cube of -1", "cube of +1"),
            "texture": ("stripes along x", "stripes along y", "stripes along z"),
            "xor": ("equal cubes", "unequal cubes"),
        }[self.question]


def cell_named(name: str) -> Cell:
    """Return the cell of a name.

    Raises
    ------
    MethodError
        When no cell is named so.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        example = Cell(40, 8, 5).name
        raise MethodError(f"no cube task named {name!r}; write it like {example!r}")
    part = found.groupdict()
    return Cell(
        int(part["grid"]),
        int(part["cube"]),
        int(part["patch"]),
        float(part["background"]),
        cast(Places, part["places"]),
        cast(Question, part["question"]),
        cast(Embedding, part["embedding"]),
        float(part["noise"] or 0),
        part["smooth"] is not None,
        part["distractor"] is not None,
        "mean" if part["pool"] else "cls",
    )
