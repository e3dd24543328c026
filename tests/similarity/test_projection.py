"""Projection models: what they gain, what they never lose, and what they refuse."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike import Features, Judgments, Pairs, ProjectionModel, load_model, save_model
from lookalike.core.errors import InputError, UnknownNameError
from lookalike.core.vectors import unit_rows
from lookalike.similarity.prepared_things import Grouped, _widest, divided, whitened_base
from lookalike.similarity.projection_settings import resolve_projection
from lookalike.training.things import Things

VIEWS = 4


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


def world(things: int = 300, nuisance: float = 3.0, latent: int = 8, seed: int = 0) -> tuple[Pairs, Features]:
    """Originals and views that share a latent; what differs between views lies in other directions, and is larger."""
    rng = np.random.default_rng(seed)
    shared = np.repeat(rng.normal(size=(things, latent)), VIEWS + 1, axis=0)
    own = nuisance * rng.normal(size=(len(shared), 12))
    turn = np.linalg.qr(np.random.default_rng(99).normal(size=(latent + 12, latent + 12)))[0]
    rows = np.hstack([shared + 0.15 * rng.normal(size=shared.shape), own]) @ turn + 0.5
    names = [f"{n:04}" + (f"#view-{v}" if v else "") for n in range(things) for v in range(VIEWS + 1)]
    views = [name for name in names if "#" in name]
    return Pairs.from_ids([name[:4] for name in views], views), Features(names, rows)


def recall(transform: Any, seed: int = 7, **options: Any) -> float:
    """Return how often a view finds its original first, of a world that nobody trained on."""
    _, features = world(things=200, seed=seed, **options)
    vectors = transform(features.vectors)
    queries = np.arange(len(vectors)) % (VIEWS + 1) > 0
    nearest = (vectors[queries] @ vectors[~queries].T).argmax(axis=1)
    return float((nearest == np.flatnonzero(queries) // (VIEWS + 1)).mean())


@pytest.mark.parametrize("epochs", [0, None])
def test_things_that_nobody_trained_on_are_found(epochs: int | None) -> None:
    if epochs is None:
        pytest.importorskip("torch")
    model = ProjectionModel(epochs=epochs).fit(*world())
    assert recall(unit_rows) < 0.3
    assert recall(model.transform) > 0.9
    assert model.kept_ == ("start" if epochs == 0 else "trained")


@pytest.mark.parametrize(
    "parameters",
    [
        {"loss": "semi-hard", "learning_rate": 0.003},
        {"loss": "curriculum", "learning_rate": 0.003, "stages": 2},
        {"head": "residual", "hidden": 16},
        {"pairing": "given"},
        {"mode": "published", "hidden": 64, "length": 32, "learning_rate": 0.1, "epochs": 60, "batch": 64},
    ],
    ids=lambda parameters: "-".join(map(str, parameters.values())),
)
def test_every_kind_of_training_gains(parameters: dict[str, Any]) -> None:
    pytest.importorskip("torch")
    model = ProjectionModel(**parameters).fit(*world())
    assert recall(model.transform) > (0.5 if "mode" in parameters else 0.85)


@pytest.mark.parametrize("things", [2, 5, 20])
def test_few_things_do_no_harm(things: int) -> None:
    """With views that hardly differ the features are as good as they can be, and stay about so."""
    pytest.importorskip("torch")
    pairs, features = world(things=things, nuisance=0.3)
    model = ProjectionModel().fit(pairs, features)
    assert recall(model.transform, nuisance=0.3) > recall(unit_rows, nuisance=0.3) - 0.05


def test_features_that_are_better_as_they_are_are_kept() -> None:
    """Pairs that teach the wrong: their pictures differ in what tells things apart."""
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    # Numbers of one sign far from zero: what tells things apart is how long the few others are beside them.
    rows = np.repeat(rng.normal(size=(100, 6)), 2, axis=0)
    rows[1::2] += 1e-3 * rng.normal(size=(100, 6))
    pairs = Pairs.from_ids([f"{n:03}a" for n in range(100)], [f"{n:03}b" for n in range(100)])
    features = Features([f"{n:03}{side}" for n in range(100) for side in "ab"], rows)
    model = ProjectionModel(reduce=1, epochs=1, learning_rate=1e-6).fit(pairs, features)
    assert model.kept_ == "features"
    np.testing.assert_array_equal(model.transform(features), unit_rows(features.vectors))


def test_a_model_that_keeps_the_features_is_saved(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(size=(100, 6)), 2, axis=0)
    pairs = Pairs.from_ids([f"{n:03}a" for n in range(100)], [f"{n:03}b" for n in range(100)])
    features = Features([f"{n:03}{side}" for n in range(100) for side in "ab"], rows)
    model = ProjectionModel(reduce=1, epochs=1).fit(pairs, features)
    loaded = load_model(save_model(model, tmp_path / "model"))
    np.testing.assert_array_equal(loaded.transform(features), model.transform(features))


def test_flipped_pictures_are_learned_from() -> None:
    pairs, features = world(things=60)
    flipped = Features(features.ids, features.vectors[:, ::-1].copy())
    plain, both = (ProjectionModel(epochs=0).fit(pairs, features, other) for other in (None, flipped))
    assert np.abs(plain.transform(features) - both.transform(features)).max() > 1e-3


def test_published_is_what_the_source_says() -> None:
    settings = resolve_projection({"mode": "published"})
    plan = settings.plan(np.arange(3), np.arange(0))
    assert (settings.head, settings.hidden, settings.length, settings.temperature) == ("mlp", 1000, 1000, 0.05)
    assert (plan.optimiser, plan.weight_decay, plan.batch, plan.epochs) == ("sgd", 1e-3, 256, 15)
    assert (plan.pairing, plan.whole_batches, plan.cosine, settings.validation) == ("given", True, False, 0.0)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epochs": -1}, "epochs is at least 0, not -1"),
        ({"batch": 1}, "batch is at least 2"),
        ({"temperature": 0.0}, "temperature is above 0"),
        ({"validation": 1.0}, "validation is at least 0 and below 1"),
        ({"shrinkage": 1.0}, "shrinkage is at least 0 and below 1"),
        ({"pull": -1.0}, "pull is not negative"),
        ({"seed": -1}, "seed is a number from 0"),
        ({"epochs": 2.5}, "epochs is a whole number"),
        ({"length": 8}, "gives as many numbers as it takes"),
        ({"head": "mlp", "length": 0}, "needs a length"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ProjectionModel(**parameters).fit(*world(things=4))


@pytest.mark.parametrize("name", ["mode", "loss", "head", "pairing", "optimiser"])
def test_unknown_choices_are_refused(name: str) -> None:
    with pytest.raises(UnknownNameError, match=f"no {name} 'other'"):
        ProjectionModel(**{name: "other"}).fit(*world(things=4))


def test_judgments_and_a_single_thing_are_refused() -> None:
    judgments = Judgments.from_ids(["0000"], ["0001"], ["0002"], [1], [0])
    _, features = world(things=4)
    with pytest.raises(InputError, match="learned from pairs, not from judgments"):
        ProjectionModel().fit(judgments, features)
    with pytest.raises(InputError, match="all pairs show the same thing"):
        ProjectionModel().fit(Pairs.from_ids(["0000"], ["0001"]), features)


def test_directions_are_about_the_principal_ones() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(400, 120)) * np.geomspace(1, 1e-2, 120)).astype(np.float32)
    rows -= rows.mean(axis=0)
    for wanted in (20, 60):
        turn = _widest(rows, wanted, np.random.default_rng(1))
        np.testing.assert_allclose(turn.T @ turn, np.eye(wanted), atol=1e-5)
        best = np.sort(np.linalg.eigvalsh(rows.T @ rows))[-wanted:].sum()
        assert ((rows @ turn) ** 2).sum() > 0.97 * best
    few = rows[:30]
    turn = _widest(few, 50, np.random.default_rng(1))
    np.testing.assert_allclose((few @ turn) @ turn.T, few, atol=1e-5)


def test_a_base_is_that_of_the_things_it_is_given() -> None:
    pairs, features = world(things=40)
    thing = np.arange(len(features)) // (VIEWS + 1)
    things = Things.of(features.rows(pairs.left), features.rows(pairs.right), thing)
    changed = features.vectors.copy()
    changed[thing >= 30] *= 100
    bases = [whitened_base(Grouped(rows, things), np.arange(30), 10, 0.1, 0) for rows in (features.vectors, changed)]
    np.testing.assert_array_equal(bases[0].turn, bases[1].turn)
    rows = bases[0].apply(features.vectors[thing < 30])
    assert np.linalg.norm(rows, axis=1).mean() == pytest.approx(1, rel=1e-4)


def test_things_are_held_out_by_chance() -> None:
    train, held = divided(200, 0.25, 3)
    assert sorted([*train, *held]) == list(range(200))
    assert len(held) == 50
    assert divided(200, 0.25, 4)[1].tolist() != held.tolist()
    assert [len(part) for part in divided(9, 0.99, 0)] == [9, 0]


def test_a_head_in_closed_form_needs_no_torch() -> None:
    code = (
        "import sys, numpy as np\n"
        "from lookalike import Features, Pairs, ProjectionModel\n"
        "rng = np.random.default_rng(0)\n"
        "features = Features([f'{n}' for n in range(40)], rng.normal(size=(40, 6)))\n"
        "pairs = Pairs.from_ids([f'{n}' for n in range(20)], [f'{n + 20}' for n in range(20)])\n"
        "ProjectionModel(epochs=0).fit(pairs, features).transform(features)\n"
        "print(' '.join(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert {name.split(".")[0] for name in out.split()}.isdisjoint({"torch", "sklearn", "scipy", "faiss", "lancedb"})
