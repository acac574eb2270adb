"""The Swin Transformer and the ResNet that ship: do they read the lesion, on either side?"""

import importlib
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from g3dvit_napari import api
from g3dvit_napari.core.fit import Placement
from g3dvit_napari.core.spec import read_spec
from g3dvit_napari.io.samples import sample_path
from g3dvit_napari.models.networks.resnet3d import ResNet3D
from g3dvit_napari.models.networks.swin3d import Swin3D

sys.path.append(str(Path(__file__).parents[1]))
brain = importlib.import_module("sample_data.brain")
make = importlib.import_module("sample_data.make")
networks = importlib.import_module("sample_data.networks")
trained = importlib.import_module("sample_data.swin_and_resnet")

FAMILIES = {"swin": (Swin3D, trained.SWIN_SPEC), "resnet": (ResNet3D, trained.RESNET_SPEC)}


DRAWER = brain.Brain()


@cache
def scan(split, index, label):
    return DRAWER.draw(split, index, label).data


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def model(family):
    return api.load_model(sample_path(f"brain_{family}.pth"), device="cpu")


def test_the_file_and_the_spec_beside_it_are_enough(family, model):
    kind, spec = FAMILIES[family]
    assert isinstance(model.network, kind)
    assert read_spec(sample_path(f"brain_{family}.spec.yaml")) == spec
    assert api.inspect_checkpoint(sample_path(f"brain_{family}.pth")).complete


def test_checkpoints_are_small(family):
    assert sample_path(f"brain_{family}.pth").stat().st_size < 1_500_000


def test_the_shipped_brain_gets_its_answer(model):
    prediction = api.predict(api.load_volume(sample_path("brain.nii.gz")), model)
    assert model.class_names[prediction.predicted] == "left lesion"
    assert max(prediction.probabilities) > 0.9


def test_without_its_lesion_the_same_brain_loses_its_class(model):
    for index, label in ((100, 1), (101, 2)):
        ill, well = (_logits(model, index, twin) for twin in (label, 0))
        assert ill.argmax() == label
        assert well.argmax() == 0
        assert ill[label] - well[label] > 1


def _logits(model, index, label):
    volume = networks.brain_volume(scan("benchmark", index, label))
    return np.array(api.predict(volume, model).logits)


def test_a_volume_from_a_file_gives_the_tensor_of_training(family, model):
    """What the generator feeds in training is what the file gives through the reader."""
    spec = FAMILIES[family][1]
    sample = networks.brain_volume(scan("shown", make.SHOWN_BRAIN, 1))
    expected = networks.tensor_of(sample, spec).numpy()
    volume = api.load_volume(sample_path("brain.nii.gz"))
    assert expected.shape == (1, *spec.network.image_size)
    assert np.array_equal(Placement(volume, model.spec).to_tensor(), expected)


def test_training_sees_twins_and_where_their_lesion_is(monkeypatch):
    """Left, right and none of one subject; the shares lie on the grid of the patches."""
    subject = DRAWER.subject(brain.generator("train", 0))
    monkeypatch.setattr(networks, "brain_subjects", lambda: [subject])
    images, labels, shares = next(networks.brain_batches(trained.SWIN_SPEC, 1, 1))
    assert labels.tolist() == [0, 1, 2]
    assert images.shape[2:] == trained.SWIN_SPEC.network.image_size
    assert shares.shape == (3, 14 * 15 * 17)
    assert shares[0].max() == 0
    assert min(shares[1].max(), shares[2].max()) > 0.5
