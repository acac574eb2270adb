"""Checkpoint files: every container and wrapper, and every file that is none."""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import pickle
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from g3dvit_napari.core.errors import CheckpointError
from g3dvit_napari.io.checkpoint import read_checkpoint


@pytest.fixture
def weights():
    random = torch.Generator().manual_seed(1)
    shapes = {
        "to_patch_embedding.2.weight": (5, 4),
        "transformer.layers.0.0.norm.weight": (5,),
        "transformer.layers.0.0.to_qkv.weight": (6, 5),
        "mlp_head.1.weight": (2, 5),
    }
    return {key: torch.randn(shape, generator=random) for key, shape in shapes.items()}


def same(found, weights):
    return list(found) == list(weights) and all(torch.equal(found[k], weights[k]) for k in weights)


def under(prefix, weights):
    return {f"{prefix}{key}": value for key, value in weights.items()}


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.ckpt", "model.bin"])
def test_bare_state_dict(tmp_path, weights, name):
    path = tmp_path / name
    torch.save(OrderedDict(weights), path)
    checkpoint = read_checkpoint(path)
    assert same(checkpoint.state, weights)
    assert checkpoint.meta["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert checkpoint.meta["name"] == name
    assert checkpoint.meta["bytes"] == path.stat().st_size
    assert (checkpoint.meta["prefix"], checkpoint.meta["notes"]) == ("", ())


def test_format_of_old_torch(tmp_path, weights):
    torch.save(weights, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    checkpoint = read_checkpoint(tmp_path / "old.pth")
    assert same(checkpoint.state, weights)
    assert checkpoint.meta["format"] == "pickle"


def test_safetensors(tmp_path, weights):
    save_file(under("model.", weights), tmp_path / "model.safetensors")
    checkpoint = read_checkpoint(str(tmp_path / "model.safetensors"))
    assert checkpoint.state.keys() == weights.keys()
    assert all(torch.equal(checkpoint.state[key], weights[key]) for key in weights)
    assert checkpoint.meta["format"] == "safetensors"


@pytest.mark.parametrize(
    "container", ["state_dict", "model", "model_state_dict", "ema", "network", "module", "weights"]
)
def test_containers(tmp_path, weights, container):
    optimizer = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": []}
    torch.save({"epoch": 3, "optimizer": optimizer, container: weights}, tmp_path / "a.pt")
    checkpoint = read_checkpoint(tmp_path / "a.pt")
    assert same(checkpoint.state, weights)
    assert checkpoint.meta["container"] == container


def test_the_trained_weights_come_before_their_average(tmp_path, weights):
    zeros = {key: torch.zeros_like(value) for key, value in weights.items()}
    torch.save({"ema": zeros, "extra": {"net": weights}}, tmp_path / "a.pt")
    checkpoint = read_checkpoint(tmp_path / "a.pt")
    assert same(checkpoint.state, weights)
    assert checkpoint.meta["container"] == "extra.net"
    assert "'ema'" in checkpoint.meta["notes"][0]


@pytest.mark.parametrize(
    "prefix",
    [
        "module.",
        "_orig_mod.",
        "module._orig_mod.",
        "model.",
        "net.",
        "volume_encoder.vit3d.",
        "a.b.",
    ],
)
def test_prefixes(tmp_path, weights, prefix):
    other = {"criterion.weight": torch.ones(2)}
    torch.save({"state_dict": {**other, **under(prefix, weights)}}, tmp_path / "a.pt")
    checkpoint = read_checkpoint(tmp_path / "a.pt")
    assert same(checkpoint.state, weights)
    assert checkpoint.meta["prefix"] == prefix
    assert checkpoint.meta["left_out"] == ("criterion.weight",)
    assert any(repr(prefix) in note for note in checkpoint.meta["notes"])
    assert any("criterion.weight" in note for note in checkpoint.meta["notes"])


def test_prefix_of_the_older_layout(tmp_path):
    keys = ["to_patch_embedding.1.weight", "transformer.layers.0.0.fn.to_qkv.weight"]
    torch.save({f"net.{key}": torch.ones(2, 2) for key in keys}, tmp_path / "a.pt")
    assert list(read_checkpoint(tmp_path / "a.pt").state) == keys


def test_lightning(tmp_path, weights):
    content = {
        "pytorch-lightning_version": "2.4.0",
        "state_dict": under("model.", weights),
        "hyper_parameters": {"heads": 8, "optim": {"lr": 1e-3}, "names": ["a"]},
        "callbacks": {"best": {"score": torch.tensor(0.9)}},
        "optimizer_states": [{"state": {}}],
    }
    torch.save(content, tmp_path / "last.ckpt")
    checkpoint = read_checkpoint(tmp_path / "last.ckpt")
    assert same(checkpoint.state, weights)
    assert checkpoint.meta["format"] == "Lightning"
    assert checkpoint.meta["stored"] == {"heads": 8, "lr": 1e-3}


def test_what_training_loops_store_besides(tmp_path, weights):
    content = {
        "model": weights,
        "best": np.float64(0.93),
        "step": np.int64(9),
        "args": argparse.Namespace(dim=64, out=Path("runs")),
    }
    torch.save(content, tmp_path / "a.pt")
    checkpoint = read_checkpoint(tmp_path / "a.pt")
    assert same(checkpoint.state, weights)
    assert checkpoint.meta["stored"] == {"dim": 64}


def test_of_a_pair_the_average_is_left(tmp_path, weights):
    zeros = {key: torch.zeros_like(value) for key, value in weights.items()}
    torch.save({**under("ema_model.", zeros), **under("online.", weights)}, tmp_path / "a.pt")
    assert read_checkpoint(tmp_path / "a.pt").meta["prefix"] == "online."


def test_two_networks_are_not_chosen_from(tmp_path, weights):
    torch.save({**under("mri.", weights), **under("pet.", weights)}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"2 networks, under 'mri\.', 'pet\.'"):
        read_checkpoint(tmp_path / "a.pt")


class Bomb:
    def __reduce__(self):
        return os.system, ("touch ran",)


@pytest.mark.parametrize("new_format", [True, False])
def test_code_is_never_run(tmp_path, monkeypatch, new_format):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": Bomb()}, "a.pt", _use_new_zipfile_serialization=new_format)
    with pytest.raises(CheckpointError, match=r"system.*torch\.save\(model\.state_dict\(\)"):
        read_checkpoint("a.pt")
    assert not Path("ran").exists()


def test_a_whole_module_is_refused_with_its_class(tmp_path):
    torch.save(nn.Linear(2, 2), tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match=r"torch\.nn\.modules\.linear\.Linear"):
        read_checkpoint(tmp_path / "a.pt")


def _tar(path):
    with tarfile.open(path, "w") as archive:
        archive.add(__file__, "storages")


def _zip(name):
    def write(path):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, "x")

    return write


def _bytes(content):
    return lambda path: path.write_bytes(content)


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 1234\n"


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (_bytes(LFS), "git-LFS pointer.*git lfs pull"),
        (_bytes(b"\n <!DOCTYPE html><html>login</html>"), "web page"),
        (_bytes(b""), "empty"),
        (_bytes(gzip.compress(b"weights")), "gzip"),
        (_bytes(b"\x89HDF\r\n\x1a\n...."), "HDF5"),
        (_bytes(b"\x93NUMPY\x01"), "NumPy array"),
        (_bytes(b"\x5c\x01\x00\x00" + bytes(400)), "NIfTI"),
        (_bytes(b"epoch,loss\n1,0.4\n"), "text file that starts with 'epoch,loss'"),
        (_bytes(b"\x08\x07\x12\x07pytorch"), "starts with bytes 08 07"),
        (_bytes(pickle.dumps({"a": 1})), "plain Python pickle"),
        (_tar, "tar archive"),
        (_zip("a.npy"), "zip archive with a.npy"),
        (_zip("model/constants.pkl"), "compiled program"),
        (lambda path: torch.save({"epoch": 3}, path), "holds no weights: its entries are epoch"),
        (lambda path: torch.save([1, 2], path), "holds a list"),
        (lambda path: torch.save({}, path), "empty dictionary"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda _path: None, "there is no file"),
    ],
)
def test_files_that_are_no_checkpoint(tmp_path, write, message):
    path = tmp_path / "model.pth"
    write(path)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(path)


@pytest.mark.parametrize("form", ["zip", "pickle", "safetensors"])
@pytest.mark.parametrize("kept", [0.05, 0.5, 0.98])
def test_cut_off_files(tmp_path, weights, form, kept):
    path = tmp_path / "model.pth"
    if form == "safetensors":
        save_file(weights, path)
    else:
        torch.save(weights, path, _use_new_zipfile_serialization=form == "zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(CheckpointError, match="cut off or damaged"):
        read_checkpoint(path)


def test_tensors_larger_than_their_file(tmp_path):
    torch.save({"w": torch.zeros(1).expand(10**12)}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="claims shape"):
        read_checkpoint(tmp_path / "a.pt")


def test_a_zip_bomb(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(10**6))
    with pytest.raises(CheckpointError, match="would unpack"):
        read_checkpoint(tmp_path / "a.pt")


@pytest.mark.parametrize("tensor", [torch.zeros(3, device="meta"), torch.eye(3).to_sparse()])
def test_tensors_without_plain_values(tmp_path, tensor):
    torch.save({"w": tensor}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="without values"):
        read_checkpoint(tmp_path / "a.pt")


def test_another_network_is_handed_on_untouched(tmp_path):
    other = {"layer1.0.conv1.weight": torch.ones(1), "fc.weight": torch.ones(2)}
    torch.save({"state_dict": other}, tmp_path / "a.pt")
    assert same(read_checkpoint(tmp_path / "a.pt").state, other)


def test_a_scan_is_no_checkpoint_and_the_message_says_so(tmp_path):
    path = tmp_path / "sub-01_bold.nii.gz"
    path.write_bytes(b"\x1f\x8b" + bytes(100))
    with pytest.raises(CheckpointError, match="is a scan; open it as the volume"):
        read_checkpoint(path)
