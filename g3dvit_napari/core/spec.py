"""The model spec: what a network is, and how a volume must be prepared for it.

A spec is a small YAML file next to the checkpoint. What the weights decide may be left out of
`network`; what they cannot decide (patch shape, heads, pooling, axis order, orientation,
intensity) must stand there: it is asked for, never guessed.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from g3dvit_napari.core.errors import SpecError, unknown_name

Triple = tuple[int, int, int]
Family = Literal["vit_3d", "simple_vit_3d", "swin_3d", "resnet_3d", "module"]
Fit = Literal["crop-pad", "resize-extent", "resample-to-affine"]
Intensity = Literal["zscore", "zscore-masked", "minmax", "percentile", "none"]


class _Strict(BaseModel):
    """A frozen model that refuses unknown keys, so that a typing error is not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkSpec(_Strict):
    """The network. Triples run along the tensor's spatial axes (f, h, w).

    family
        "vit_3d" and "simple_vit_3d": the layouts of vit-pytorch; "swin_3d" and "resnet_3d": those
        of MONAI; "module": a network of the user's own, handed over in Python.
    image_size, patch
        Voxels of the tensor and of one patch, along f, h, w. For "swin_3d" and "resnet_3d" a patch
        is the stride of the embedding; later stages are coarser.
    patch_order
        Order of the voxels inside a flattened patch: "legacy" (p1 p2 pf c) before vit-pytorch
        1.16.2, "new" (pf p1 p2 c) since. Keys and shapes do not tell.
    window, merging
        For "swin_3d": tokens of an attention window along f, h, w, and the order in which eight
        neighbours are merged: MONAI's "mergingv2", its "merging" (since 1.5), or "merging-legacy",
        what "merging" meant before.
    stride, max_pool
        For "resnet_3d": the stride of the first convolution, and whether a max pooling follows.
    norm
        For "module" only: dotted name of the layer norm in front of the last attention; found by
        running the network when it is not given.
    output
        What a single logit means: "binary" (positive speaks for class 1; the default) or a
        "regression" value. Several logits are "classes".
    """

    family: Family | None = None
    image_size: Triple | None = None
    patch: Triple | None = None
    channels: int | None = Field(None, ge=1)
    classes: int | None = Field(None, ge=1)
    dim: int | None = Field(None, ge=1)
    depth: int | None = Field(None, ge=1)
    heads: int | None = Field(None, ge=1)
    dim_head: int | None = Field(None, ge=1)
    mlp_dim: int | None = Field(None, ge=1)
    pool: Literal["cls", "mean"] | None = None
    prefix_tokens: int | None = Field(None, ge=0)
    patch_order: Literal["legacy", "new"] | None = None
    window: Triple | None = None
    merging: Literal["mergingv2", "merging", "merging-legacy"] | None = None
    stride: Triple | None = None
    max_pool: bool | None = None
    norm: str | None = None
    output: Literal["classes", "binary", "regression"] | None = None

    @property
    def drops_rest(self) -> bool:
        """Whether voxels that do not fill a patch are never looked at (others pad, or slide)."""
        return self.family in ("vit_3d", "simple_vit_3d", "module", None)

    @property
    def token_grid(self) -> Triple:
        """Patches along f, h, w; a rest that does not fill a patch carries no token."""
        if self.image_size is None or self.patch is None:
            raise SpecError("the spec has no network.image_size or network.patch; add both")
        f, h, w = (n // p for n, p in zip(self.image_size, self.patch, strict=True))
        return f, h, w


class InputSpec(_Strict):
    """How a volume becomes the tensor. Triples run along the array axes (x, y, z).

    orientation
        Axis codes the array must have before the tensor, such as "LAS"; "stored" keeps the order
        of the file.
    fit
        "crop-pad": take `image_size` voxels from `crop_start` (negative: pad; null: centred).
        "resize-extent": stretch the whole field of view. "resample-to-affine": sample at `affine`
        (of the model grid, world mm).
    intensity
        Computed over `intensity_scope`: the fitted array ("crop") or the whole volume ("volume").
        z-score divides by (std + eps) with `std_ddof`; "zscore-masked" uses voxels above zero.
    tensor_axes
        Which array axis becomes f, h and w, such as "zxy".
    """

    orientation: str | None = None
    voxel_size: tuple[float, float, float] | None = None
    fit: Fit = "crop-pad"
    crop_start: Triple | None = None
    affine: tuple[tuple[float, float, float, float], ...] | None = None
    pad_value: float = 0.0
    intensity: Intensity | None = None
    intensity_scope: Literal["crop", "volume"] = "crop"
    percentiles: tuple[float, float] = (1.0, 99.0)
    std_ddof: Literal[0, 1] = 0
    eps: float = Field(1e-8, ge=0)
    clip: tuple[float, float] | None = None
    tensor_axes: Literal["xyz", "xzy", "yxz", "yzx", "zxy", "zyx"] | None = None
    frame: str = "mean"

    @field_validator("orientation")
    @classmethod
    def _known_codes(cls, value: str | None) -> str | None:
        if value is None or value == "stored":
            return value
        pairs = {frozenset("LR"), frozenset("PA"), frozenset("IS")}
        letters = value.upper()
        if len(letters) != 3 or {p for p in pairs for c in letters if c in p} != pairs:
            raise ValueError(f"orientation must be axis codes such as LAS, got {value!r}")
        return letters


class ModelSpec(_Strict):
    """Everything needed to repeat an explanation that is not in the weights."""

    name: str = "model"
    description: str = ""
    network: NetworkSpec = Field(default_factory=NetworkSpec)
    input: InputSpec = Field(default_factory=InputSpec)
    class_names: tuple[str, ...] | None = None

    def merged(self, network: NetworkSpec) -> ModelSpec:
        """Return this spec with its network replaced, everything else kept."""
        return self.model_copy(update={"network": network})

    @property
    def missing(self) -> tuple[str, ...]:
        """What must still be decided before a volume can be prepared, as dotted names."""
        needed = {
            "network.image_size": self.network.image_size,
            "network.patch": self.network.patch,
            "input.orientation": self.input.orientation,
            "input.intensity": self.input.intensity,
            "input.tensor_axes": self.input.tensor_axes,
        }
        return tuple(name for name, value in needed.items() if value is None)

    def to_xyz(self, triple: Triple) -> Triple:
        """Reorder a triple from tensor axes (f, h, w) to array axes (x, y, z)."""
        axes = self.input.tensor_axes or "xyz"
        x, y, z = (triple[axes.index(letter)] for letter in "xyz")
        return x, y, z

    def to_yaml(self) -> str:
        """Return the spec as YAML, without what is not set."""
        return yaml.safe_dump(
            self.model_dump(mode="json", exclude_none=True), sort_keys=False, width=100
        )


def preset_names() -> list[str]:
    """Return the names of the presets that ship with the package."""
    folder = files("g3dvit_napari.core") / "presets"
    return sorted(p.name.removesuffix(".yaml") for p in folder.iterdir())


def read_spec(source: str | Path | ModelSpec) -> ModelSpec:
    """Return the spec that a preset name, a YAML path or a spec stands for.

    Raises
    ------
    SpecError
        When the name is no preset, the file does not exist or a field is wrong.
    """
    if isinstance(source, ModelSpec):
        return source
    if str(source) in preset_names():
        text = (files("g3dvit_napari.core") / "presets" / f"{source}.yaml").read_text("utf-8")
        return _parse(text, str(source))
    path = Path(source)
    if path.suffix not in {".yaml", ".yml"}:
        raise SpecError(unknown_name("preset or YAML file", str(source), preset_names()))
    if not path.is_file():
        raise SpecError(f"there is no spec file {path.name!r}; check the path")
    if path.stat().st_size > 1_000_000:
        raise SpecError(f"{path.name} is larger than 1 MB: that is no model spec")
    return _parse(path.read_text("utf-8", errors="replace"), path.name)


def spec_beside(checkpoint: Path) -> Path | None:
    """Return the spec file next to a checkpoint, or None.

    `model.spec.yaml` always counts; `model.yaml` and `model.yml` only when they hold a section
    `network` or `input`, because training configurations like those names, too.
    """
    stem = checkpoint.with_suffix("")
    if (named := stem.with_name(f"{stem.name}.spec.yaml")).is_file():
        return named
    plain = (stem.with_name(stem.name + ending) for ending in (".yaml", ".yml"))
    return next((path for path in plain if path.is_file() and _looks_like_spec(path)), None)


def _looks_like_spec(path: Path) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        start = file.read(100_000)
    return any(line.startswith(("network:", "input:")) for line in start.splitlines())


def _parse(text: str, name: str) -> ModelSpec:
    try:
        fields: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SpecError(f"{name} is not valid YAML: {error}") from error
    if not isinstance(fields, dict):
        raise SpecError(f"{name} must hold the sections 'network' and 'input', got {fields!r:.60}")
    try:
        return ModelSpec.model_validate(fields)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']} (found {e['input']!r:.60})"
            for e in error.errors()
        )
        raise SpecError(f"{name}: {problems}") from error
