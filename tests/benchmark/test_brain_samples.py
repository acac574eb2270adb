"""Brains as they are drawn: repeatable, with twins, masks, sides and confounds."""

import hashlib

import numpy as np
import pytest
from scipy import ndimage

from g3dvit_napari.benchmark.brains import focal, ventricles
from g3dvit_napari.benchmark.brains.flow import LEAST, flow
from g3dvit_napari.benchmark.brains.flow import ventricles as ventricle_mask
from g3dvit_napari.benchmark.brains.grid import Grid, world_to_index
from g3dvit_napari.benchmark.brains.head import GRID, SCANS
from g3dvit_napari.benchmark.brains.rim import rim_of
from g3dvit_napari.benchmark.brains.task import BRAINS
from g3dvit_napari.benchmark.brains.warp import jacobian

# A change of these numbers is a change of the benchmark: raise VERSION in brains/head.py with it.
DIGESTS = {
    "brain-site": "e332c050ae61cde8",
    "brain-ventricles": "345939f78aeaa564",
    "brain-lesion": "278e2fcde6f926ce",
    "brain-confound": "4365442918974687",
    "brain-blocks": "a151128689abda2c",
}


@pytest.fixture(scope="module")
def drawn():
    return {name: [task.draw("test", i) for i in range(16)] for name, task in BRAINS.items()}


@pytest.fixture(params=BRAINS)
def name(request):
    return request.param


def test_the_first_sixteen_volumes_never_change(drawn, name):
    found = hashlib.sha256()
    for s in drawn[name]:
        parts = (s.data, s.twin, s.signal, s.distractor)
        found.update(b"".join(np.ascontiguousarray(part).tobytes() for part in parts))
        found.update(bytes([s.label]))
    assert found.hexdigest()[:16] == DIGESTS[name]


def test_a_sample_depends_on_its_number_alone(drawn, name):
    again = BRAINS[name].draw("test", 9)
    assert np.array_equal(again.data, drawn[name][9].data)
    assert dict(again.drawn) == dict(drawn[name][9].drawn)
    assert not np.array_equal(BRAINS[name].draw("train", 9).data, again.data)


def test_samples_are_brains_in_mm_with_masks(drawn, name):
    for sample in drawn[name][:4]:
        assert sample.data.shape == sample.valid.shape == BRAINS[name].shape == (30, 36, 30)
        assert sample.data.dtype == np.float32
        assert np.linalg.det(sample.affine[:3, :3]) == pytest.approx(125)
        assert 1500 < sample.valid.sum() * 0.125 < 2400  # mL
        assert not (sample.signal & ~sample.valid).any()
        assert sample.volume.spacing_mm == pytest.approx(5)


def test_twins_have_the_same_noise_and_anatomy(drawn, name):
    if name == "brain-ventricles":
        return  # its twin is moved: see below
    for sample in drawn[name]:
        differs = sample.data != sample.twin
        near = np.pad(sample.signal, 2)
        near = np.any([np.roll(near, s, a) for a in range(3) for s in (-2, -1, 0, 1, 2)], axis=0)
        if sample.signal.any():
            assert (differs & sample.signal).sum() > 0.9 * sample.signal.sum()
            assert (differs & ~near[2:-2, 2:-2, 2:-2]).sum() < 0.1 * differs.sum()
        elif name != "brain-blocks":  # the flanks of a block are rest, and not all dark
            assert not differs.any()


@pytest.mark.parametrize("task", ["brain-site", "brain-lesion", "brain-confound"])
def test_lesions_are_dark_and_on_the_side_of_their_class(drawn, task):
    for sample in drawn[task]:
        side = focal.SIDES[sample.label]
        assert sample.signal.any() == (side != 0)
        if side:
            x = GRID.positions_mm()[0][sample.signal]
            assert (np.sign(x) == side).all()
            ratio = sample.data[sample.signal].mean() / sample.twin[sample.signal].mean()
            assert 0.3 < ratio < 0.85


def test_every_class_is_drawn(name):
    labels = {BRAINS[name].draw("test", i).label for i in range(0, 64, 2)}
    assert labels == set(range(len(BRAINS[name].class_names)))


def test_distractors_are_bright_in_half_of_all_and_in_every_class(drawn):
    found = drawn["brain-lesion"]
    with_one = [s for s in found if s.distractor.any()]
    assert 4 <= len(with_one) <= 12
    assert {s.label for s in with_one} == {0, 1, 2}
    for sample in with_one:
        assert not (sample.distractor & sample.signal).any()
        assert sample.data[sample.distractor].mean() > 1.2 * sample.data[sample.valid].mean()


def test_the_gain_follows_the_class_in_training_alone():
    def gains(split):
        some = [BRAINS["brain-confound"].draw(split, i) for i in range(60)]
        logs = [np.log(s.drawn["gain"]) for s in some]
        return np.array([focal.CONFOUND.gains[s.label] for s in some]), np.array(logs)

    by_class, found = gains("train")
    assert np.corrcoef(by_class, found)[0, 1] > 0.9
    by_class, found = gains("test")
    assert abs(np.corrcoef(by_class, found)[0, 1]) < 0.35  # 0 ± 0.13 by chance


def test_relevance_off_the_site_is_wrong_beside_a_confound(drawn):
    for sample in drawn["brain-confound"]:
        assert np.array_equal(sample.signal | sample.distractor, sample.valid)


def test_training_scans_share_subjects_and_test_scans_do_not():
    task, size = BRAINS["brain-site"], SCANS["train"]
    first, same, other = (task.draw("train", i) for i in (0, size - 1, size))
    assert np.array_equal(first.valid, same.valid)
    assert not np.array_equal(first.data, same.data)
    assert not np.array_equal(first.valid, other.valid)
    assert not np.array_equal(task.draw("test", 0).valid, task.draw("test", 1).valid)


def test_ventricles_are_found_without_an_atlas():
    mask = ventricle_mask()
    assert mask.sum() * 8e-3 == pytest.approx(17, abs=2)  # mL
    assert mask[:49].sum() == mask[50:].sum()  # the template is symmetric


def test_the_flow_enlarges_and_never_folds():
    growing, fine = flow(), Grid((99, 117, 95), np.diag([2.0, 2, 2, 1]))
    fine.affine[:3, 3] = growing.grid.affine[:3, 3]
    before, mask = 1.0, ventricle_mask().astype(float)
    assert not growing.at(0.0).any()
    for amplitude in (1.5, 3.0, 4.5):
        change = jacobian(growing.at(amplitude), growing.grid.edge)
        assert change.min() > LEAST
        assert 1 / change.max() > LEAST  # of the map the other way
        read = growing.pull(fine.positions_mm().astype(np.float32), amplitude)
        inside = ndimage.map_coordinates(mask, world_to_index(read, fine.affine), order=1)
        factor = inside.sum() / mask.sum()
        assert factor > before + 0.3
        before = factor
    assert 2.2 < before < 2.8


def test_the_flow_is_a_group():
    """Twice 1.5 mm is 3 mm: what makes steps of one small flow right."""
    growing = flow()
    where = growing.grid.positions_mm()[:, 15:35:3, 20:40:3, 15:35:3].astype(np.float32)
    twice = growing.pull(growing.pull(where, 1.5), 1.5)
    once = growing.pull(where, 3.0)
    moved = np.abs(once - where).max()
    assert moved > 2
    assert np.abs(twice - once).max() < 0.1 * moved


def test_a_fold_is_seen():
    grid = Grid((9, 9, 9), np.diag([2.0, 2, 2, 1]))
    folded = np.zeros((3, 9, 9, 9))
    folded[0] = -1.5 * grid.positions_mm()[0]
    assert jacobian(folded, 2.0) == pytest.approx(-0.5)
    stretched = grid.positions_mm() * 0.25
    assert jacobian(stretched, 2.0) == pytest.approx(1.25**3)


def test_the_twin_of_large_ventricles_has_small_ones(drawn):
    for sample in drawn["brain-ventricles"]:
        mine, other = sample.drawn["amplitude"], sample.drawn["twin_amplitude"]
        assert (mine > other) == (sample.label == 1)
        assert sample.twin_label == 1 - sample.label
        low, high = ventricles.AMPLITUDES[sample.label]
        assert low <= mine <= high
        inner = sample.signal & sample.valid
        darker, brighter = (sample.data, sample.twin)[:: 1 if sample.label else -1]
        assert darker[inner].mean() < brighter[inner].mean()
        outside = np.abs(sample.data - sample.twin)[sample.valid & ~sample.signal].mean()
        assert np.abs(sample.data - sample.twin)[inner].mean() > 5 * outside


def test_the_edge_of_the_signal_is_no_fingerprint(drawn, name):
    """Its slopes stay below the steepest of the anatomy, its detail near that of the twin."""
    found = [rim_of(sample) for sample in drawn[name] if sample.signal.any()]
    assert found
    assert np.mean([rim.slope for rim in found]) < 0.8
    assert np.mean([rim.detail for rim in found]) < 2


def test_the_rim_test_notices_a_hard_edge(drawn):
    sample = next(s for s in drawn["brain-site"] if s.label)
    hard = type(sample)(**{**vars(sample), "data": np.where(sample.signal, 4.0, sample.twin)})
    soft = rim_of(sample)
    assert rim_of(hard).slope > 2 * soft.slope
    assert rim_of(hard).detail > 2 * soft.detail
    with pytest.raises(ValueError, match="no signal"):
        rim_of(next(s for s in drawn["brain-site"] if s.label == 0))
