"""A stand-in for the facade: no PyTorch, answers at once, and can be told to be slow or to fail."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import made_scores
from made_heads import explanation_of

from g3dvit_napari import summaries
from g3dvit_napari.core.device import DeviceState
from g3dvit_napari.core.errors import CheckpointError
from g3dvit_napari.core.registry import Entry, Parameter
from g3dvit_napari.core.score import Judgement, Score
from g3dvit_napari.core.types import (
    Explanation,
    ExplanationRequest,
    ObjectiveKind,
    Prediction,
    Threshold,
    Volume,
)
from g3dvit_napari.io.atlas import read_atlas
from g3dvit_napari.io.nifti import read_volume
from g3dvit_napari.io.tables import save_table


def _first() -> None:
    """Weigh tokens."""


def _exact() -> None:
    """Share the logit out."""


POOLING = Literal["mean", "max", "abs_mean"]
ENTRIES = {
    entry.name: entry
    for entry in (
        Entry(
            "g3dvit",
            "G3D-ViT",
            _first,
            (
                Parameter("pooling", "mean", POOLING, {}, "How gradients are pooled."),
                Parameter("block", -1, int, {}, "Which block."),
            ),
            keep_stage="patches",
        ),
        Entry(
            "libra_grad",
            "LibraGrad",
            _exact,
            (),
            signed=True,
            needs=frozenset({"features"}),
            cost="one pass",
        ),
        Entry(
            "occlusion",
            "Occlusion",
            _exact,
            (
                Parameter("size", 3, int, {"min": 1, "max": 9}),
                Parameter("fill", 0.5, float, {"min": 0.0, "max": 1.0, "step": 0.25}),
                Parameter("soft", True, bool),
                Parameter("label", "x", str),
            ),
            cost="many passes",
        ),
        Entry("rollout", "Rollout", _first, (), class_specific=False),
    )
}


@dataclass
class Handle:
    """What the form asks of a network."""

    class_names: tuple[str, ...] = ("healthy", "lesion")
    blocks: int = 3
    output: str = "classes"
    checkpoint: Mapping[str, Any] = field(default_factory=lambda: {"notes": ("prefix stripped",)})

    def summary(self) -> dict[str, str]:
        return {
            "architecture": "vit_3d",
            "image": "30 × 40 × 24",
            "patch": "5 × 5 × 4",
            "patches": "6 × 8 × 6",
            "classes": ", ".join(self.class_names),
            "parameters": "1,234",
            "device": "cpu",
        }


class StandIn:
    """Has the names of `g3dvit_napari.api`; remembers how it was called."""

    METHODS = ENTRIES
    METRICS = made_scores.METRICS
    summaries = summaries
    load_atlas = staticmethod(read_atlas)
    save_table = staticmethod(save_table)

    def __init__(self, reasons: Mapping[str, str] | None = None) -> None:
        self.reasons = dict(reasons or {})
        self.calls: list[dict[str, Any]] = []
        self.threads: set[int] = set()
        self.steps, self.pause = 1, 0.0
        self.work: Callable[[float], object] = time.sleep
        self.error: Exception | None = None
        self.status = "ok"
        self.handle = Handle()
        self.broken: set[str] = set()  # checkpoints that cannot be read
        self.scores: dict[str, Score] = dict(made_scores.SCORES)
        self.stopped = self.running = self.most_at_once = 0

    def load_model(self, path: str, spec: str | None, device: str) -> Handle:
        self._called("load_model", path=path, spec=spec, device=device)
        if path in self.broken:
            raise CheckpointError(f"{path} is damaged; copy it again")
        return self.handle

    def randomised(self, model: Handle, seed: int, down_to: int | None) -> Handle:
        self._called("randomised", seed=seed, down_to=down_to)
        return model

    def device_state(self, model: Handle | None) -> DeviceState:
        self.threads.add(threading.get_ident())
        name, threads = ("CPU", 2) if model else ("", 0)
        return DeviceState(name, 3 << 30, 8 << 30, threads)

    def why_not(self, name: str, _model: Handle) -> str | None:
        return self.reasons.get(name)

    def explain(
        self,
        volume: Volume,
        model: Handle,
        method: str,
        target: int | None,
        *,
        threshold: Threshold,
        objective: ObjectiveKind,
        against: int | None,
        progress: Callable[[float, str], None],
        **parameters: Any,
    ) -> Explanation:
        asked = {"objective": objective, "against": against}
        self._called("explain", method=method, target=target, volume=volume, **asked, **parameters)
        assert model is self.handle
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            for step in range(self.steps):
                progress(step / self.steps, "running the network")
                self.work(self.pause)
        except BaseException:
            self.stopped += 1
            raise
        finally:
            self.running -= 1
        number = 1 if target is None else target
        made = explanation_of(
            volume,
            threshold=threshold,
            target=number,
            status=self.status,
            signed=ENTRIES[method].signed,
        )
        request = ExplanationRequest(method, number, parameters, threshold, objective, against)
        return replace(made, request=request)

    def evaluate(
        self,
        volume: Volume,
        model: Handle,
        methods: tuple[str | Explanation, ...],
        target: int,
        *,
        metrics: tuple[str, ...],
        progress: Callable[[float, str], None],
        between: Callable[[], None],
        **masks: Any,
    ) -> list[Judgement]:
        assert model is self.handle
        self._called("evaluate", methods=methods, target=target, metrics=metrics, **masks)
        found = []
        for one in methods:
            made = one if not isinstance(one, str) else None
            if made is None:
                asked = ExplanationRequest(one, target)
                made = replace(explanation_of(volume, target=target), request=asked)
            for name in metrics:
                between()
                for step in range(self.steps):
                    progress(step / self.steps, f"{made.request.method}: {name}")
                    self.work(self.pause)
            scores = tuple(made_scores.score_of(name, self.scores) for name in metrics)
            found.append(Judgement(made, scores))
        return found

    def passes_of(
        self, _model: Handle, _made: Explanation, methods: tuple[str, ...], metrics: tuple[str, ...]
    ) -> Any:
        self._called("passes_of", methods=methods, metrics=metrics)
        return made_scores.counted(metrics)

    def save_scores(self, judgements: tuple[Judgement, ...], folder: str) -> list[Path]:
        self._called("save_scores", folder=folder, judgements=judgements)
        return [Path(folder) / "map_scores.json"]

    def predict(
        self, volume: Volume, model: Handle, progress: Callable[[float, str], None]
    ) -> Prediction:
        self._called("predict", volume=volume)
        assert model is self.handle
        for step in range(self.steps):
            progress(step / self.steps, "running the network")
            self.work(self.pause)
        return explanation_of(volume).prediction

    def rethreshold(self, explanation: Explanation, threshold: Threshold) -> Explanation:
        self._called("rethreshold", threshold=threshold)
        shown, cut = explanation.scaled.shown(threshold)
        return replace(
            explanation,
            request=replace(explanation.request, threshold=threshold),
            relevance=explanation.relevance.like(shown),
            cut=cut,
        )

    def load_volume(self, path: Path) -> Volume:
        self._called("load_volume", path=path)
        return read_volume(path)

    def save(self, _explanation: Explanation, folder: str) -> list[Path]:
        self._called("save", folder=folder)
        return [Path(folder) / "map.json"]

    def of(self, verb: str) -> list[dict[str, Any]]:
        """Return the calls of one verb."""
        return [call for call in self.calls if call["verb"] == verb]

    def _called(self, verb: str, **arguments: Any) -> None:
        self.threads.add(threading.get_ident())
        self.calls.append({"verb": verb, **arguments})
        if self.error is not None:
            raise self.error
