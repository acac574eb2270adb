"""What metrics said of the maps of one volume, as a table and as a document."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from g3dvit_napari.core.errors import VolumeError
from g3dvit_napari.core.jsonable import jsonable
from g3dvit_napari.core.score import Judgement, Score
from g3dvit_napari.io.atomic import replacing
from g3dvit_napari.io.results import entities_of

COLUMNS = (
    "volume",
    "class",
    "probability",
    "method",
    "status",
    "metric",
    "value",
    "chance",
    "ceiling",
    "better",
    "flags",
    "reason",
    "settings",
)


def save_scores(
    judgements: Sequence[Judgement], folder: str | Path, stem: str | None = None
) -> list[Path]:
    """Write the scores of one volume: a CSV with a row per score, and a JSON document with all.

    The files are `STEM_scores.csv` and `STEM_scores.json`, the latter with the curves and with
    where every map came from. Files of the same name are replaced.

    Raises
    ------
    VolumeError
        When nothing was judged, or a file cannot be written.
    """
    if not judgements:
        raise VolumeError("there is nothing to write: no method was judged")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    start = stem or stem_of(judgements)
    targets = [folder / f"{start}_scores.{kind}" for kind in ("csv", "json")]
    with replacing(*targets) as (table, document):
        with table.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(_row(one, score) for one in judgements for score in one.scores)
        text = json.dumps(document_of(judgements), indent=2, allow_nan=False)
        document.write_text(text + "\n", encoding="utf-8")
    return targets


def stem_of(judgements: Sequence[Judgement]) -> str:
    """Return how the names of all files about one volume begin."""
    return entities_of(_volume_name(judgements[0]))


def document_of(judgements: Sequence[Judgement]) -> dict[str, Any]:
    """Return all that is known, for JSON: what is not finite becomes null."""
    first = judgements[0].explanation
    return {
        "volume": _volume_name(judgements[0]),
        "target": first.target,
        "target_name": first.target_name,
        "probability": jsonable(first.probability),
        "predicted": first.predicted,
        "provenance": jsonable(first.provenance),
        "methods": [_of_method(one) for one in judgements],
    }


def _of_method(one: Judgement) -> dict[str, Any]:
    found = one.explanation
    return {
        "method": found.request.method,
        "parameters": jsonable(found.request.parameters),
        "status": found.status,
        "message": found.message,
        "scores": [_of_score(score) for score in one.scores],
    }


def _of_score(score: Score) -> dict[str, Any]:
    return {
        "metric": score.metric,
        "value": jsonable(score.value),
        "chance": jsonable(score.chance),
        "ceiling": jsonable(score.ceiling),
        "better": score.direction,
        "flags": list(score.flags),
        "reason": score.reason,
        "settings": jsonable(score.settings),
        "curves": {
            name: {
                "fractions": jsonable(curve.fractions),
                "values": jsonable(curve.values),
                **({"labels": list(curve.labels)} if curve.labels else {}),
            }
            for name, curve in score.curves.items()
        },
    }


def _row(one: Judgement, score: Score) -> list[object]:
    found = one.explanation
    settings = ";".join(f"{name}={value}" for name, value in score.settings.items())
    numbers = [_cell(n) for n in (score.value, score.chance, score.ceiling)]
    return [
        _volume_name(one),
        found.target_name,
        _cell(found.probability),
        found.request.method,
        found.status,
        score.metric,
        *numbers,
        score.direction,
        " ".join(score.flags),
        score.reason,
        settings,
    ]


def _cell(number: float | None) -> str:
    return "" if number is None or not math.isfinite(number) else f"{number:.6g}"


def _volume_name(one: Judgement) -> str:
    volume = one.explanation.scaled.placement.volume
    return volume.source.name if volume.source else volume.name
