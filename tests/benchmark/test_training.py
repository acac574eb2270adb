"""Training: repeatable, resumable, kept; and its networks are explained like any user's."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from g3dvit_napari import api, benchmark
from g3dvit_napari.benchmark.cubes.cell import Cell
from g3dvit_napari.benchmark.tasks import task_named
from g3dvit_napari.benchmark.training import store, tiers, train
from g3dvit_napari.benchmark.training.batches import batches, drawer, indices, label_of
from g3dvit_napari.benchmark.training.loop import fit
from g3dvit_napari.benchmark.training.networks import fresh, spec_of
from g3dvit_napari.benchmark.training.recipe import Recipe, ResNet, ViT
from g3dvit_napari.benchmark.training.store import Place
from g3dvit_napari.benchmark.training.tier_run import run
from g3dvit_napari.core.errors import Cancelled, CheckpointError, MethodError

CELL = Cell(12, 4, 4, places="free", question="content", embedding="plain", noise=0.1)
SMALL = ViT((4, 4, 4), dim=16, depth=1, heads=2, dim_head=8, mlp_dim=32, embedding="plain")
RECIPE = Recipe("small", CELL.name, SMALL, steps=12, batch=8, rate=3e-3)
TASK = task_named(CELL.name)


@pytest.fixture(autouse=True)
def few_tests(monkeypatch):
    monkeypatch.setattr(train, "TESTED", 10)


def weights_of(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def test_equal_recipes_give_equal_networks(tmp_path):
    first, again = (fit(RECIPE, TASK, tmp_path / f"{n}.pt").network for n in "ab")
    assert torch.equal(weights_of(first), weights_of(again))
    other = fit(RECIPE.with_seed(1), TASK, tmp_path / "c.pt").network
    assert not torch.equal(weights_of(first), weights_of(other))


@pytest.mark.parametrize("recipe", [RECIPE, replace(RECIPE, samples=20, one_cycle=False, easy=0)])
def test_a_training_that_was_stopped_ends_where_it_would_have(tmp_path, recipe):
    def stop(fraction, _word):
        if fraction > 0.5:
            raise Cancelled("stopped")

    whole = fit(recipe, TASK, tmp_path / "whole.pt").network
    with pytest.raises(Cancelled):
        fit(recipe, TASK, tmp_path / "part.pt", stop)
    seen = []
    resumed = fit(recipe, TASK, tmp_path / "part.pt", lambda _, word: seen.append(word)).network
    assert len(seen) == 5
    assert torch.equal(weights_of(resumed), weights_of(whole))
    assert not resumed.training


def test_the_global_random_state_is_left_alone(tmp_path):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    fit(RECIPE, TASK, tmp_path / "x.pt")
    assert torch.equal(torch.get_rng_state(), before)


def test_batches_depend_on_the_step_and_not_on_their_size():
    spec = spec_of(RECIPE, TASK)
    small = [label for _, labels in batches(RECIPE, TASK, spec) for label in labels.tolist()]
    double = replace(RECIPE, batch=16, steps=6)
    large = [label for _, labels in batches(double, TASK, spec) for label in labels.tolist()]
    assert small == large
    later = next(batches(RECIPE, TASK, spec, first=5))[0]
    assert torch.equal(later, list(batches(RECIPE, TASK, spec))[5][0])


def test_every_epoch_sees_every_volume_once():
    recipe = replace(RECIPE, samples=20, steps=5)
    seen = np.concatenate([indices(recipe, step) for step in range(5)])
    assert sorted(seen[:20]) == sorted(seen[20:40]) == list(range(20))
    assert list(seen[:20]) != list(seen[20:40])


def test_an_easy_start_has_no_noise():
    recipe = replace(RECIPE, easy=0.5)
    spec = spec_of(recipe, TASK)
    deviations = [
        float(images.std(dim=(2, 3, 4)).min()) for images, _ in batches(recipe, TASK, spec)
    ]
    clean = [float(i.std(dim=(2, 3, 4)).min()) for i, _ in batches(RECIPE, TASK, spec)]
    assert deviations[0] < clean[0]
    assert deviations[-1] == clean[-1]
    with pytest.raises(MethodError, match="cannot begin easily"):
        next(batches(replace(recipe, samples=20), TASK, spec))


def test_permuted_labels_have_nothing_to_do_with_the_volume():
    permuted = replace(RECIPE, permuted=True)
    samples = [TASK.draw("test", i) for i in range(200)]
    taught = [label_of(s, i, permuted, "test", 2) for i, s in enumerate(samples)]
    agree = np.mean([t == s.label for t, s in zip(taught, samples, strict=True)])
    assert 0.35 < agree < 0.65
    assert set(taught) == {0, 1}


@pytest.mark.parametrize("network", [SMALL, ResNet((4, 8))], ids=["vit", "resnet"])
def test_a_trained_network_is_explained_like_any_other(tmp_path, monkeypatch, network):
    recipe = replace(RECIPE, network=network)
    monkeypatch.setitem(tiers.MODELS, recipe.id, recipe)
    found = train.train_one(recipe, tmp_path)
    model = benchmark.trained(recipe.id, tmp_path)
    assert found.count == 10
    assert model.class_names == CELL.class_names
    sample = benchmark.samples(recipe.id, "test", 1)[0]
    explanation = api.explain(sample.volume, model, "hires_cam")
    assert explanation.relevance.shape == sample.data.shape
    assert np.array_equal(explanation.relevance.affine, sample.affine)


def test_the_report_can_be_repeated(tmp_path, monkeypatch):
    monkeypatch.setitem(tiers.MODELS, RECIPE.id, RECIPE)
    found = train.train_one(RECIPE, tmp_path)
    assert benchmark.report(RECIPE.id, tmp_path) == found
    model = benchmark.trained(RECIPE.id, tmp_path)
    samples = benchmark.samples(RECIPE.id, "test", 10)
    right = [api.predict(s.volume, model).predicted == s.label for s in samples]
    assert np.mean(right) == found.accuracy
    assert found.settings["task"] == CELL.name
    assert [share.count for share in found.shares] == [
        sum(s.label == c for s in samples) for c in (0, 1)
    ]


def test_what_is_there_is_not_trained_again(tmp_path):
    train.train_one(RECIPE, tmp_path)
    place = Place(tmp_path, RECIPE)
    before = place.weights.stat().st_mtime_ns
    heard = []
    again = run([RECIPE], tmp_path, lambda _, word: heard.append(word))
    assert not heard
    assert place.weights.stat().st_mtime_ns == before
    assert again[0].id == "small-seed0"
    assert not place.unfinished.exists()


def test_other_settings_are_another_network(tmp_path):
    digests = {
        r.digest for r in (RECIPE, RECIPE.with_seed(1), replace(RECIPE, rate=1e-3, steps=13))
    }
    assert len(digests) == 3
    train.train_one(RECIPE, tmp_path)
    with pytest.raises(CheckpointError, match="train it first"):
        Place(tmp_path, RECIPE.with_seed(1)).read_report()


@pytest.mark.slow
def test_two_processes_train_the_same_networks(tmp_path):
    recipes = [RECIPE, RECIPE.with_seed(1)]
    heard = []
    run(
        recipes,
        tmp_path / "two",
        lambda fraction, _: heard.append(fraction),
        device="cpu",
        processes=2,
    )
    run(recipes, tmp_path / "one", device="cpu")
    for recipe in recipes:
        two, one = (Place(tmp_path / name, recipe).load("cpu").network for name in ("two", "one"))
        assert torch.equal(weights_of(two), weights_of(one))
    assert heard == sorted(heard)


def test_names_of_networks_and_tiers():
    assert tiers.recipe_of("cubes-a-seed7").seed == 7
    with pytest.raises(MethodError, match="no benchmark network named 'cubes-a'"):
        tiers.recipe_of("cubes-a")
    with pytest.raises(MethodError, match="no tier named 'week'"):
        benchmark.train("week")
    with pytest.raises(MethodError, match="begins with 'knee'"):
        benchmark.train("ci", only="knee")
    found = tiers.chosen("nightly", "cubes-a, brain-site-seed2", (1, 2))
    assert [one.id for one in found] == ["cubes-a-seed1", "cubes-a-seed2", "brain-site-seed2"]
    assert len(tiers.MODELS) == len({recipe.digest for recipe in tiers.MODELS.values()})


@pytest.mark.parametrize("recipe", tiers.MODELS.values(), ids=lambda recipe: recipe.id)
def test_every_network_of_every_tier_fits_its_task(recipe):
    if recipe.seed or recipe.model == "published":
        return
    task = task_named(recipe.task)
    spec = spec_of(recipe, task)
    assert spec.missing == ()
    image = torch.from_numpy(drawer(recipe, task, 0)("test", 0).data)
    axes = ["xyz".index(letter) for letter in task.input.tensor_axes]
    with torch.no_grad():
        logits = fresh(recipe, task).eval()(image.permute(axes)[None, None])
    assert logits.shape == (1, len(task.class_names))


def test_the_published_size_is_in_the_tier_for_gpus():
    published = tiers.tier_named("gpu")[0]
    assert (published.network.dim, published.network.depth, published.batch) == (1024, 6, 16)
    assert (published.steps, published.rate, published.decay) == (4000, 1e-4, 0.0)
    assert not published.one_cycle


def test_the_folder_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv(store.VARIABLE, str(tmp_path))
    assert store.usual_folder() == tmp_path
    monkeypatch.delenv(store.VARIABLE)
    assert store.usual_folder().parts[-2:] == ("g3dvit-napari", "benchmark")


def test_one_network_begins_where_another_ended(tmp_path):
    later = replace(RECIPE, model="later", rate=1e-9, steps=1, after=RECIPE)
    train.train_one(later, tmp_path)
    before, after = (Place(tmp_path, r).load("cpu").network for r in (RECIPE, later))
    assert torch.allclose(weights_of(before), weights_of(after), atol=1e-6)
    assert later.with_seed(3).after == RECIPE.with_seed(3)
    assert "after" not in RECIPE.settings
    assert later.digest != replace(later, after=replace(RECIPE, steps=11)).digest


def test_side_by_side_a_network_waits_for_the_one_it_begins_with(tmp_path):
    later = replace(RECIPE, model="later", steps=1, after=RECIPE)
    reports = run([later, RECIPE], tmp_path, processes=2)
    assert [report.id for report in reports] == [later.id, RECIPE.id]


def test_labels_by_chance_are_learned_by_heart_from_few_volumes(tmp_path):
    loud = replace(SMALL, positions=0.5, gain=3.0)
    recipe = replace(RECIPE, network=loud, samples=8, steps=150, permuted=True, one_cycle=False)
    report = train.train_one(recipe, tmp_path)
    assert report.by_heart == 1.0
    assert report.accuracy < 1.0
    assert train.train_one(RECIPE, tmp_path).by_heart is None
