"""What the tests of ensembles share: a small world, models over it, and a few words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.ensembles.base import Ensemble
from lookalike.judgments.table import Judgments
from lookalike.similarity.model import SimilarityModel
from lookalike.similarity.selected import SelectedModel

SPANS = ((0, 3), (3, 6), (1, 9))
Make = Callable[[Sequence[SimilarityModel]], Ensemble]


def some_judgments(seed: int = 0, count: int = 80) -> tuple[Judgments, Features]:
    """Whole votes by three of nine numbers: which, depends on the reference; and features of more images."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(50, 9))
    triplets = np.array([rng.choice(40, 3, replace=False) for _ in range(count)])
    start = np.where(vectors[triplets[:, 0], 8] > 0, 0, 3)
    columns = start[:, None] + np.arange(3)
    reference, a, b = (vectors[column[:, None], columns] for column in triplets.T)
    gap = ((reference - b) ** 2).sum(axis=1) - ((reference - a) ** 2).sum(axis=1)
    votes = rng.binomial(3, 1 / (1 + np.exp(-gap)))
    names = np.array([f"{n:03}.jpg" for n in range(50)])
    order = rng.permutation(50)
    return Judgments.from_ids(*names[triplets.T], votes, 3 - votes), Features(names[order], vectors[order])


def some_models(judgments: Judgments, features: Features) -> list[SimilarityModel]:
    """Three that look at numbers of their own."""
    return [SelectedModel(columns=span).fit(judgments, features) for span in SPANS]


def fit(make: Make, judgments: Judgments, features: Features, **options: Any) -> Ensemble:
    return make(some_models(judgments, features)).fit(judgments, features, **options)


def published(ensemble: Ensemble) -> bool:
    return getattr(ensemble, "mode", None) == "published"


def references_of(judgments: Judgments, features: Features) -> NDArray[np.float32]:
    return features.vectors[features.rows(judgments.references)]


def without(features: Features, image: str) -> Features:
    kept = features.ids != image
    return Features(features.ids[kept], features.vectors[kept])


def same_fit(one: Ensemble, other: Ensemble, atol: float = 0.0) -> None:
    left, right = one.arrays(), other.arrays()
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_allclose(left[name], right[name], rtol=0, atol=atol, err_msg=name)


def refusal(match: str) -> Any:
    return pytest.raises(InputError, match=match)
