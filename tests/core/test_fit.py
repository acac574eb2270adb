"""A volume goes into the tensor as the spec says, and a token map comes back to its place."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch

from g3dvit_napari.core import space
from g3dvit_napari.core.cells import Cells
from g3dvit_napari.core.errors import SpecError, VolumeError
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.spec import InputSpec, ModelSpec, NetworkSpec, read_spec
from g3dvit_napari.core.types import Source, Volume

TILT = nib.eulerangles.euler2mat(0.12, -0.09, 0.2)


def make_volume(
    shape: tuple[int, int, int] = (19, 23, 17),
    spacing: tuple[float, float, float] = (2.0, 2.0, 2.0),
    *,
    oblique: bool = False,
    stored: str = "RAS",
) -> Volume:
    data = np.random.default_rng(3).random(shape).astype(np.float32)
    turn = TILT if oblique else np.eye(3)
    affine = nib.affines.from_matvec(turn @ np.diag(spacing), [-31.0, -12.5, 8.25])
    file_affine = space.affine_to_codes(affine, shape, stored)
    source = Source("made.nii.gz", shape, file_affine, stored, "sform")
    return Volume(data, affine, "made", source)


def make_spec(
    grid: tuple[int, int, int],
    patch: tuple[int, int, int],
    axes: str = "xyz",
    **rules: object,
) -> ModelSpec:
    """Grid and patch along the array axes; the spec wants them along the tensor's."""
    order = ["xyz".index(letter) for letter in axes]
    rules = {"orientation": "LAS", "intensity": "none", "tensor_axes": axes, **rules}
    network = NetworkSpec(
        image_size=tuple(grid[a] for a in order), patch=tuple(patch[a] for a in order)
    )
    return ModelSpec(network=network, input=InputSpec.model_validate(rules))


def neurovit(patch: int = 9) -> ModelSpec:
    spec = read_spec("neurovit-adni" if patch == 9 else "neurovit-adni-patch15")
    return spec.merged(spec.network.model_copy(update={"image_size": (90, 90, 90)}))


@pytest.fixture
def mni_volume() -> tuple[np.ndarray, Volume]:
    """The array as SPM stores it (LAS) and the volume as it is read (RAS+)."""
    las = np.random.default_rng(0).integers(0, 900, (91, 109, 91)).astype(np.int16)
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = (-90, -126, -72)
    return las, Volume(las[::-1].astype(np.float32), affine)


@pytest.mark.parametrize("patch", [9, 15])
def test_published_crop_is_reproduced_bit_for_bit(
    mni_volume: tuple[np.ndarray, Volume], patch: int
) -> None:
    las, volume = mni_volume
    crop = las[1:, 10:-9, 1:].astype(np.float64)
    crop = (crop - crop.mean()) / (crop.std() + 1e-8)
    expected = torch.from_numpy(crop).float().permute(2, 0, 1)[None]
    placement = Placement(volume, neurovit(patch))
    assert np.array_equal(placement.to_tensor(), expected.numpy())
    np.testing.assert_array_equal(placement.model_affine[:3, 3], (88, -106, -70))


def test_published_patch_grid_carries_its_origin(mni_volume: tuple[np.ndarray, Volume]) -> None:
    placement = Placement(mni_volume[1], neurovit())
    patches = placement.patch_volume(np.zeros((10, 10, 10)))
    las = space.affine_to_codes(patches.affine, patches.shape, "LAS")
    np.testing.assert_array_equal(las[:3, 3], (80, -98, -62))


def test_upsampling_equals_torch_trilinear(mni_volume: tuple[np.ndarray, Volume]) -> None:
    cells = np.random.default_rng(1).random((10, 10, 10)).astype(np.float32)
    up = torch.nn.functional.interpolate(
        torch.from_numpy(cells)[None, None], size=(90, 90, 90), mode="trilinear"
    )[0, 0].permute(1, 2, 0)
    expected = np.full((91, 109, 91), np.nan, np.float32)
    expected[1:, 10:-9, 1:] = up.numpy()
    native = Placement(mni_volume[1], neurovit()).to_native(cells)
    np.testing.assert_allclose(native, expected[::-1], atol=2e-6)


CASES = {
    "LAS": ((4, 8, 2), (2.0, 2.0, 2.0), False),
    "RAS": ((6, 3, 10), (2.0, 2.0, 2.0), False),
    "LPI": ((4, 8, 2), (1.0, 2.5, 3.0), False),
    "SPL": ((5, 8, 4), (3.0, 1.0, 2.0), False),
    "ARS": ((4, 8, 2), (2.0, 1.5, 2.5), True),
}


@pytest.mark.parametrize("axes", ["xyz", "zxy"])
@pytest.mark.parametrize("patch", [(5, 5, 5), (9, 9, 9), (15, 15, 15), (5, 3, 4)], ids=str)
@pytest.mark.parametrize("codes", CASES)
@pytest.mark.parametrize("fit", ["crop-pad", "resize-extent", "resample-to-affine"])
def test_hot_patch_returns_to_its_place(
    fit: str, codes: str, patch: tuple[int, int, int], axes: str
) -> None:
    """The peak lies within half a voxel of the exact world position of the patch's centre."""
    margin, spacing, oblique = CASES[codes]
    grid = tuple(3 * p for p in patch)
    ras_grid = grid_in_ras(grid, codes)
    volume = make_volume(
        tuple(n + m for n, m in zip(ras_grid, margin, strict=True)), spacing, oblique=oblique
    )
    rules: dict[str, object] = {"orientation": codes, "fit": fit}
    if fit == "resample-to-affine":  # an upright grid of another voxel size, on the same centre
        centre = nib.affines.apply_affine(volume.affine, (np.array(volume.shape) - 1) / 2)
        corner = centre - 1.7 * (np.array(ras_grid) - 1) / 2
        upright = nib.affines.from_matvec(np.eye(3) * 1.7, corner)
        rules["affine"] = space.affine_to_codes(upright, ras_grid, codes).tolist()
    placement = Placement(volume, make_spec(grid, patch, axes, **rules))
    cells = np.zeros((3, 3, 3))
    cells[1, 1, 1] = 1.0
    world = nib.affines.apply_affine(*world_of_hot(placement, cells))
    expected = nib.affines.apply_affine(np.linalg.inv(volume.affine), world)
    native = placement.to_native(cells)
    peak = np.argwhere(native >= np.nanmax(native) - 1e-6).mean(axis=0)
    assert np.abs(peak - expected).max() <= 0.5 + 1e-6
    block = np.argwhere(placement.to_native(cells, "nearest") == 1).mean(axis=0)
    assert np.abs(block - expected).max() <= 0.5 + 1e-6


def grid_in_ras(grid: tuple[int, ...], codes: str) -> tuple[int, int, int]:
    x, y, z = space.from_codes(np.empty(grid), codes).shape
    return x, y, z


def world_of_hot(placement: Placement, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    patches = placement.patch_volume(cells)
    return patches.affine, np.argwhere(patches.data == 1)[0]


@pytest.mark.parametrize("axes", ["xyz", "zxy", "yxz"])
@pytest.mark.parametrize("codes", ["LAS", "RAS", "LPI", "SPL"])
def test_patch_affine_is_the_centre_of_the_block_a_patch_covers(codes: str, axes: str) -> None:
    """Independent of interpolation: mark one patch in the tensor, see which voxels it came from."""
    volume = make_volume((19, 23, 17), (1.0, 2.0, 3.0), oblique=True)
    spec = make_spec((12, 10, 9), (4, 5, 3), axes, orientation=codes, crop_start=(1, 2, 3))
    labels = volume.like(np.arange(19 * 23 * 17, dtype=np.float32).reshape(19, 23, 17))
    tensor = Placement(labels, spec).to_tensor()[0]
    hot = tuple(n - 1 for n in spec.network.token_grid)
    pf, ph, pw = spec.network.patch or (1, 1, 1)
    f, h, w = hot
    block = tensor[f * pf : (f + 1) * pf, h * ph : (h + 1) * ph, w * pw : (w + 1) * pw]
    voxels = np.array(np.unravel_index(block.astype(int).ravel(), (19, 23, 17))).T
    centre = nib.affines.apply_affine(volume.affine, voxels.mean(axis=0))
    cells = np.zeros(spec.network.token_grid)
    cells[hot] = 1
    placement = Placement(volume, spec)
    np.testing.assert_allclose(
        nib.affines.apply_affine(*world_of_hot(placement, cells)), centre, atol=1e-9
    )
    native = placement.to_native(cells, "nearest")
    assert {tuple(v) for v in voxels} == {tuple(v) for v in np.argwhere(native == 1)}
    assert np.array_equal(placement.tokens_of(placement.patch_volume(cells)), cells)


@pytest.mark.parametrize("fit", ["crop-pad", "resize-extent"])
@pytest.mark.parametrize("interpolation", ["linear", "nearest"])
def test_ones_stay_ones_up_to_the_rim_and_nan_outside(fit: str, interpolation: str) -> None:
    volume = make_volume((19, 23, 17), (1.0, 2.0, 3.0), oblique=True)
    rules: dict[str, object] = {"fit": fit}
    if fit == "crop-pad":
        rules["crop_start"] = (2, 3, 1)
    spec = make_spec((15, 10, 15), (5, 5, 5), "zxy", **rules)
    native = Placement(volume, spec).to_native(np.ones((3, 3, 2)), interpolation)  # type: ignore[arg-type]
    seen = native[np.isfinite(native)]
    np.testing.assert_allclose(seen, 1, atol=1e-6)
    assert seen.size == (15 * 10 * 15 if fit == "crop-pad" else native.size)


def test_ones_stay_ones_on_a_tilted_volume() -> None:
    volume = make_volume(oblique=True)
    centre = nib.affines.apply_affine(volume.affine, (np.array(volume.shape) - 1) / 2)
    upright = nib.affines.from_matvec(np.eye(3) * 2, centre - 9)
    rules = {"fit": "resample-to-affine", "affine": upright.tolist(), "orientation": "RAS"}
    placement = Placement(volume, make_spec((10, 10, 10), (5, 5, 5), **rules))
    native = placement.to_native(np.ones((2, 2, 2)))
    np.testing.assert_allclose(native[np.isfinite(native)], 1, atol=1e-6)
    in_box = np.argwhere(np.isfinite(native))
    world = nib.affines.apply_affine(volume.affine, in_box)
    assert np.abs(world - centre).max() <= 10 + 1e-3  # the faces of ten voxels of 2 mm
    volume_mm3 = len(in_box) * 8
    assert volume_mm3 == pytest.approx(20**3, rel=0.05)


def test_a_rest_that_fills_no_patch_is_outside_the_field_of_view() -> None:
    volume = make_volume((19, 23, 17))
    spec = make_spec((19, 23, 17), (5, 5, 5), orientation="RAS", crop_start=(0, 0, 0))
    seen = Placement(volume, spec).field_of_view
    assert seen[:15, :20, :15].all()
    assert seen.sum() == 15 * 20 * 15


def test_padding_goes_before_normalisation_and_back() -> None:
    volume = make_volume((19, 23, 17))
    rules = {"orientation": "RAS", "crop_start": (-3, 0, 0), "pad_value": 7.0}
    placement = Placement(volume, make_spec((25, 20, 15), (5, 5, 5), **rules))
    tensor = placement.to_tensor()[0]
    assert (tensor[:3] == 7).all()
    assert (tensor[22:] == 7).all()
    assert np.array_equal(tensor[3:22], volume.data[:, :20, :15])
    assert placement.to_native(np.ones((5, 4, 3)))[0, 0, 0] == 1


def test_linear_field_survives_a_tilted_grid() -> None:
    """World x, sampled on an upright grid inside a tilted volume, is world x."""
    volume = make_volume((31, 33, 29), oblique=True)
    indices = np.stack(np.meshgrid(*map(np.arange, volume.shape), indexing="ij"), axis=-1)
    field = nib.affines.apply_affine(volume.affine, indices)[..., 0]
    volume = Volume(field, volume.affine)
    centre = nib.affines.apply_affine(volume.affine, (np.array(volume.shape) - 1) / 2)
    upright = nib.affines.from_matvec(np.eye(3) * 1.25, centre - 1.25 * 4.5)
    rules = {"fit": "resample-to-affine", "affine": upright.tolist(), "orientation": "RAS"}
    tensor = Placement(volume, make_spec((10, 10, 10), (5, 5, 5), **rules)).to_tensor()[0]
    expected = upright[0, 3] + 1.25 * np.arange(10)
    np.testing.assert_allclose(tensor, np.broadcast_to(expected[:, None, None], (10,) * 3), 1e-5)


def test_shrinking_averages_instead_of_aliasing() -> None:
    data = np.zeros((20, 20, 20), dtype=np.float32)
    data[::2] = 1.0  # stripes finer than the coarse grid
    volume = Volume(data, np.eye(4))
    spec = make_spec((5, 5, 5), (5, 5, 5), fit="resize-extent", orientation="RAS")
    np.testing.assert_allclose(Placement(volume, spec).to_tensor(), 0.5, atol=1e-6)


def test_stored_orientation_is_that_of_the_file() -> None:
    volume = make_volume((19, 23, 17), stored="PSR")
    spec = make_spec((20, 15, 15), (5, 5, 5), orientation="stored", crop_start=(0, 0, 0))
    stored = space.to_codes(volume.data, "PSR")
    assert np.array_equal(Placement(volume, spec).to_tensor()[0], stored[:20, :15, :15])


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"intensity": "zscore", "std_ddof": 1, "eps": 0.0}, "ddof"),
        ({"intensity": "minmax", "eps": 0.0}, "minmax"),
        ({"intensity": "percentile", "percentiles": (10, 90), "eps": 0.0}, "percentile"),
        ({"intensity": "zscore", "intensity_scope": "volume", "eps": 0.0}, "whole"),
        ({"intensity": "zscore-masked", "eps": 0.0}, "masked"),
        ({"intensity": "zscore", "clip": (-1, 1), "eps": 0.0}, "clip"),
    ],
)
def test_intensity_rules(rules: dict[str, object], expected: str) -> None:
    volume = make_volume()
    volume = volume.like(np.where(volume.data > 0.4, volume.data, 0))
    spec = make_spec((10, 10, 10), (5, 5, 5), orientation="RAS", crop_start=(0, 0, 0), **rules)
    crop = volume.data[:10, :10, :10].astype(np.float64)
    low, high = np.percentile(crop, [10, 90])
    formulas = {
        "ddof": (crop - crop.mean()) / crop.std(ddof=1),
        "minmax": (crop - crop.min()) / np.ptp(crop),
        "percentile": np.clip((crop - low) / (high - low), 0, 1),
        "whole": (crop - volume.data.mean(dtype=float)) / volume.data.std(dtype=float),
        "masked": (crop - crop[crop > 0].mean()) / crop[crop > 0].std(),
        "clip": np.clip((crop - crop.mean()) / crop.std(), -1, 1),
    }
    np.testing.assert_allclose(Placement(volume, spec).to_tensor()[0], formulas[expected], 1e-5)


def test_refusals_name_the_value_and_the_cure() -> None:
    volume = make_volume()
    constant = volume.like(np.full_like(volume.data, 3))
    spec = make_spec((10, 10, 10), (5, 5, 5), intensity="zscore")
    with pytest.raises(VolumeError, match="every voxel is 3"):
        Placement(constant, spec).to_tensor()
    with pytest.raises(VolumeError, match="lies outside"):
        Placement(volume, make_spec((10, 10, 10), (5, 5, 5), crop_start=(40, 0, 0))).to_tensor()
    with pytest.raises(SpecError, match=r"leaves open: input\.tensor_axes"):
        Placement(volume, make_spec((10, 10, 10), (5, 5, 5), tensor_axes=None))
    holes = volume.like(np.where(volume.data > 0.9, np.nan, volume.data))
    with pytest.raises(VolumeError, match="not finite"):
        Placement(holes, make_spec((10, 10, 10), (5, 5, 5))).to_tensor()


def test_a_map_of_voxels_lies_on_its_voxels() -> None:
    volume, spec = make_volume(stored="LAS"), make_spec((12, 15, 10), (4, 5, 5), "zxy")
    placement = Placement(volume, spec).with_cells(Cells.voxels((10, 12, 15)))
    found = placement.to_native(placement.to_tensor()[0])
    seen = np.isfinite(found)
    assert seen.sum() == 12 * 15 * 10
    np.testing.assert_allclose(found[seen], volume.data[seen], rtol=1e-6)


@pytest.mark.parametrize("oblique", [False, True])
def test_cells_of_a_convolution_lie_on_the_voxels_they_are_centred_on(oblique: bool) -> None:
    """Four strides of 2 without a half-cell shift: the centres are voxels 0, 4, 8, 12."""
    volume = make_volume(oblique=oblique)
    spec = make_spec((16, 16, 16), (4, 4, 4), orientation="RAS", crop_start=(1, 3, 0))
    cells = Cells((4, 4, 4), (4.0, 4.0, 4.0), (0.0, 0.0, 0.0))
    values = np.random.default_rng(0).random((4, 4, 4)).astype(np.float32)
    placement = Placement(volume, spec).with_cells(cells)
    native = placement.to_native(values)
    np.testing.assert_allclose(native[1:17:4, 3:19:4, 0:16:4], values, atol=1e-5)
    centre = placement.patch_volume(values).affine @ [2, 1, 3, 1]
    np.testing.assert_allclose(centre, volume.affine @ [9, 7, 12, 1], atol=1e-9)


def test_other_cells_have_the_same_field_of_view() -> None:
    placement = Placement(make_volume(), make_spec((16, 18, 13), (5, 5, 5)))
    assert placement.covered == (15, 15, 10)
    voxels = placement.with_cells(Cells.voxels((16, 18, 13)))
    assert np.array_equal(voxels.field_of_view, placement.field_of_view)
    assert np.array_equal(np.isfinite(voxels.to_native(np.ones((16, 18, 13)))),
                          placement.field_of_view == 1)  # fmt: skip
    assert placement.with_cells(None) is placement


def test_networks_that_pad_see_the_rest_too() -> None:
    spec = make_spec((16, 18, 13), (5, 5, 5))
    network = spec.network.model_copy(update={"family": "swin_3d"})
    assert Placement(make_volume(), spec.merged(network)).covered == (16, 18, 13)
