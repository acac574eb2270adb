"""Where trained networks lie: weights, spec, report, named by a hash of what decides them."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import nn

from g3dvit_napari import api
from g3dvit_napari.benchmark.gate import Share
from g3dvit_napari.benchmark.training.recipe import Recipe
from g3dvit_napari.core.errors import CheckpointError
from g3dvit_napari.core.spec import ModelSpec
from g3dvit_napari.io.atomic import replacing
from g3dvit_napari.models.handle import ModelHandle

VARIABLE = "G3DVIT_CACHE"  # names another folder for trained networks


@dataclass(frozen=True)
class Report:
    """What is known of a trained network.

    accuracy, count
        Share of the test volumes that are predicted right, and how many there were.
    shares
        Per class, of which share the network uses the signal.
    by_heart
        Share of the training volumes that are predicted right, where their number is limited.
    seconds
        That training took, without drawing the test volumes.
    """

    id: str
    digest: str
    accuracy: float
    count: int
    shares: tuple[Share, ...]
    seconds: float
    loss: float
    settings: dict[str, Any]
    device: str
    versions: dict[str, str]
    by_heart: float | None = None


def usual_folder() -> Path:
    """Return the user's folder for trained networks."""
    if given := os.environ.get(VARIABLE):
        return Path(given)
    if sys.platform == "win32":
        caches = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        caches = Path.home() / "Library" / "Caches"
    else:
        caches = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return caches / "g3dvit-napari" / "benchmark"


@dataclass(frozen=True)
class Place:
    """The files of one network in a folder."""

    folder: Path
    recipe: Recipe

    def _file(self, ending: str) -> Path:
        return self.folder / f"{self.recipe.id}-{self.recipe.digest}{ending}"

    @property
    def weights(self) -> Path:
        """The checkpoint."""
        return self._file(".safetensors")

    @property
    def spec(self) -> Path:
        """The spec beside it."""
        return self._file(".spec.yaml")

    @property
    def report(self) -> Path:
        """The report; where it is, all is."""
        return self._file(".json")

    @property
    def unfinished(self) -> Path:
        """The state of a training that was stopped."""
        return self._file(".unfinished.pt")

    def save(self, network: nn.Module, spec: ModelSpec, report: Report) -> None:
        """Write all three files; the report comes last."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.weights, self.spec, self.report) as (weights, rules, words):
            state = {key: value.contiguous().cpu() for key, value in network.state_dict().items()}
            save_file(state, weights)
            rules.write_text(spec.to_yaml(), "utf-8")
            words.write_text(json.dumps(asdict(report), indent=1), "utf-8")
        self.unfinished.unlink(missing_ok=True)

    def read_report(self) -> Report:
        """Return the report.

        Raises
        ------
        CheckpointError
            When the network has not been trained here.
        """
        if not self.report.is_file():
            raise CheckpointError(
                f"no trained network {self.recipe.id} with these settings in {self.folder.name!r}; "
                "train it first (benchmark.train)"
            )
        fields = json.loads(self.report.read_text("utf-8"))
        found = tuple(Share(**share) for share in fields.pop("shares"))
        return Report(**fields, shares=found)

    def load(self, device: str) -> ModelHandle:
        """Return the network."""
        self.read_report()
        return api.load_model(self.weights, device=device)
