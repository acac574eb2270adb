"""The one engine behind all metrics that take a volume apart and ask the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.progress import Progress, Ticks
from g3dvit_napari.core.removal import Removal, Sweep, Unit, counts_of
from g3dvit_napari.models.objective import Objective
from g3dvit_napari.models.removal import road
from g3dvit_napari.models.removal.substrates import Ground
from g3dvit_napari.models.sampling.boxes import box_numbers
from g3dvit_napari.models.sampling.hiding import Hiding
from g3dvit_napari.models.sampling.sampling import Ask, asked_in_batches, logits_of

if TYPE_CHECKING:
    from g3dvit_napari.models.handle import ModelHandle
    from g3dvit_napari.models.passes.forward import ForwardPass

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Ranks = NDArray[np.int64]
_NOTHING = b""  # the key of the image from which nothing is removed, whatever stands there then


class RemovalEngine:
    """What a network says of one volume with parts removed, in batches, and of other inputs.

    No image is asked about twice: answers are kept by what was removed. So insertion and deletion
    share their ends, inserting shares its images with removing the least relevant first, and
    controls that are drawn for one map serve all others.

    Parameters
    ----------
    model
        The network; its pass of the same image is taken over when it remembers one.
    image
        Its input (c f h w).
    valid
        The voxels (f h w) that the mean of the image runs over; all when not given.
    twin
        The input (c f h w) without the signal, where one exists.
    seed
        Of the noise.
    progress
        Called while the network runs; may raise `Cancelled`.
    half
        Whether activations are rounded to bfloat16, which is quicker where the device can.

    Attributes
    ----------
    asked
        At how many images the network was run.
    """

    def __init__(
        self,
        model: ModelHandle,
        image: NDArray[np.float32],
        *,
        valid: Mask | None = None,
        twin: NDArray[np.float32] | None = None,
        seed: int = 0,
        progress: Progress | None = None,
        half: bool = False,
    ) -> None:
        self.image, self.asked = image, 0
        self._model, self._valid, self._twin, self._seed = model, valid, twin, seed
        self._progress, self._half = progress, half
        self._pass: ForwardPass | None = None
        self._asks: dict[tuple[str, Unit], Ask] = {}
        self._known: dict[bytes, Floats] = {}

    def sweep(self, removal: Removal, ranks: Ranks, *, insert: bool = False) -> Sweep:
        """Remove the unit of rank 0 first, and say what the network says at each step."""
        return self.sweeps(removal, [ranks], insert=insert)[0]

    def sweeps(
        self, removal: Removal, orders: Sequence[Ranks], *, insert: bool = False
    ) -> list[Sweep]:
        """Return one sweep per order; the steps of all go through the network together."""
        counts = [counts_of(removal.steps, int((ranks >= 0).sum())) for ranks in orders]
        pairs = zip(orders, counts, strict=True)
        masks = (mask for ranks, steps in pairs for mask in _masks(ranks, steps, insert))
        logits, probabilities = self._hidden(removal, masks, sum(map(len, counts)))
        found, start = [], 0
        for steps in counts:
            part = slice(start, start := start + len(steps))
            fractions = steps / max(int(steps[-1]), 1)
            found.append(Sweep(fractions, logits[part], probabilities[part]))
        return found

    def hidden(self, removal: Removal, masks: Iterable[Mask]) -> tuple[Floats, Floats]:
        """Return logits and probabilities (n, classes), each with the True units removed."""
        return self._hidden(removal, masks, _count(masks))

    def _hidden(self, removal: Removal, masks: Iterable[Mask], count: int) -> tuple[Floats, Floats]:
        run = self._run("removing")
        keys: list[bytes] = []
        new: list[bytes] = []
        fresh = self._fresh(removal, masks, keys, new)
        logits = self._logits(run, self._ask(run, removal), fresh, count)
        self._known.update(zip(new, logits, strict=True))
        rows = [self._known[key] for key in keys]
        return self._answers(run, np.array(rows).reshape(len(rows), self._model.classes))

    def answers(self, images: Iterable[NDArray[np.float32]]) -> tuple[Floats, Floats]:
        """Return logits and probabilities (n, classes) of inputs (c f h w)."""
        run = self._run("asking the network")

        def ask(batch: Tensor) -> Tensor:
            return logits_of(run, self._model.prepared(batch))

        items = (torch.from_numpy(np.ascontiguousarray(image)) for image in images)
        return self._answers(run, self._logits(run, ask, items, _count(images)))

    def _run(self, word: str) -> ForwardPass:
        """Return the pass of the image, on the device where the network is now."""
        if self._pass is None or self._pass.image.device != self._model.device:
            self._asks.clear()
            self._pass = self._model.forward(torch.from_numpy(self.image)[None])
        run = self._pass.asked(Ticks(self._progress, 0, word), Objective(output=self._model.output))
        if not self._half:
            answer = run.objective.class_logits(run.logits.detach().cpu().double())
            self._known.setdefault(_NOTHING, answer.numpy())
        return run

    def _logits(self, run: ForwardPass, ask: Ask, items: Iterable[Tensor], count: int) -> Floats:
        """Return one logit per class (n, classes) of whatever `ask` maps to logits."""
        classes = range(self._model.classes)
        found: Floats = asked_in_batches(run, self._rounded(ask), items, count, classes).numpy()
        self.asked += len(found)
        return found

    def _rounded(self, ask: Ask) -> Ask:
        if not self._half:
            return ask

        def asked(items: Tensor) -> Tensor:
            with torch.autocast(self._model.device.type, torch.bfloat16):
                return ask(items)

        return asked

    def _answers(self, run: ForwardPass, logits: Floats) -> tuple[Floats, Floats]:
        each = torch.from_numpy(logits)
        raw = each[:, -1:] if self._model.output == "binary" else each
        probabilities: Floats = run.objective.probabilities(raw).numpy()
        return logits, probabilities

    def _fresh(
        self, removal: Removal, masks: Iterable[Mask], keys: list[bytes], new: list[bytes]
    ) -> Iterator[Tensor]:
        """Yield the masks whose answers are not known; note the keys of all, and of these."""
        pending = set(self._known)
        for mask in masks:
            key = _key(removal, mask)
            keys.append(key)
            if key not in pending:
                pending.add(key)
                new.append(key)
                yield torch.from_numpy(mask.ravel()).to(self._model.device)

    def _ask(self, run: ForwardPass, removal: Removal) -> Ask:
        """Return what maps masks of units (b n) to logits, made once for each baseline."""
        key = removal.substrate, removal.unit
        if key not in self._asks:
            make = self._imputing if removal.substrate == "road" else self._hiding
            self._asks[key] = make(run, removal)
        return self._asks[key]

    def _hiding(self, run: ForwardPass, removal: Removal) -> Ask:
        substrate = self._ground(run).substrate(removal.substrate)
        return Hiding(run, substrate, self._cells(removal.unit)).logits

    def _imputing(self, run: ForwardPass, removal: Removal) -> Ask:
        ground, cells = self._ground(run), self._cells(removal.unit)
        numbers = box_numbers(run.image.shape[2:], cells.size, cells.shape).to(run.image.device)
        noise = road.NOISE * run.image.std() * ground.drawn()

        def ask(hidden: Tensor) -> Tensor:
            removed = hidden[:, numbers]
            images = road.filled(run.image, removed, ground.mean)
            return logits_of(run, torch.where(removed[:, None], images + noise, images))

        return ask

    def _ground(self, run: ForwardPass) -> Ground:
        image = run.image
        valid = np.ones(image.shape[2:], bool) if self._valid is None else self._valid
        twin = None if self._twin is None else torch.from_numpy(self._twin)[None].to(image)
        return Ground(image, torch.from_numpy(valid).to(image.device), twin, self._seed)

    def _cells(self, unit: Unit) -> Cells:
        network = self._model.spec.network
        if unit == "voxel":
            return Cells.voxels(self.image.shape[1:])
        return Cells.tiling(network.token_grid, network.patch or (1, 1, 1))


def _masks(ranks: Ranks, counts: NDArray[np.int64], insert: bool) -> Iterator[Mask]:
    """Yield what is removed (units) at each step of a sweep."""
    for count in counts:
        yield ranks >= count if insert else (ranks >= 0) & (ranks < count)


def _key(removal: Removal, mask: Mask) -> bytes:
    """Return a key that is the same when the same is removed, and something else stands there."""
    if not mask.any():
        return _NOTHING
    digest = blake2b(np.packbits(mask).tobytes(), digest_size=16).digest()
    return f"{removal.substrate} {removal.unit} ".encode() + digest


def _count(items: Iterable[object]) -> int:
    return len(items) if isinstance(items, Sized) else 0
