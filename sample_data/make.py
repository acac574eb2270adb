"""Make the sample data: `python sample_data/make.py`, or `python -m sample_data.make`.

Needs the package, and nilearn for the template (`pip install -e ".[dev]"`). Parts can be made
alone: `volumes`, `brain-network`, `brain-swin`, `brain-resnet`, `cubes-network`. Takes about half
an hour on two cores.
"""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

FOLDER = Path(__file__).parent / "files"
if not __package__:
    sys.path.insert(0, str(FOLDER.parents[1]))

from g3dvit_napari.core.spec import ModelSpec  # noqa: E402
from sample_data import brain, cubes, networks, swin_and_resnet  # noqa: E402

FRAMES, REPETITION_TIME = 6, 2.0  # seconds
DRIFT = 0.03  # of the gain, over the series
SHOWN_BRAIN, SHOWN_CUBES = 6, 3  # number 6 of the split; the first 3
HELD_OUT = 120


def main(parts: list[str]) -> None:
    """Make the named parts, or all of them."""
    known: dict[str, Callable[[], None]] = {
        "volumes": make_volumes,
        "brain-network": make_brain_network,
        "brain-swin": make_brain_swin,
        "brain-resnet": make_brain_resnet,
        "cubes-network": make_cubes_network,
    }
    if unknown := set(parts) - set(known):
        raise SystemExit(f"no part named {', '.join(unknown)}; choose from {', '.join(known)}")
    FOLDER.mkdir(exist_ok=True)
    torch.set_num_threads(2)
    for part in parts or known:
        print(f"[{part}]", flush=True)
        known[part]()
    total = sum(path.stat().st_size for path in FOLDER.iterdir())
    print(f"{FOLDER.name}/ holds {total / 1e6:.2f} MB")


def make_volumes() -> None:
    """Write the brain, its truth and its series, and the cubes."""
    make_brain()
    for number in range(SHOWN_CUBES):
        sample = cubes.draw("shown", number)
        write(sample.data, cubes.AFFINE, f"cubes_{number + 1}.nii.gz")
        write(sample.cube.astype(np.uint8), cubes.AFFINE, f"cubes_{number + 1}_truth.nii.gz")


def make_brain() -> None:
    """Write one subject with a lesion on the left: once, and as a series with drifting gain."""
    rng = brain.generator("shown", SHOWN_BRAIN)
    subject = brain.Brain().subject(rng)
    signal, lesion = brain.with_lesions(subject, brain.CLASSES.index("left lesion"), rng)
    write(brain.scan(signal, subject.mask, rng), brain.AFFINE, "brain.nii.gz")
    write(lesion.astype(np.uint8), brain.AFFINE, "brain_lesion.nii.gz")
    gains = 1 + DRIFT * np.sin(np.linspace(0, np.pi, FRAMES))
    frames = [brain.scan(np.float32(gain) * signal, subject.mask, rng) for gain in gains]
    write(np.stack(frames, axis=-1), brain.AFFINE, "brain_series.nii.gz")


def make_brain_network() -> None:
    """Train and write the brain ViT, and say how well it does on new subjects."""
    publish_brain(networks.train_brain(print), networks.BRAIN_SPEC, "brain_vit")


def make_brain_swin() -> None:
    """Train and write the Swin Transformer for the brain."""
    publish_brain(swin_and_resnet.train_swin(print), swin_and_resnet.SWIN_SPEC, "brain_swin")


def make_brain_resnet() -> None:
    """Train and write the ResNet for the brain."""
    publish_brain(swin_and_resnet.train_resnet(print), swin_and_resnet.RESNET_SPEC, "brain_resnet")


def publish_brain(network: nn.Module, spec: ModelSpec, name: str) -> None:
    """Write a brain network, and say how well it does on new subjects."""
    drawer = brain.Brain()
    samples = [drawer.draw("held out", i) for i in range(HELD_OUT)]
    volumes = [networks.brain_volume(sample.data) for sample in samples]
    images = [networks.tensor_of(volume, spec) for volume in volumes]
    share = networks.accuracy(network, images, [sample.label for sample in samples])
    publish(network, spec, name, share)


def make_cubes_network() -> None:
    """Train and write the cube network, and say how well it does on new volumes."""
    network = networks.train_cubes(print)
    samples = [cubes.draw("held out", i) for i in range(200)]
    images = [torch.from_numpy(sample.data)[None] for sample in samples]
    share = networks.accuracy(network, images, [sample.label for sample in samples])
    publish(network, networks.CUBES_SPEC, "cubes_vit", share)


def publish(network: nn.Module, spec: ModelSpec, name: str, accuracy: float) -> None:
    """Write the weights and the spec beside them."""
    print(f"accuracy on held-out samples: {accuracy:.3f}")
    torch.save(network.state_dict(), FOLDER / f"{name}.pth")
    (FOLDER / f"{name}.spec.yaml").write_text(spec.to_yaml(), "utf-8")


def write(data: NDArray[np.generic], affine: NDArray[np.float64], name: str) -> None:
    """Write a NIfTI-1 file that says where it is; equal data give equal bytes."""
    image = nib.Nifti1Image(data, affine)
    in_mni_space = 4 if affine is brain.AFFINE else 2
    image.set_sform(affine, in_mni_space)
    image.set_qform(affine, in_mni_space)
    image.header.set_xyzt_units("mm", "sec")
    if data.ndim == 4:
        image.header["pixdim"][4] = REPETITION_TIME
    (FOLDER / name).write_bytes(gzip.compress(image.to_bytes(), 9, mtime=0))


if __name__ == "__main__":
    main(sys.argv[1:])
