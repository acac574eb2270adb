"""The public face: load a volume and a network, explain, cut again, judge, save.

Every front end goes through here. These modules put the parts together and compute nothing
themselves; torch is imported on the first use of a network, so that reading a volume stays quick.
"""

from g3dvit_napari import summaries
from g3dvit_napari.api.evaluating import evaluate
from g3dvit_napari.api.explaining import explain, explain_classes, predict, rethreshold, why_not
from g3dvit_napari.api.files import (
    inspect_checkpoint,
    load_frames,
    load_model,
    load_volume,
    save,
)
from g3dvit_napari.api.passes import Passes, passes_of
from g3dvit_napari.core.score import Judgement, Score
from g3dvit_napari.core.spec import ModelSpec
from g3dvit_napari.core.types import (
    Explanation,
    ExplanationRequest,
    Prediction,
    Threshold,
    Volume,
)
from g3dvit_napari.io.atlas import read_atlas as load_atlas
from g3dvit_napari.io.scores import save_scores
from g3dvit_napari.io.tables import save_table
from g3dvit_napari.methods import METHODS
from g3dvit_napari.metrics import METRICS
from g3dvit_napari.models.device import device_state, usual_device
from g3dvit_napari.models.randomised import randomised

__all__ = [
    "METHODS",
    "METRICS",
    "Explanation",
    "ExplanationRequest",
    "Judgement",
    "ModelSpec",
    "Passes",
    "Prediction",
    "Score",
    "Threshold",
    "Volume",
    "device_state",
    "evaluate",
    "explain",
    "explain_classes",
    "inspect_checkpoint",
    "load_atlas",
    "load_frames",
    "load_model",
    "load_volume",
    "passes_of",
    "predict",
    "randomised",
    "rethreshold",
    "save",
    "save_scores",
    "save_table",
    "summaries",
    "usual_device",
    "why_not",
]
