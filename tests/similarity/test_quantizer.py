"""What a quantizer learns and what its codes are worth."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from lookalike import Features, Pairs
from lookalike.core.errors import InputError, UnknownNameError
from lookalike.search.codebooks import nearest_words, table_distances, words_at
from lookalike.similarity.quantizer import QuantizerModel
from lookalike.similarity.quantizer_settings import resolve_quantizer
from lookalike.similarity.saving import load_model, save_model
from lookalike.similarity.word_means import word_means
from lookalike.training.plan import Epoch


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


def viewed(things: int = 120, views: int = 3, length: int = 12, noise: int = 12) -> tuple[Pairs, Features]:
    """Images that are told apart by some numbers, and views that differ in the others."""
    rng = np.random.default_rng(0)
    shown = np.tile(rng.normal(size=(things, length)), (1 + views, 1))
    vectors = np.hstack([shown, 1.2 * rng.normal(size=(len(shown), noise))])
    names = [f"{n:03}" for n in range(things)]
    ids = names + [f"{name}#view-{v}" for v in range(1, views + 1) for name in names]
    right = [f"{name}#view-{v}" for name in names for v in range(1, views + 1)]
    return Pairs.from_ids([name for name in names for _ in range(views)], right), Features(ids, vectors)


def found_first(model: QuantizerModel, features: Features, things: int) -> float:
    """Return the share of first views whose original is the nearest code."""
    codes = model.codes(features.vectors[:things])
    distances = table_distances(model.tables(features.vectors[things : 2 * things]), codes)
    return float((distances.argmin(axis=1) == np.arange(things)).mean())


def test_training_makes_codes_by_which_views_find_their_originals() -> None:
    pytest.importorskip("torch")
    pairs, features = viewed()
    size = {"books": 4, "words": 32, "length": 6, "reduce": 0}
    untrained = QuantizerModel(epochs=0, **size).fit(pairs, features)
    told: list[Epoch] = []
    trained = QuantizerModel(epochs=60, batch=60, learning_rate=5e-3, **size)
    trained.fit(pairs, features, on_epoch=told.append)
    assert found_first(trained, features, 120) > found_first(untrained, features, 120) + 0.2
    assert [one.epoch for one in told] == list(range(1, 61))
    assert trained.history_[-1]["loss"] < trained.history_[0]["loss"]


@pytest.mark.parametrize("mode", ["corrected", "published"])
def test_tables_and_codes_agree_with_what_codes_stand_for(mode: str) -> None:
    pytest.importorskip("torch")
    pairs, features = viewed(40)
    model = QuantizerModel(mode, books=4, words=8, length=5, epochs=2).fit(pairs, features)
    x, codes = model.mapped(features), model.codes(features)
    assert (codes.dtype, codes.shape, model.codebooks_.shape) == (np.uint8, (160, 4), (4, 8, 5))
    assert model.codebooks_.dtype == np.float32
    apart = (x[:3, None] - words_at(codes, model.codebooks_)[None]).reshape(3, 160, 4, 5).astype(np.float64)
    squared = np.square(apart).sum(axis=3)
    expected = squared.sum(axis=2) if mode == "corrected" else np.sqrt(squared).sum(axis=2)
    np.testing.assert_allclose(table_distances(model.tables(features.vectors[:3]), codes), expected, rtol=1e-4)
    assert np.allclose(np.linalg.norm(x, axis=1), 1) == (mode == "corrected")
    np.testing.assert_array_equal(model.codes(features), codes)
    assert model.bits_ == 12


def test_soft_vectors_become_hard_ones() -> None:
    pairs, features = viewed(40)
    size = {"books": 3, "words": 8, "length": 4, "epochs": 0}
    hard = QuantizerModel(**size).fit(pairs, features)
    soft = QuantizerModel(soft=True, **size).fit(pairs, features)
    sharp = QuantizerModel(soft=True, sharpness=1e7, **size).fit(pairs, features)
    assert np.abs(soft.transform(features) - hard.transform(features)).max() > 0.01
    np.testing.assert_allclose(sharp.transform(features), hard.transform(features), atol=1e-5)


def test_codes_survive_saving(tmp_path: Path) -> None:
    pairs, features = viewed(40)
    model = QuantizerModel(books=3, words=16, length=4, epochs=0, seed=5).fit(pairs, features)
    loaded = load_model(save_model(model, tmp_path / "codes"))
    assert isinstance(loaded, QuantizerModel)
    np.testing.assert_array_equal(loaded.codes(features), model.codes(features))
    np.testing.assert_array_equal(loaded.tables(features), model.tables(features))
    again = QuantizerModel(books=3, words=16, length=4, epochs=0, seed=5).fit(pairs, features)
    np.testing.assert_array_equal(again.codes(features), model.codes(features))


def test_the_published_mode_has_the_published_sizes() -> None:
    made = resolve_quantizer({"mode": "published"}, 50_000)
    assert (made.books, made.words, made.length, made.bits) == (8, 16, 16, 32)
    assert (made.sharpness, made.temperature, made.batch) == (5.0, 0.5, 256)
    assert (made.epochs, made.learning_rate, made.weight_decay) == (2000, 3e-4, 1e-5)


def test_the_published_learning_rate_rises_again() -> None:
    pytest.importorskip("torch")
    from lookalike.training.quantizer import QuantizerPlan, rate_at

    plan = QuantizerPlan(5000, 256, True, 3e-4, 1e-5, "published", False, 5.0, 0.5, 0.0, 0)
    rates = [rate_at(plan, epoch, 7, 195) for epoch in range(500)]
    assert rates[:11] == [3e-4] * 11
    assert rates[10 + 195] == pytest.approx(0, abs=1e-12)
    assert rates[10 + 390] == pytest.approx(3e-4)
    assert rates[10 + 65] == pytest.approx(3e-4 * (1 + math.cos(math.pi / 3)) / 2)
    corrected = QuantizerPlan(10, 256, False, 1e-3, 0.0, "cosine", True, 5.0, 0.5, 1.0, 0)
    falling = [rate_at(corrected, epoch, step, 4) for epoch in range(10) for step in range(4)]
    assert falling == sorted(falling, reverse=True)
    assert falling[0] == 1e-3
    assert 0 < falling[-1] < 1e-5


def test_means_are_those_of_the_rows_that_are_near() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 6)).astype(np.float32)
    found = word_means(rows, books=2, words=4, seed=3)
    codes = nearest_words(rows, found)
    for book, word in product(range(2), range(4)):
        part = rows[codes[:, book] == word, 3 * book : 3 * book + 3]
        assert len(part) > 20
        np.testing.assert_allclose(found[book, word], part.mean(axis=0), atol=0.05)
    lost = np.square(rows - words_at(codes, found)).sum(axis=1).mean()
    assert lost < 0.75 * np.square(rows).sum(axis=1).mean()
    assert (word_means(rows, books=2, words=4, seed=3) == found).all()
    few = word_means(rows[:3, :2], books=1, words=8, seed=0)
    assert np.isfinite(few).all()
    assert few.shape == (1, 8, 2)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"words": 257}, "words is 2 to 256"),
        ({"words": 1}, "words is 2 to 256"),
        ({"books": 0}, "books is at least 1"),
        ({"epochs": -1}, "epochs is a number from 0"),
        ({"temperature": 0.0}, "temperature is above 0"),
        ({"soft": 1}, "soft is True or False"),
        ({"mode": "published", "reduce": 8}, "published mode takes features as they are"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, object], message: str) -> None:
    pairs, features = viewed(10)
    with pytest.raises(InputError, match=message):
        QuantizerModel(**parameters).fit(pairs, features)  # type: ignore[arg-type]


def test_unknown_modes_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean corrected"):
        resolve_quantizer({"mode": "correct"}, 10)
