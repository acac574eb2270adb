"""Infidelity (Yeh et al., NeurIPS 2019)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.evaluation import Evaluation, Scene
from g3dvit_napari.core.score import Score, undefined
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.metrics.asking import asked
from g3dvit_napari.metrics.robustness.answers import Answer, of_target, stands_still

Floats = NDArray[np.float64]
Perturbation = Literal["gaussian", "box"]
SPREAD = 0.05  # of the Gaussian, as a share of the image's standard deviation
SIDE = 0.25  # of the box, as a share of each axis
SHUFFLES = 10  # of the map, for the value of chance


@METRICS.register(
    "Infidelity",
    needs={"network"},
    direction="lower",
    cost="many passes",
    reference="Yeh et al., On the (In)fidelity and Sensitivity of Explanations, NeurIPS 2019, "
    "def. 2.1; the scaled form as in captum",
)
def infidelity(
    evaluation: Evaluation,
    *,
    perturbation: Perturbation = "gaussian",
    answer: Answer = "logit",
    normalise: bool = True,
    relative: bool = True,
    draws: Annotated[int, {"min": 2, "max": 10000}] = 64,
) -> Score:
    """Return the mean square by which a map misses what small changes of the input do.

    The mean over changes I of (β I·a - ΔF)², ΔF = F(x) - F(x - I), as a share of the mean ΔF²: the
    map a, on voxels and the same for all channels, is read as what the answer loses per unit of
    input. Coarse maps count on every voxel of a cell. Lower is better: of a linear network the map
    w gets 0, a map of zeros 1. Chance: the mean for the same map with its places shuffled. Not
    defined where no change moves the answer. The network is asked once per change and once for the
    image; all maps of a scene share the changes and the answers.

    What fools it. Maps that are multiplied by the input (input × gradient, Integrated Gradients)
    are no slopes, and are judged as if they were. With β at 1 the units of a map decide, which are
    arbitrary for most. Noise on every voxel at once averages out what single places do: on large
    images most maps come close to chance. A network that normalises every patch blows noise in a
    constant background up to full size: say where relevance counts.

    Parameters
    ----------
    perturbation
        "gaussian": noise of 5 % of the image's standard deviation on every voxel where relevance
        counts; "box": a random box, a quarter of the image along each axis, set to zero.
    answer
        Which number of the class is followed: its logit or its probability.
    normalise
        Scale the map by the β that fits best, Σ (I·a) ΔF / Σ (I·a)²; if not, β is 1.
    relative
        As a share of the mean ΔF²; if not, in the unit of the answer, squared, as published.
    draws
        How many changes.
    """
    scene = evaluation.scene
    changed, said = _answered(scene, perturbation, draws)
    answers = of_target(said, scene.target, answer)
    if not np.isfinite(answers).all():
        return undefined(f"the network's {answer} is not a finite number")
    changes, maps = answers[0] - answers[1:], _shuffled(evaluation)
    if relative and stands_still(changes, answers):
        return undefined(f"no change of the input moves the {answer}")
    unit = float(np.mean(changes**2)) if relative else 1.0
    products = np.stack([maps @ change.sum(0).ravel() for change in changed.differences()])
    misses = [_missed(column, changes, normalise) / unit for column in products.T]
    return Score(misses[0], float(np.mean(misses[1:])))


class Changed(Sequence[NDArray[np.float32]]):
    """An image (c f h w), and copies of it that were changed at random, each made when asked for.

    Parameters
    ----------
    image
        The image, which comes first.
    kind, draws, seed
        How it is changed, how often, and the seed of it.
    counted
        The voxels (f h w) that noise may fall on; all when not given.
    """

    def __init__(
        self,
        image: NDArray[np.float32],
        kind: Perturbation,
        draws: int,
        seed: int,
        *,
        counted: NDArray[np.bool_] | None = None,
    ) -> None:
        self._image, self._kind, self._draws, self._seed = image, kind, draws, seed
        self._counted = np.True_ if counted is None else counted

    def __len__(self) -> int:
        return self._draws + 1

    def __getitem__(self, number: int) -> NDArray[np.float32]:  # type: ignore[override]
        """Return the image (0) or one of the changed ones (1 ...)."""
        if not 0 <= number <= self._draws:
            raise IndexError(number)
        if number == 0:
            return self._image
        random = np.random.default_rng([self._seed, number])
        made = self._noisy(random) if self._kind == "gaussian" else self._holed(random)
        return made.astype(np.float32)

    def differences(self) -> Iterator[Floats]:
        """Yield what was taken from the image in each copy (c f h w), as the network saw it."""
        for number in range(1, len(self)):
            yield self._image.astype(np.float64) - self[number]

    def _noisy(self, random: np.random.Generator) -> Floats:
        noise = random.standard_normal(self._image.shape) * self._counted
        return self._image - SPREAD * float(self._image.std()) * noise

    def _holed(self, random: np.random.Generator) -> NDArray[np.float32]:
        made, sizes = self._image.copy(), self._image.shape[1:]
        sides = [max(round(SIDE * n), 1) for n in sizes]
        starts = [int(random.integers(n - s + 1)) for n, s in zip(sizes, sides, strict=True)]
        f, h, w = (slice(a, a + s) for a, s in zip(starts, sides, strict=True))
        made[:, f, h, w] = 0.0
        return made


def _answered(
    scene: Scene, kind: Perturbation, draws: int
) -> tuple[Changed, tuple[Floats, Floats]]:
    """Return the changed images, and the answers to the image and to each of them."""
    network = asked(scene)
    changed = Changed(network.image, kind, draws, scene.seed, counted=scene.counted_input)
    said = scene.once(("infidelity", kind, draws), lambda: network.answers(changed))
    return changed, said


def _shuffled(evaluation: Evaluation) -> Floats:
    """Return the map on voxels (1 + shuffles, voxels), then with places shuffled."""
    random, tokens = np.random.default_rng(evaluation.scene.seed), evaluation.tokens
    others = [random.permuted(tokens.ravel()).reshape(tokens.shape) for _ in range(SHUFFLES)]
    return np.stack([evaluation.like(t).input_voxels.ravel() for t in (tokens, *others)])


def _missed(products: Floats, changes: Floats, normalise: bool) -> float:
    """Return the mean square error of predicted changes (n)."""
    square = float(products @ products)
    if normalise:
        products = products * (float(products @ changes) / square if square > 0 else 0.0)
    return float(np.mean((products - changes) ** 2))
