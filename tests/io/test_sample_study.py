"""The made-up list of subjects: what the page QA reads of it, and what there is to find."""

from __future__ import annotations

import numpy as np
import pytest

from g3dvit_napari import api
from g3dvit_napari.core.errors import Cancelled, G3DViTError, VolumeError
from g3dvit_napari.io import sample_study
from g3dvit_napari.io.samples import sample_path
from g3dvit_napari.io.subjects import find_subjects


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    return find_subjects(sample_study.write_study(tmp_path_factory.mktemp("study") / "new"))


def test_subjects_have_true_classes_and_lie_where_the_sample_lies(listed) -> None:
    sides = [subject.label for subject in listed.subjects]
    assert sides == ["left lesion", "right lesion"] * 4 + ["left lesion"]
    shown = api.load_volume(sample_path("brain.nii.gz"))
    first, second = (api.load_volume(subject.path) for subject in listed.subjects[:2])
    for one in (first, second):
        assert np.allclose(one.affine, shown.affine)
        assert one.data.shape == shown.data.shape
    left = api.load_volume(sample_path("brain_lesion.nii.gz")).data > 0
    right = left[::-1]  # the grid is symmetric
    assert first.data[left].mean() < 0.7 * first.data[right].mean()
    assert second.data[right].mean() < 0.7 * second.data[left].mean()


def test_the_sample_network_names_all_but_those_that_a_reviewer_should_find(listed) -> None:
    model = api.load_model(sample_path("brain_vit.pth"))
    wrong = []
    for number, subject in enumerate(listed.subjects):
        if number == sample_study.DAMAGED:
            with pytest.raises(G3DViTError, match="web page"):
                api.load_volume(subject.path)
            continue
        logits = api.predict(api.load_volume(subject.path), model).logits
        if model.class_names[int(np.argmax(logits))] != subject.label:
            wrong.append(number)
    assert wrong == [sample_study.STRAYED]


def test_a_study_is_the_same_each_time_and_whole_or_not_listed(tmp_path, listed) -> None:
    again = find_subjects(sample_study.write_study(tmp_path))
    for one, other in zip(listed.subjects[:2], again.subjects[:2], strict=True):
        assert np.array_equal(api.load_volume(one.path).data, api.load_volume(other.path).data)

    def stop(fraction: float, _word: str) -> None:
        if fraction > 0.2:
            raise Cancelled

    with pytest.raises(Cancelled):
        sample_study.write_study(tmp_path / "stopped", stop)
    assert not (tmp_path / "stopped" / "subjects.tsv").exists()
    with pytest.raises(VolumeError, match="is not empty"):
        sample_study.write_study(tmp_path)  # whatever is there stays
    (tmp_path / "file").write_text("")
    with pytest.raises(VolumeError, match="cannot be written"):
        sample_study.write_study(tmp_path / "file")
