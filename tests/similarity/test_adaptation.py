"""Adaptation functions: what each form learns, from which images, and what of it needs PyTorch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lookalike.core.errors import InputError, NotFittedError
from lookalike.core.features import Features
from lookalike.core.vectors import unit_rows
from lookalike.judgments.pairs import Pairs
from lookalike.judgments.table import Judgments
from lookalike.metrics.asymmetric import match_ranks_of_vectors
from lookalike.metrics.two_afc import two_afc_accuracy
from lookalike.similarity.adaptation import AdaptationModel
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.model import Examples, SimilarityModel
from lookalike.similarity.reduction import Reduction
from lookalike.similarity.saving import save_model
from lookalike.training.plan import Epoch, Plan

sys.path.insert(0, str(Path(__file__).parent))
from checks import same_fit, some_judgments, some_pairs

needs_torch = pytest.mark.skipif(not find_spec("torch"), reason="needs PyTorch")
QUICK: dict[str, Any] = {"width": 8, "epochs": 3}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    if not find_spec("torch"):
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def masked_judgments(seed: int, images: int = 150, count: int = 1500) -> tuple[Judgments, Features]:
    """People look at four of sixteen numbers; the others are as large."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(images, 16))
    triplets = np.array([rng.choice(images, 3, replace=False) for _ in range(count)])
    seen = unit_rows(vectors[:, :4])
    reference, a, b = (seen[column] for column in triplets.T)
    closer = (reference * a).sum(axis=1) > (reference * b).sum(axis=1)
    names = np.array([f"{seed}-{n}" for n in range(images)])
    return Judgments.from_ids(*names[triplets.T], closer, ~closer), Features(names, vectors)


def noisy_pairs(seed: int, count: int) -> tuple[Pairs, Features]:
    """A latent of eight numbers that the two sides share, and a larger nuisance of sixteen that they do not."""
    rng = np.random.default_rng(seed)
    latent = np.concatenate([rng.normal(size=(count, 8))] * 2)
    names = [f"{side}{n}" for side in "lr" for n in range(count)]
    vectors = np.hstack([latent, 1.5 * rng.normal(size=(2 * count, 16))])
    return Pairs.from_ids(names[:count], names[count:]), Features(names, vectors)


def accuracy(model: SimilarityModel, answers: Judgments, features: Features) -> float:
    distances = model.distances(answers, features)
    return two_afc_accuracy(*distances, answers.votes_a, answers.votes_b, resamples=100).value


def recall(model: SimilarityModel, pairs: Pairs, features: Features) -> float:
    vectors = model.transform(features)
    ranks = match_ranks_of_vectors(vectors[features.rows(pairs.left)], vectors[features.rows(pairs.right)])
    return float(ranks.hits(1).mean())


@pytest.mark.parametrize("examples", [some_pairs, pytest.param(some_judgments, marks=needs_torch)])
def test_auto_is_the_form_that_it_names(examples: Callable[[], tuple[Examples, Features]]) -> None:
    answers, features = examples()
    auto = AdaptationModel(**QUICK).fit(answers, features)
    named = AdaptationModel(auto.settings_["form"], **QUICK).fit(answers, features)
    same_fit(auto, named)
    assert auto.form == "auto"


def test_identity_is_the_components_and_nothing_else() -> None:
    pairs, features = some_pairs()
    plain = AdaptationModel("identity").fit(pairs, features)
    np.testing.assert_allclose(
        plain.transform(features), IdentityModel().fit(pairs, features).transform(features), atol=1e-6
    )
    used = features.vectors[np.sort(features.rows(np.concatenate([pairs.left, pairs.right])))]
    for whiten in (False, True):
        reduced = AdaptationModel("identity", reduce=4, whiten=whiten).fit(pairs, features).transform(features)
        expected = unit_rows(Reduction(4, whiten=whiten).fit(used).transform(features.vectors))
        assert reduced.shape == (len(features), 4)
        np.testing.assert_allclose(reduced @ reduced.T, expected @ expected.T, atol=1e-4)


def test_components_of_the_examples_alone_unless_told_otherwise() -> None:
    pairs, features = some_pairs()
    outside = np.char.startswith(features.ids, "other")
    changed = features.vectors.copy()
    changed[outside] += 5 * np.random.default_rng(0).normal(size=(outside.sum(), 1)) @ np.ones((1, 9))
    mirrored = Features(features.ids, features.vectors[:, ::-1] + 1)

    def components(given: Features, transductive: bool, flipped: Features | None = None) -> NDArray[Any]:
        model = AdaptationModel("identity", reduce=3, transductive=transductive).fit(pairs, given, flipped)
        return model.arrays()["reduction.components"]

    others = Features(features.ids, changed)
    np.testing.assert_array_equal(components(features, False), components(others, False))
    np.testing.assert_array_equal(components(features, False), components(features, False, mirrored))
    assert np.abs(components(features, True) - components(others, True)).max() > 0.01
    assert np.abs(components(features, True) - components(features, True, mirrored)).max() > 0.01
    expected = Reduction(3).fit(np.concatenate([features.vectors, mirrored.vectors])).components_
    np.testing.assert_allclose(np.abs(components(features, True, mirrored)), np.abs(expected), atol=1e-4)


def test_mirrored_pictures_are_needed_of_the_examples_alone() -> None:
    pairs, features = some_pairs()
    inside = ~np.char.startswith(features.ids, "other")
    mirrored = Features(features.ids[inside], features.vectors[inside] + 0.1)
    AdaptationModel("within").fit(pairs, features, mirrored)
    fewer = Features(mirrored.ids[mirrored.ids != "left/3"], mirrored.vectors[mirrored.ids != "left/3"])
    with pytest.raises(InputError, match="'left/3'"):
        AdaptationModel("within").fit(pairs, features, fewer)
    damaged = mirrored.vectors.copy()
    damaged[mirrored.rows(["right/2"])] = np.nan
    with pytest.raises(InputError, match=r"'right/2'.*not finite"):
        AdaptationModel("within", reduce=0).fit(pairs, features, Features(mirrored.ids, damaged))
    with pytest.raises(InputError, match=r"mirrored pictures have 8 numbers, the others 9"):
        AdaptationModel("within").fit(pairs, features, Features(mirrored.ids, mirrored.vectors[:, 1:]))


@needs_torch
@pytest.mark.parametrize("form", ["original", "peterson", "residual"])
@pytest.mark.parametrize("factor", [1e-3, 1e4])
def test_the_unit_of_features_does_not_matter(form: str, factor: float) -> None:
    """Learning rates and scales suit rows of length 1: the model scales to that itself."""
    answers, features = some_judgments()
    other = Features(features.ids, factor * features.vectors)
    one, same = (AdaptationModel(form, reduce=0, **QUICK).fit(answers, given) for given in (features, other))
    np.testing.assert_allclose(same.transform(other), one.transform(features), atol=1e-4)


@needs_torch
def test_without_reduction_the_map_takes_features_as_they_are() -> None:
    pairs, features = some_pairs()
    model = AdaptationModel("original", reduce=0, **QUICK).fit(pairs, features)
    (weights,) = model.members_
    assert model.reduction_ is None
    assert weights["map"].shape == (8, 9)
    expected = np.maximum(features.vectors @ weights["map"].T, 0)
    np.testing.assert_allclose(model.transform(features), unit_rows(expected), atol=1e-5)


@needs_torch
def test_members_differ_and_stand_side_by_side() -> None:
    answers, features = some_judgments()
    model = AdaptationModel("residual", members=3, **QUICK).fit(answers, features)
    assert len(model.members_) == 3
    inner = [member["inner"] for member in model.members_]
    assert not np.array_equal(inner[0], inner[1])
    assert not np.array_equal(inner[1], inner[2])
    vectors = model.transform(features)
    length = vectors.shape[1] // 3
    assert vectors.shape[1] == 3 * length
    for part in np.split(vectors, 3, axis=1):
        np.testing.assert_allclose(np.linalg.norm(part, axis=1), 3**-0.5, atol=1e-5)
    assert [epoch["member"] for epoch in model.history_] == [0] * 3 + [1] * 3 + [2] * 3
    last = [epoch["scale"] for epoch in model.history_ if epoch["epoch"] == 3]
    assert model.scale_ == pytest.approx(np.mean(last))


@needs_torch
def test_the_members_of_one_seed_are_not_those_of_the_next() -> None:
    answers, features = some_judgments()
    first, second = (
        AdaptationModel("residual", members=2, seed=seed, **QUICK).fit(answers, features).members_ for seed in (0, 1)
    )
    inner = [member["inner"] for member in (*first, *second)]
    assert not any(np.array_equal(inner[i], inner[j]) for i in range(4) for j in range(i))


@needs_torch
def test_margins_are_asked_for_where_there_are_grades() -> None:
    answers, features = some_judgments()

    def fitted(grade_margin: float, **columns: Any) -> SimilarityModel:
        ids = answers.references, answers.candidates_a, answers.candidates_b
        graded = Judgments.from_ids(*ids, answers.votes_a, answers.votes_b, **columns)
        return AdaptationModel("residual", reduce=0, grade_margin=grade_margin, **QUICK).fit(graded, features)

    n = len(answers)
    plain = fitted(0.0).transform(features)
    for columns in (
        {},
        {"grades_a": [0] * n, "grades_b": [0] * n},  # never said
        {"grades_a": [2] * n, "grades_b": [0] * n},  # said of one side only
        {"grades_a": [3] * n, "grades_b": [3] * n},  # no difference
        {"grades_a": [5] * n},
    ):
        np.testing.assert_array_equal(fitted(0.2, **columns).transform(features), plain)
    graded = {"grades_a": [1] * n, "grades_b": [4] * n}
    assert np.abs(fitted(0.2, **graded).transform(features) - plain).max() > 1e-3
    np.testing.assert_array_equal(fitted(0.0, **graded).transform(features), plain)
    other = {"grades_a": [4] * n, "grades_b": [1] * n}  # the size of the difference counts
    np.testing.assert_array_equal(fitted(0.2, **graded).transform(features), fitted(0.2, **other).transform(features))


def plans_of(
    monkeypatch: pytest.MonkeyPatch, model: AdaptationModel, examples: Examples, features: Features
) -> list[Plan]:
    """Fit, and return the plans that the training loop was given."""
    from lookalike.training import adaptation

    plans: list[Plan] = []
    train = adaptation.train_adaptation

    def told(*args: Any, **options: Any) -> Any:
        plans.extend(value for value in (*args, *options.values()) if isinstance(value, Plan))
        return train(*args, **options)

    monkeypatch.setattr(adaptation, "train_adaptation", told)
    model.fit(examples, features)
    return plans


@needs_torch
def test_validation_judgments_share_no_image_with_training(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, features = masked_judgments(3, images=60, count=200)
    model = AdaptationModel("residual", validation=0.25, members=2, **QUICK)
    plans = plans_of(monkeypatch, model, answers, features)
    assert len(plans) == 2
    for plan in plans:
        train, held = (answers.take(rows) for rows in (plan.train_rows, plan.validation_rows))
        images = [{*side.references, *side.candidates_a, *side.candidates_b} for side in (train, held)]
        assert all(images)
        assert not images[0] & images[1]
    assert all(epoch["validation_loss"] > 0 for epoch in model.history_)
    assert model.has_seen(list(images[1])).all()  # they chose when to stop


@needs_torch
def test_validation_pairs_are_a_share_drawn_by_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, features = some_pairs()
    drawn = []
    for seed in (0, 0, 1):
        (plan,) = plans_of(
            monkeypatch, AdaptationModel("original", validation=0.2, seed=seed, **QUICK), pairs, features
        )
        assert sorted([*plan.train_rows, *plan.validation_rows]) == list(range(30))
        assert len(plan.validation_rows) == 6
        drawn.append(plan.validation_rows.tolist())
    assert drawn[0] == drawn[1] != drawn[2]
    (whole,) = plans_of(monkeypatch, AdaptationModel("original", **QUICK), pairs, features)
    assert whole.train_rows.tolist() == list(range(30))
    assert not len(whole.validation_rows)


@needs_torch
def test_too_few_examples_for_a_validation_split() -> None:
    pairs, features = some_pairs()
    with pytest.raises(InputError, match=r"validation=0.5 of 1 examples leaves nothing to train on"):
        AdaptationModel("original", validation=0.5).fit(pairs.take(np.arange(1)), features)


@needs_torch
def test_epochs_are_told_and_can_be_broken_off() -> None:
    pairs, features = some_pairs()
    told: list[Epoch] = []
    model = AdaptationModel("original", members=2, **QUICK).fit(pairs, features, on_epoch=told.append)
    assert sorted((epoch.member, epoch.epoch) for epoch in told) == [(m, e) for m in (0, 1) for e in (1, 2, 3)]
    assert [{**epoch} for epoch in model.history_ if epoch["member"] == 1] == model.history_[3:]
    before = model.transform(features)

    def stop(epoch: Epoch) -> None:
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.set_params(width=5, reduce=3).fit(pairs, features, on_epoch=stop)
    np.testing.assert_array_equal(model.transform(features), before)
    unfitted = AdaptationModel("original", **QUICK)
    with pytest.raises(KeyboardInterrupt):
        unfitted.fit(pairs, features, on_epoch=stop)
    with pytest.raises(NotFittedError):
        unfitted.transform(features)


@needs_torch
@pytest.mark.parametrize(
    ("form", "parameters", "gain"),
    [
        ("residual", {"width": 64, "epochs": 30, "batch": 250, "members": 2}, 0.20),
        ("peterson", {"epochs": 100}, 0.25),
        ("original", {"width": 64, "epochs": 100, "learning_rate": 3e-3}, 0.15),
    ],
)
def test_judgments_about_other_images_are_answered_better(form: str, parameters: dict[str, Any], gain: float) -> None:
    """Each form learns which numbers people look at; the features as they are know nothing of it."""
    train, test = masked_judgments(0), masked_judgments(1)
    assert not set(train[1].ids.tolist()) & set(test[1].ids.tolist())
    before = accuracy(IdentityModel().fit(*train), *test)
    assert 0.55 < before < 0.72
    model = AdaptationModel(form, reduce=0, **parameters).fit(*train)
    assert accuracy(model, *test) > before + gain


@needs_torch
def test_matches_among_other_images_are_found_better() -> None:
    train, test = noisy_pairs(0, 300), noisy_pairs(1, 100)
    before = recall(IdentityModel().fit(*train), *test)
    model = AdaptationModel("original", reduce=0, width=96, epochs=60).fit(*train)
    assert recall(model, *test) > before + 0.15
    losses = [epoch["loss"] for epoch in model.history_]
    assert losses[-1] < losses[0] / 1.5


@needs_torch
def test_mirrored_pictures_are_trained_on() -> None:
    pairs, features = some_pairs()
    mirrored = Features(features.ids, features.vectors[:, ::-1])
    alone = AdaptationModel("original", reduce=0, **QUICK).fit(pairs, features)
    twice = AdaptationModel("original", reduce=0, **QUICK).fit(pairs, features, features)
    both = AdaptationModel("original", reduce=0, **QUICK).fit(pairs, features, mirrored)
    np.testing.assert_allclose(twice.transform(features), alone.transform(features), atol=1e-4)
    assert np.abs(both.transform(features) - alone.transform(features)).max() > 0.01


WITHOUT_TORCH = """
import sys
import numpy as np


class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Blocked())
from pathlib import Path
from lookalike import AdaptationModel, Features, IdentityModel, Pairs, load_model

folder = Path(sys.argv[1])
with np.load(folder / "features.npz") as held:
    features = Features(held["ids"], held["vectors"])
for path in sorted(folder.glob("*.safetensors")):
    np.testing.assert_allclose(load_model(path).transform(features), np.load(path.with_suffix(".npy")), atol=1e-6)
assert not {"sklearn", "scipy", "torch"} & set(sys.modules), "only NumPy is needed to apply a model"

names = [f"{side}/{n}" for side in ("left", "right") for n in range(30)]
pairs = Pairs.from_ids(names[:30], names[30:])
for model in (AdaptationModel(), AdaptationModel("within"), AdaptationModel("identity", reduce=3), IdentityModel()):
    assert model.fit(pairs, features).transform(features).shape[0] == len(features)
for form in ("residual", "original", "peterson"):
    model = AdaptationModel(form)
    try:
        model.fit(pairs, features)
    except ValueError as error:
        print(type(error).__name__, error)
    assert not [name for name in vars(model) if name.endswith("_")]
"""


def test_without_torch_models_are_applied_and_closed_forms_fitted(tmp_path: Path) -> None:
    pairs, features = some_pairs()
    np.savez(tmp_path / "features.npz", ids=features.ids, vectors=features.vectors)
    trained = ("original", "peterson", "residual") if find_spec("torch") else ()
    for form in ("within", "identity", *trained):
        model = AdaptationModel(form, reduce=5, **QUICK).fit(pairs, features)
        save_model(model, tmp_path / form)
        np.save(tmp_path / f"{form}.npy", model.transform(features))
    done = subprocess.run([sys.executable, "-c", WITHOUT_TORCH, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    line = 'InputError this form is trained by PyTorch: pip install "lookalike[train]"'
    assert done.stdout.splitlines() == [line] * 3
