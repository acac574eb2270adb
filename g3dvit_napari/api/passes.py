"""What a judgement will cost, counted before it is begun: the metrics run, a clerk answers.

Nothing is computed by a network. The clerk takes the place of the network and of the method, counts
what it is asked, and gives made-up answers; so every metric counts itself, whatever its settings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.api.evaluating import evaluation_of
from g3dvit_napari.core.evaluation import Floats, Mask, Scene
from g3dvit_napari.core.removal import Removal, Sweep, counts_of
from g3dvit_napari.core.types import Explanation
from g3dvit_napari.metrics import METRICS

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle

_BESIDE_BLOCKS = ("head", "patch embedding", "position embedding", "class token")


@dataclass(frozen=True)
class Passes:
    """How often a network is run, and how often each method is asked, by name."""

    network: int
    methods: Mapping[str, int] = field(default_factory=dict)


def passes_of(
    model: ModelHandle,
    explanation: Explanation,
    methods: Sequence[str] = (),
    metrics: Sequence[str] = (),
) -> Passes:
    """Return about how often a network is asked to judge a map, and maps of further methods.

    Other methods are taken to rank the parts otherwise, with as many ties. What they ask of the
    network themselves is not counted, nor what needs a mask.
    """
    known = {"network", "explainer"}
    entries = [METRICS[name] for name in metrics if set() < METRICS[name].needs <= known]
    random = np.random.default_rng(0)
    made = evaluation_of(explanation, _scene(explanation))
    network = _Network(made.scene, len(model.class_names))
    scene = replace(made.scene, network=network)
    asked: Counter[str] = Counter(methods)
    for method in (explanation.request.method, *methods):
        first = method == explanation.request.method
        tokens = made.tokens if first else random.permuted(made.tokens.ravel())
        explainer = _Explainer(tokens.reshape(made.tokens.shape), model.blocks)
        one = replace(
            made, scene=scene, tokens=explainer.tokens, explainer=explainer, degenerate=False
        )
        for entry in entries:
            entry.function(one, **entry.checked({}))
        asked[method] += explainer.asked
    return Passes(network.asked, {name: count for name, count in asked.items() if count})


def _scene(explanation: Explanation) -> Scene:
    return Scene(explanation.scaled.placement.with_cells(None), explanation.target)


class _Network:
    """Counts images; those that differ in nothing are asked about once, as the engine does."""

    def __init__(self, scene: Scene, classes: int) -> None:
        self.image: NDArray[np.float32] = scene.placement.to_tensor()
        self._classes, self._target = max(classes, 1), scene.target
        self._known: set[Any] = {b""}
        self.asked = 0

    def sweep(self, removal: Removal, ranks: NDArray[np.int64], *, insert: bool = False) -> Sweep:
        """Count the steps."""
        counts = counts_of(removal.steps, int((ranks >= 0).sum()))
        gone = [(ranks >= n) if insert else (ranks >= 0) & (ranks < n) for n in counts]
        logits, chances = self.hidden(removal, [mask & (ranks >= 0) for mask in gone])
        return Sweep(counts / max(int(counts[-1]), 1), logits, chances)

    def hidden(self, removal: Removal, masks: Iterable[Mask]) -> tuple[Floats, Floats]:
        """Count the masks that are new."""
        shares = []
        for mask in masks:
            key = (removal.substrate, removal.unit, mask.tobytes()) if mask.any() else b""
            self.asked += key not in self._known
            self._known.add(key)
            shares.append(float(mask.mean()))
        return self._answers(shares)

    def answers(self, images: Iterable[NDArray[np.float32]]) -> tuple[Floats, Floats]:
        """Count the images."""
        shares = [0.5 for _ in images]
        self.asked += len(shares)
        return self._answers(shares)

    def _answers(self, shares: Sequence[float]) -> tuple[Floats, Floats]:
        """Return answers that fall as more is removed."""
        rest = max(self._classes - 1, 1)
        falling = np.clip(0.98 - 0.9 * np.array(shares), 0.01, 0.99)
        chances = np.repeat(((1 - falling) / rest)[:, None], self._classes, axis=1)
        chances[:, self._target] = falling
        return np.log(chances), chances


class _Explainer:
    """Counts how often the method is asked; each map is the first one in another order."""

    def __init__(self, tokens: Floats, blocks: int) -> None:
        self.tokens, self.asked = tokens, 0
        self.stages = (_BESIDE_BLOCKS[0], *map(str, range(blocks)), *_BESIDE_BLOCKS[1:])
        self._others = self._orders()

    def again(self, image: NDArray[np.float32]) -> Floats:  # noqa: ARG002
        """Count."""
        return next(self._others)

    def of_class(self, target: int) -> Floats:  # noqa: ARG002
        """Count."""
        return next(self._others)

    def randomised(self, stages: Sequence[str], seed: int) -> Floats:  # noqa: ARG002
        """Count."""
        return next(self._others)

    def _orders(self) -> Iterator[Floats]:
        random = np.random.default_rng(1)
        while True:
            self.asked += 1
            yield random.permuted(self.tokens.ravel()).reshape(self.tokens.shape)
