"""Within-pair whitening against closed forms, and what it does for pairs that differ in a nuisance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.vectors import unit_rows
from lookalike.judgments.pairs import Pairs
from lookalike.metrics.asymmetric import match_ranks_of_vectors
from lookalike.similarity.adaptation import AdaptationModel
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.model import SimilarityModel
from lookalike.similarity.within import within_pair_whitening


def differences(count: int, length: int, seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, length)) @ rng.normal(size=(length, length))).astype(np.float32)


def plain(D: NDArray[np.float32], shrinkage: float) -> NDArray[np.float64]:
    """Take the inverse square root by a singular value decomposition, in float64."""
    moment = sum(np.outer(row, row) for row in D.astype(np.float64)) / len(D)
    shrunk = (1 - shrinkage) * moment + shrinkage * np.trace(moment) / len(moment) * np.eye(len(moment))
    left, values, right = np.linalg.svd(shrunk)
    return np.asarray(left @ np.diag(values**-0.5) @ right)


def nuisance_pairs(seed: int, count: int) -> tuple[Pairs, Features]:
    """A latent of six numbers that the two sides share, and a larger nuisance of twelve that they do not, turned."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(np.random.default_rng(99).normal(size=(24, 24)))[0]
    latent = np.concatenate([rng.normal(size=(count, 6))] * 2)
    nuisance, rest = 2 * rng.normal(size=(2 * count, 12)), 0.1 * rng.normal(size=(2 * count, 6))
    names = [f"{side}{n}" for side in "lr" for n in range(count)]
    return Pairs.from_ids(names[:count], names[count:]), Features(names, np.hstack([latent, nuisance, rest]) @ turn)


def recall(model: SimilarityModel, pairs: Pairs, features: Features) -> float:
    vectors = model.transform(features)
    ranks = match_ranks_of_vectors(vectors[features.rows(pairs.left)], vectors[features.rows(pairs.right)])
    return float(ranks.hits(1).mean())


@pytest.mark.parametrize("shrinkage", [0.01, 0.5, 0.9])
def test_along_the_axes_it_is_one_over_the_root(shrinkage: float) -> None:
    spread = np.array([4.0, 1.0, 0.25], np.float32)
    found = within_pair_whitening(np.diag(spread), shrinkage)  # one difference per axis: moments of spread^2 / 3
    moments = spread.astype(np.float64) ** 2 / 3
    expected = ((1 - shrinkage) * moments + shrinkage * moments.mean()) ** -0.5
    np.testing.assert_allclose(found, np.diag(expected), rtol=1e-5, atol=1e-6)
    assert found.dtype == np.float32


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 12), st.floats(0.05, 1), st.integers(0, 99))
def test_agrees_with_a_plain_inverse_root(count: int, length: int, shrinkage: float, seed: int) -> None:
    D = differences(count, length, seed)
    found = within_pair_whitening(D, shrinkage)
    expected = plain(D, shrinkage)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(found, found.T, atol=1e-5 * np.abs(found).max())
    assert np.linalg.eigvalsh(found).min() > 0


def test_little_shrinkage_spreads_differences_evenly() -> None:
    D = differences(300, 6, seed=1)
    mapped = D @ within_pair_whitening(D, 1e-6)
    np.testing.assert_allclose(mapped.T @ mapped / len(D), np.eye(6), atol=0.01)


def test_full_shrinkage_leaves_all_directions_alike() -> None:
    D = differences(20, 5, seed=2)
    found = within_pair_whitening(D, 1.0)
    factor = (np.square(D, dtype=np.float64).sum() / D.size) ** -0.5
    np.testing.assert_allclose(found, factor * np.eye(5), rtol=1e-5, atol=1e-6 * factor)


def test_neither_sign_nor_order_nor_unit_of_differences_matters() -> None:
    D = differences(30, 5, seed=3)
    found = within_pair_whitening(D, 0.3)
    signs = np.where(np.arange(30) % 2, 1, -1)[:, None].astype(np.float32)
    np.testing.assert_allclose(within_pair_whitening((signs * D)[::-1], 0.3), found, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(within_pair_whitening(100 * D, 0.3), found / 100, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("shrinkage", [0.0, -0.1, 1.01, np.nan])
def test_shrinkage_is_checked(shrinkage: float) -> None:
    with pytest.raises(InputError, match="shrinkage is above 0 and up to 1, not"):
        within_pair_whitening(differences(9, 3, seed=0), shrinkage)


def test_pairs_that_do_not_differ_teach_nothing() -> None:
    with pytest.raises(InputError, match="the two images of every pair have the same features"):
        within_pair_whitening(np.zeros((4, 3), np.float32), 0.5)
    features = Features(["a", "b", "c", "d"], np.eye(4)[[0, 0, 1, 1]])
    with pytest.raises(InputError, match="the two images of every pair have the same features"):
        AdaptationModel("within").fit(Pairs.from_ids(["a", "c"], ["b", "d"]), features)


def test_matches_are_found_despite_a_nuisance() -> None:
    """On pairs that it was not fitted on; the features as they are find 3% of them first."""
    train, test = nuisance_pairs(0, 300), nuisance_pairs(1, 200)
    found = [recall(AdaptationModel("within", shrinkage=s).fit(*train), *test) for s in (0.5, 0.1, 0.01)]
    plain_recall = recall(IdentityModel().fit(*train), *test)
    assert plain_recall < 0.1
    assert found[0] > plain_recall + 0.05
    assert found[1] > 0.5
    assert found[2] > 0.9
    shrunk = AdaptationModel("within", shrinkage=1.0).fit(*train)
    assert recall(shrunk, *test) == pytest.approx(recall(AdaptationModel("identity", reduce=24).fit(*train), *test))


def test_mirrored_pictures_are_more_differences() -> None:
    """Every view of the left against every view of the right: the same view twice changes nothing."""
    pairs, features = nuisance_pairs(2, 60)
    alone = AdaptationModel("within").fit(pairs, features).transform(features)
    twice = AdaptationModel("within").fit(pairs, features, flipped=features).transform(features)
    np.testing.assert_allclose(twice, alone, atol=1e-5)
    noise = np.random.default_rng(0).normal(size=features.vectors.shape)
    mirrored = Features(features.ids, features.vectors + noise)
    model = AdaptationModel("within", reduce=0).fit(pairs, features, mirrored)
    left, right = ([view.vectors[view.rows(ids)] for view in (features, mirrored)] for ids in (pairs.left, pairs.right))
    apart = np.concatenate([left[0] - right[0], left[0] - right[1], left[1] - right[0], left[1] - right[1]])
    expected = unit_rows(features.vectors @ within_pair_whitening(apart, 0.5))
    np.testing.assert_allclose(model.transform(features), expected, atol=1e-5)
    assert np.abs(expected - AdaptationModel("within", reduce=0).fit(pairs, features).transform(features)).max() > 0.01
