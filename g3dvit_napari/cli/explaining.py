"""g3dvit explain: volume after volume, going on where one of them fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from g3dvit_napari.cli import terminal
from g3dvit_napari.cli.method_options import Cut, threshold_for, typed_parameters
from g3dvit_napari.core.errors import G3DViTError, MethodError, VolumeError

if TYPE_CHECKING:
    from g3dvit_napari.api import Explanation, Volume
    from g3dvit_napari.core.progress import Progress
    from g3dvit_napari.core.types import ObjectiveKind

Ask = Callable[..., "Explanation"]  # volume, progress

ALL_DONE, SOME_FAILED, NONE_DONE = 0, 1, 2


@dataclass(frozen=True)
class Order:
    """What one command line asks for."""

    volumes: list[Path]
    model: Path
    spec: str | None
    device: str
    method: str
    options: Mapping[str, str]  # of the method, as typed
    own_options: Iterable[str]  # of the command, for suggestions
    target: str | None
    cut: Cut
    objective: ObjectiveKind
    against: str | None
    frame: str | None
    out: Path


@dataclass
class _Tally:
    """What was done and what failed, told as it happens unless a machine listens."""

    as_json: bool
    results: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)

    def add(self, record: dict[str, Any]) -> None:
        """Count one explanation."""
        self.results.append(record)
        if not self.as_json:
            terminal.show_result(record)

    def add_failure(self, path: Path, error: Exception) -> None:
        """Count a volume that could not be explained to the end."""
        self.failed.append({"volume": str(path), "error": str(error)})
        terminal.complain(f"{path.name}: {error}")

    def close(self) -> int:
        """Print the document where one is asked for, and return the exit code."""
        if self.as_json:
            terminal.print_json({"results": self.results, "failed": self.failed})
        if not self.failed:
            return ALL_DONE
        return SOME_FAILED if self.results else NONE_DONE


def explain_volumes(order: Order, *, as_json: bool) -> int:
    """Explain every volume of an order, report, and return the exit code."""
    stems = _stems_of(order.volumes)
    tally = _Tally(as_json)
    with terminal.ProgressLine(len(order.volumes)) as line:
        line.begin("loading the network")
        ask, usual_frame = _prepared(order)
        order = replace(order, frame=order.frame or usual_frame)
        for path, stem in stems.items():
            line.begin(path.name)
            try:
                for record in _explained(path, stem, order, partial(ask, progress=line.update)):
                    tally.add(record)
            except (G3DViTError, OSError) as error:
                tally.add_failure(path, error)
            line.finish()
    return tally.close()


def _explained(
    path: Path, stem: str, order: Order, ask: Callable[[Volume], Explanation]
) -> Iterator[dict[str, Any]]:
    """Explain a file, frame by frame, save, and yield what is to be told of each."""
    from g3dvit_napari import api

    for volume in api.load_frames(path, order.frame or "mean"):
        explanation = ask(volume)
        files = api.save(explanation, order.out, stem)
        yield _record(path, explanation, files)


def _prepared(order: Order) -> tuple[Ask, str]:
    """Check the order, load the network; return what every volume goes through, and its frame."""
    from g3dvit_napari import api

    entry = api.METHODS[order.method]
    parameters = typed_parameters(entry, order.options, order.own_options)
    threshold = threshold_for(entry, order.cut)
    model = api.load_model(order.model, order.spec, order.device)
    if reason := api.why_not(order.method, model):
        raise MethodError(reason)

    def ask(volume: Volume, progress: Progress) -> Explanation:
        return api.explain(
            volume,
            model,
            order.method,
            order.target,
            threshold=threshold,
            objective=order.objective,
            against=order.against,
            progress=progress,
            **parameters,
        )

    return ask, model.spec.input.frame


def _record(path: Path, explanation: Explanation, files: list[Path]) -> dict[str, Any]:
    prediction, source = explanation.prediction, explanation.relevance.source
    return {
        "volume": str(path),
        "frame": source.frame if source else "",
        "method": explanation.request.method,
        "target": explanation.target,
        "target_name": explanation.target_name,
        "logit": prediction.logits[explanation.target],
        "probability": explanation.probability,
        "predicted": explanation.predicted,
        "predicted_name": prediction.class_names[explanation.predicted],
        "objective": explanation.request.objective,
        "figures": dict(explanation.figures),
        "status": explanation.status,
        "message": explanation.message,
        "warnings": list(explanation.warnings),
        "cut": explanation.cut,
        "seconds": round(explanation.seconds, 3),
        "files": [str(file) for file in files],
    }


def _stems_of(paths: Iterable[Path]) -> dict[Path, str]:
    """Return how the results of each volume begin: short, but whole where short ones coincide."""
    from g3dvit_napari.io.results import entities_of

    paths = list(paths)
    short = {path: entities_of(path.name) for path in paths}
    taken = Counter(short.values())
    whole = {path: path.name.removesuffix(".gz").rpartition(".")[0] for path in paths}
    stems = {path: whole[path] if taken[short[path]] > 1 else short[path] for path in paths}
    twins = [stem for stem, count in Counter(stems[path] for path in paths).items() if count > 1]
    if twins:
        raise VolumeError(
            f"several volumes are named {twins[0]!r}: their results would replace each other; "
            "explain them into different folders (--out)"
        )
    return stems
