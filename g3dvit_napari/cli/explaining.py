"""g3dvit explain: volume after volume, going on where one of them fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from g3dvit_napari.cli import terminal
from g3dvit_napari.cli.method_options import Cut, threshold_for, typed_parameters
from g3dvit_napari.core.errors import G3DViTError, MethodError, VolumeError

if TYPE_CHECKING:
    from g3dvit_napari.api import Explanation, Volume
    from g3dvit_napari.core.progress import Progress

Ask = Callable[["Volume", "Progress"], "Explanation"]

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
    frame: str | None
    out: Path


def explain_volumes(order: Order, *, as_json: bool) -> int:
    """Explain every volume of an order, report, and return the exit code."""
    _refuse_twins(order.volumes)
    results: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    with terminal.ProgressLine(len(order.volumes)) as line:
        line.begin("loading the network")
        ask = _prepared(order)
        order.out.mkdir(parents=True, exist_ok=True)
        for path in order.volumes:
            line.begin(path.name)
            try:
                for record in _explain_file(path, order, ask, line.update):
                    results.append(record)
                    if not as_json:
                        terminal.show_result(record)
            except (G3DViTError, OSError) as error:
                failed.append({"volume": str(path), "error": str(error)})
                terminal.complain(f"{path.name}: {error}")
            line.finish()
    if as_json:
        terminal.print_json({"results": results, "failed": failed})
    if not failed:
        return ALL_DONE
    return SOME_FAILED if results else NONE_DONE


def _prepared(order: Order) -> Ask:
    """Check the order, load the network, and return what every volume goes through."""
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
            progress=progress,
            **parameters,
        )

    return ask


def _explain_file(
    path: Path, order: Order, ask: Ask, progress: Progress
) -> Iterator[dict[str, Any]]:
    from g3dvit_napari import api

    for volume in _volumes_of(path, order.frame):
        explanation = ask(volume, progress)
        files = api.save(explanation, order.out)
        yield _record(path, volume, explanation, files)


def _volumes_of(path: Path, frame: str | None) -> Iterator[Volume]:
    from g3dvit_napari import api

    if frame is None:
        yield api.load_volume(path)
    else:
        yield from api.load_frames(path, frame)


def _record(
    path: Path, volume: Volume, explanation: Explanation, files: list[Path]
) -> dict[str, Any]:
    prediction = explanation.prediction
    return {
        "volume": str(path),
        "frame": volume.source.frame if volume.source else "",
        "method": explanation.request.method,
        "target": explanation.target,
        "target_name": explanation.target_name,
        "probability": explanation.probability,
        "predicted": explanation.predicted,
        "predicted_name": prediction.class_names[explanation.predicted],
        "status": explanation.status,
        "message": explanation.message,
        "cut": explanation.cut,
        "seconds": round(explanation.seconds, 3),
        "files": [str(file) for file in files],
    }


def _refuse_twins(paths: Iterable[Path]) -> None:
    twins = [name for name, count in Counter(path.name for path in paths).items() if count > 1]
    if twins:
        raise VolumeError(
            f"{len(twins)} file names occur twice, such as {twins[0]!r}: their results would "
            "replace each other; explain them into different folders (--out)"
        )
