"""The nouns that flow through the project: volume, request, token map, explanation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.errors import MethodError, VolumeError, unknown_name

if TYPE_CHECKING:
    from g3dvit_napari.core.scaled_map import ScaledMap

AffineSource = Literal["sform", "qform", "file", "assumed", "array"]
Status = Literal["ok", "constant", "zero", "not finite", "rounding noise"]
Stage = Literal["patches", "voxels"]
ThresholdKind = Literal["keep", "mass", "otsu", "value", "absolute", "none"]
ObjectiveKind = Literal["logit", "probability", "log_probability", "contrast"]
Output = Literal["classes", "binary", "regression"]
Origin = Literal["network", "kept pass", "memory"]


@dataclass(frozen=True, eq=False)
class Source:
    """The file a volume came from: how it stores the array, and what its header claims.

    `affine` and `shape` are those of the file's own axis order; `orientation` are its axis codes.
    """

    name: str
    shape: tuple[int, ...]
    affine: NDArray[np.float64]
    orientation: str
    affine_source: AffineSource
    sform_code: int = 0
    qform_code: int = 0
    sha256: str = ""
    frame: str = ""  # in words: "mean of 140 frames", "frame 70 of 140"; empty for a 3-D file
    repetition_time: float | None = None  # seconds
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Volume:
    """A 3-D array with its place in the head.

    Parameters
    ----------
    data
        Array (x, y, z), in the closest RAS+ order of axes: x runs to the right, y to the front,
        z upwards (obliquity stays in the affine).
    affine
        4 x 4, voxel centre (i, j, k) to world millimetres, RAS+.
    name
        Short name without folders.
    source
        Where the values came from; None for arrays made in memory.
    """

    data: NDArray[Any]
    affine: NDArray[np.float64]
    name: str = "volume"
    source: Source | None = None

    def __post_init__(self) -> None:
        if self.data.ndim != 3:
            raise VolumeError(
                f"expected a 3-D volume, got shape {tuple(self.data.shape)}; "
                "pick one frame of a 4-D series first"
            )
        if self.affine.shape != (4, 4) or not np.isfinite(self.affine).all():
            raise VolumeError(f"expected a finite 4 x 4 affine, got {self.affine.tolist()}")
        if abs(np.linalg.det(self.affine[:3, :3])) < 1e-12:
            raise VolumeError("the affine is singular: a voxel has no volume; repair the header")

    def like(self, data: NDArray[Any], name: str | None = None) -> Volume:
        """Return other values on the same grid."""
        if data.shape != self.data.shape:
            raise VolumeError(f"expected shape {self.data.shape}, got {data.shape}")
        return replace(self, data=data, name=name or self.name)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along x, y, z."""
        x, y, z = self.data.shape
        return x, y, z

    @property
    def spacing_mm(self) -> NDArray[np.float64]:
        """Distance between neighbouring voxel centres along each axis, in mm."""
        spacing: NDArray[np.float64] = np.linalg.norm(self.affine[:3, :3], axis=0)
        return spacing


@dataclass(frozen=True)
class Threshold:
    """Which part of a map is shown.

    kind
        "keep" the strongest `amount` per cent; "mass": the fewest places that hold `amount` per
        cent of the relevance; "otsu": by Otsu's rule inside the head; a "value" on the scale of
        what is shown (0 to 1); an "absolute" value in the raw map's own units; or "none". For
        signed maps sizes count, not values.
    stage
        Cut on "patches" before upsampling (as published) or on "voxels" after it.
    """

    kind: ThresholdKind = "keep"
    amount: float = 5.0
    stage: Stage = "voxels"


@dataclass(frozen=True)
class Prediction:
    """What the network says about one volume.

    One logit and one probability per class. A yes/no head of a single logit z counts as the two
    (-z, z); a regression has one value and no probability (NaN).
    """

    logits: tuple[float, ...]
    probabilities: tuple[float, ...]
    class_names: tuple[str, ...]

    @property
    def predicted(self) -> int:
        """The class with the largest logit."""
        return int(np.argmax(self.logits))

    def number_of(self, target: int | str | None) -> int:
        """Return the number of a class given by number or name; None is the predicted one."""
        return self.predicted if target is None else class_number(target, self.class_names)


def class_number(target: int | str, names: Sequence[str]) -> int:
    """Return the number of a class given by number or name.

    Raises
    ------
    MethodError
        When there is no such class.
    """
    if isinstance(target, str) and target in names:
        return list(names).index(target)
    if isinstance(target, str) and not target.isdigit():
        raise MethodError(unknown_name("class", target, names))
    last = len(names) - 1
    if not 0 <= int(target) <= last:
        raise MethodError(f"class {target} does not exist; the network has 0 to {last}")
    return int(target)


@dataclass(frozen=True)
class ExplanationRequest:
    """What is asked for; small, comparable, and written as JSON beside every result."""

    method: str = "g3dvit"
    target: int | str | None = None  # None: the predicted class
    parameters: Mapping[str, Any] = field(default_factory=dict)
    threshold: Threshold = field(default_factory=Threshold)
    objective: ObjectiveKind = "logit"
    against: int | str | None = None  # the other class of a contrast


@dataclass(frozen=True, eq=False)
class TokenMaps:
    """What a method returns: one raw, signed map per asked class, before any post-processing.

    values
        (classes, f, h, w) float64, in the order of the tensor's spatial axes.
    magnitude
        Same shape: the sum of the absolute terms behind each value. Where a value is as small as
        the rounding error of that sum it is noise, and must not be scaled into a picture.
    cells
        Where the values lie in the input; None: one per patch.
    figures
        Per class, what the method measured of itself: a completeness error, a standard error.
    remarks
        What a user should know of how the maps came about.
    """

    values: NDArray[np.float64]
    magnitude: NDArray[np.float64]
    cells: Cells | None = None
    figures: tuple[Mapping[str, float], ...] = ()
    remarks: tuple[str, ...] = ()

    def of_class(self, row: int) -> TokenMaps:
        """Return the one map (f h w) of the class at a row, with its figures."""
        figures = self.figures[row : row + 1]
        return replace(
            self, values=self.values[row], magnitude=self.magnitude[row], figures=figures
        )


@dataclass(frozen=True, eq=False)
class Explanation:
    """One answer to one request, aligned with the volume it explains.

    patch_map
        Raw and signed, on the patch grid, before any post-processing.
    relevance
        On the input's own grid, as shown: scaled (unsigned 0 to 1, signed -1 to 1), thresholded,
        NaN where the network never looked.
    field_of_view
        uint8 on the input's own grid: 1 where the network looked.
    scaled
        The same map before any cut, and where it lies; other thresholds are read from it.
    cut
        The threshold on the scaled map that `request.threshold` came to; None when nothing is cut.
    figures
        What the method measured of itself, such as its completeness error.
    origin
        Whether the network's forward pass was run for it, kept from an earlier question about the
        same input, or the whole answer was known already.
    """

    request: ExplanationRequest
    prediction: Prediction
    patch_map: Volume
    relevance: Volume
    field_of_view: Volume
    scaled: ScaledMap
    target: int
    cut: float | None
    status: Status
    message: str
    seconds: float
    provenance: Mapping[str, Any]
    figures: Mapping[str, float] = field(default_factory=dict)
    origin: Origin = "network"

    @property
    def signed(self) -> bool:
        """Whether negative values mean something (evidence against the class)."""
        return self.scaled.signed

    @property
    def target_name(self) -> str:
        """The name of the explained class."""
        return self.prediction.class_names[self.target]

    @property
    def predicted(self) -> int:
        """The class with the largest logit."""
        return self.prediction.predicted

    @property
    def probability(self) -> float:
        """The network's probability of the explained class."""
        return self.prediction.probabilities[self.target]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is doubtful about the file, its fit to the network, or the computation."""
        source = self.relevance.source
        return (source.warnings if source else ()) + tuple(self.provenance.get("warnings", ()))
