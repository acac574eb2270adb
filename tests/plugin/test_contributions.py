"""What napari finds: a sound manifest, readers that keep their place, a writer that does too."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import zipfile
from importlib import import_module
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from napari.layers import Image
from npe2 import PluginManifest
from safetensors.torch import save_file

import g3dvit_napari
from g3dvit_napari.core.errors import G3DViTError, VolumeError
from g3dvit_napari.plugin.contributions import (
    get_checkpoint_reader,
    get_volume_reader,
    read_volume_file,
    sample_files,
    write_volume_file,
)
from g3dvit_napari.plugin.picture.layers import entry_of, volume_of
from g3dvit_napari.plugin.settings import PLUGIN
from g3dvit_napari.plugin.widget import TITLE, ExplainWidget

MANIFEST = Path(g3dvit_napari.__file__).with_name("napari.yaml")
SHAPE = (19, 23, 17)


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_file(MANIFEST)


# Manifest


def test_commands_exist_and_resolve(manifest) -> None:
    commands = {command.id: command for command in manifest.contributions.commands}
    for command in commands.values():
        assert str(command.python_name).count(":") == 1
        module, name = str(command.python_name).split(":")
        assert callable(getattr(import_module(module), name))
    said = manifest.contributions
    used = [item.command for part in (said.widgets, said.readers, said.writers) for item in part]
    used += [sample.command for sample in said.sample_data]
    used += [item.command for items in said.menus.values() for item in items]
    assert set(used) == set(commands)


def test_menu_is_one_that_plugins_may_extend(manifest) -> None:
    from napari._app_model.constants._menus import MenuId

    assert set(manifest.contributions.menus) <= {str(menu) for menu in MenuId.contributables()}


def test_manifest_names_the_widget_as_the_code_does(manifest) -> None:
    assert manifest.name == PLUGIN
    assert [widget.display_name for widget in manifest.contributions.widgets] == [TITLE]
    assert manifest.contributions.commands[0].python_name == (
        f"{ExplainWidget.__module__}:{ExplainWidget.__name__}"
    )


# Reading volumes


def stored(codes: str, shape=SHAPE) -> np.ndarray:
    """Return an oblique, anisotropic affine of a file stored in these axis codes."""
    turn = nib.eulerangles.euler2mat(0.03, -0.05, 0.02)
    ras = nib.affines.from_matvec(turn @ np.diag([2.0, 1.5, 3.0]), [-20, 30, -11])
    swap = nib.orientations.inv_ornt_aff(nib.orientations.axcodes2ornt(codes), shape)
    return ras @ np.linalg.inv(swap)


def write(path: Path, codes: str, frames: int = 0) -> tuple[Path, np.ndarray]:
    shape = (*SHAPE, frames) if frames else SHAPE
    data = np.random.default_rng(3).integers(0, 900, shape).astype(np.int16)
    make = nib.MGHImage if path.suffix == ".mgz" else nib.Nifti1Image
    image = make(data.astype(np.float32) if make is nib.MGHImage else data, stored(codes))
    if frames:
        image.header.set_zooms((*image.header.get_zooms()[:3], 2.5))
        image.header.set_xyzt_units("mm", "sec")
    image.to_filename(path)
    return path, data


@pytest.mark.parametrize("codes", ["RAS", "LAS", "LPI", "PSR", "AIL"])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".mgz"])
def test_voxels_are_where_the_file_says(tmp_path, codes, ending) -> None:
    path, data = write(tmp_path / f"scan{ending}", codes)
    reader = get_volume_reader(str(path))
    layer = Image(*reader(str(path))[0][:1], **reader(str(path))[0][1])
    assert layer.axis_labels == ("z", "y", "x")
    assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
    volume = volume_of(layer)
    for index in [(0, 0, 0), (18, 0, 3), (7, 22, 16)]:
        world = nib.affines.apply_affine(stored(codes), index)
        found = np.linalg.inv(volume.affine) @ [*world, 1]
        assert volume.data[tuple(np.rint(found[:3]).astype(int))] == data[index]
    # What napari's status bar shows is the scanner's millimetre, but for the tilt.
    centre = (np.array(layer.data.shape) - 1) / 2
    middle = nib.affines.apply_affine(stored(codes), (np.array(SHAPE) - 1) / 2)
    assert np.allclose(layer.data_to_world(centre)[::-1], middle, atol=1e-3)


def test_series_runs_along_t(tmp_path) -> None:
    path, data = write(tmp_path / "bold.nii.gz", "LAS", frames=6)
    ((values, keywords, kind),) = get_volume_reader([str(path)])([str(path)])
    layer = Image(values, **keywords)
    assert kind == "image"
    assert layer.axis_labels == ("t", "z", "y", "x")
    assert [str(unit) for unit in layer.units] == ["second", *["millimeter"] * 3]
    assert layer.scale[0] == 2.5
    assert values.shape == (6, 17, 23, 19)
    assert np.array_equal(values[4].transpose(), data[::-1, :, :, 4])  # LAS in RAS order


def test_several_files_at_once(tmp_path) -> None:
    paths = [str(write(tmp_path / f"{n}.nii", "RAS")[0]) for n in "ab"]
    assert len(get_volume_reader(paths)(paths)) == 2


def test_damaged_volume_is_refused_with_a_sentence(tmp_path) -> None:
    path = tmp_path / "broken.nii.gz"
    path.write_bytes(b"<html>not found</html>")
    reader = get_volume_reader(str(path))  # judged by its name, and does not raise
    with pytest.raises(VolumeError, match=r"broken\.nii\.gz"):
        reader(str(path))


def test_reading_a_volume_does_not_load_torch(tmp_path) -> None:
    path, _ = write(tmp_path / "scan.nii", "LAS")
    code = (
        "import sys, json; from npe2 import PluginManager, read;"
        "PluginManager.instance().discover();"
        f"layers = read([{str(path)!r}], stack=False, plugin_name={PLUGIN!r});"
        "print(json.dumps([len(layers), 'torch' in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [1, False]


# Writing


def shown(path: Path) -> Image:
    ((values, keywords, _),) = read_volume_file(str(path))
    return Image(values, **keywords)


@pytest.mark.parametrize("codes", ["RAS", "LAS", "LPI", "PSR"])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_file_comes_back_as_it_was(tmp_path, codes, ending) -> None:
    path, data = write(tmp_path / "scan.nii", codes)
    values, attributes, _ = shown(path).as_layer_data_tuple()
    out = str(tmp_path / f"out{ending}")
    assert write_volume_file(out, values, attributes) == [out]
    image = nib.load(out)
    assert np.allclose(image.affine, nib.load(path).affine, atol=1e-4)
    assert np.array_equal(image.get_fdata(), data)


def test_layer_of_others_keeps_its_whole_transform(tmp_path) -> None:
    data = np.random.default_rng(0).random((5, 6, 7), np.float32)
    layer = Image(
        data, scale=(0.2, 0.3, 0.1), translate=(4, 5, 6), units="cm", affine=np.diag([2, 1, 1, 1])
    )
    values, attributes, _ = layer.as_layer_data_tuple()
    write_volume_file(str(tmp_path / "out.nii"), values, attributes)
    image = nib.load(tmp_path / "out.nii")
    # (z, y, x) in cm, twice along z, becomes (x, y, z) in mm
    expected = nib.affines.from_matvec(np.diag([1.0, 3.0, 4.0]), [60, 50, 80])
    assert np.allclose(image.affine, expected, atol=1e-5)
    assert np.array_equal(image.get_fdata(dtype=np.float32), data.transpose())


@pytest.mark.parametrize(
    ("dtype", "written"),
    [("uint8", "uint8"), ("bool", "uint8"), ("int64", "int32"), ("float64", "float32")],
)
def test_numbers_stay_what_they_are(tmp_path, dtype, written) -> None:
    data = (np.arange(60).reshape(3, 4, 5) % 2).astype(dtype)
    write_volume_file(str(tmp_path / "out.nii"), data, {"name": "mask", "scale": (1, 1, 1)})
    image = nib.load(tmp_path / "out.nii")
    assert image.get_data_dtype() == np.dtype(written)
    assert np.array_equal(image.get_fdata(), data.transpose())


def test_series_is_not_written(tmp_path) -> None:
    with pytest.raises(VolumeError, match="one frame"):
        write_volume_file(str(tmp_path / "out.nii"), np.zeros((2, 3, 4, 5)), {})


# Checkpoints


def weights() -> dict[str, torch.Tensor]:
    return {"net.transformer.layers.0.0.to_qkv.weight": torch.zeros(6, 4)}


@pytest.fixture(params=["zip", "old", "safetensors", "nested"])
def checkpoint(request, tmp_path) -> Path:
    path = tmp_path / ("vit.safetensors" if request.param == "safetensors" else "vit.pth")
    if request.param == "safetensors":
        save_file(weights(), path)
    elif request.param == "nested":
        torch.save({"epoch": 3, "state_dict": weights()}, path)
    else:
        torch.save(weights(), path, _use_new_zipfile_serialization=request.param == "zip")
    return path


def test_checkpoints_are_recognised(checkpoint) -> None:
    assert get_checkpoint_reader(str(checkpoint)) is not None
    assert get_checkpoint_reader([str(checkpoint)]) is not None
    assert get_checkpoint_reader([str(checkpoint)] * 2) is None


def test_checkpoint_needs_a_window(checkpoint, monkeypatch) -> None:
    monkeypatch.setattr("napari.current_viewer", lambda: None)
    with pytest.raises(G3DViTError, match="no napari window"):
        get_checkpoint_reader(str(checkpoint))(str(checkpoint))


class Bomb:
    def __reduce__(self):
        return (os.system, ("touch exploded",))


@pytest.mark.parametrize("kind", ["other", "html", "empty", "missing", "folder", "zip", "bomb"])
def test_what_is_no_checkpoint_of_ours_is_left_to_others(tmp_path, kind, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "file.pt"
    if kind == "other":
        torch.save({"conv1.weight": torch.zeros(3, 3)}, path)
    elif kind == "bomb":
        torch.save(Bomb(), path)
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/data.txt", "transformer.layers.0.0.to_qkv.weight")
    elif kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(b"<html></html>" if kind == "html" else b"")
    assert get_checkpoint_reader(str(path)) is None
    assert not (tmp_path / "exploded").exists()


def test_recognising_a_large_checkpoint_is_quick(tmp_path) -> None:
    path = tmp_path / "large.pth"
    torch.save({**weights(), "big": torch.zeros(20_000_000)}, path)  # 80 MB
    started = time.thread_time()
    assert get_checkpoint_reader(str(path)) is not None
    assert time.thread_time() - started < 0.1


def test_patterns_of_the_manifest_are_those_of_the_code(manifest) -> None:
    volumes, checkpoints = manifest.contributions.readers
    for pattern in volumes.filename_patterns:
        assert get_volume_reader(pattern.replace("*", "scan")) is not None
        assert get_volume_reader(pattern.replace("*", "SCAN").upper()) is not None
    assert get_volume_reader("scan.png") is None
    assert all(re.fullmatch(r"\*\.\w+", p) for p in checkpoints.filename_patterns)


@pytest.mark.parametrize("name", ["brain", "cubes"])
def test_samples_ship_with_the_package(name) -> None:
    volume, checkpoint = sample_files(name)
    assert read_volume_file(volume)[0][0].ndim == 3
    assert get_checkpoint_reader(checkpoint) is not None


def test_metadata_of_a_read_layer_tells_its_source(tmp_path) -> None:
    path, _ = write(tmp_path / "scan.nii", "LPI")
    source = entry_of(shown(path))["source"]
    assert (source.name, source.orientation, source.shape) == ("scan.nii", "LPI", SHAPE)
