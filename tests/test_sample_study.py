"""The made-up list of subjects: what the page QA reads of it."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from g3dvit_napari import api
from g3dvit_napari.core.errors import G3DViTError
from g3dvit_napari.io.samples import sample_path
from g3dvit_napari.io.subjects import find_subjects

study = importlib.import_module("sample_data.study")


def test_a_study_has_its_true_classes_and_one_file_that_is_none(tmp_path) -> None:
    found = find_subjects(study.write_study(tmp_path / "new", count=3, damaged=2))
    assert [subject.label for subject in found.subjects] == [
        "left lesion",
        "right lesion",
        "left lesion",
    ]
    good = [api.load_volume(subject.path) for subject in found.subjects[:2]]
    shown = api.load_volume(sample_path("brain.nii.gz"))
    for one in good:
        assert np.allclose(one.affine, shown.affine)
        assert one.data.shape == shown.data.shape
    assert not np.array_equal(good[0].data, good[1].data)
    with pytest.raises(G3DViTError, match="web page"):
        api.load_volume(found.subjects[2].path)
