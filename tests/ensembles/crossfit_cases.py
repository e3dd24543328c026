"""What the tests of divisions and of distances out of fold share: answers about several contexts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.features import Features
from lookalike.ensembles.division import divide
from lookalike.judgments.splits import By
from lookalike.judgments.table import Judgments


def contexts(count: int = 3, each: int = 60, shared: int = 0, seed: int = 0) -> tuple[Judgments, Features]:
    """Answers about contexts that have `shared` of 20 images in common, in an order of chance; and 12-d features."""
    rng = np.random.default_rng(seed)
    references, a, b, names = [], [], [], []
    for number in range(count):
        pool = [f"{number}-{n:02}" if n >= shared else f"all-{n:02}" for n in range(20)]
        for _ in range(each):
            reference, one, two = rng.choice(pool, 3, replace=False)
            references.append(reference)
            a.append(one)
            b.append(two)
            names.append(str(number))
    order = rng.permutation(len(references))
    columns = [np.array(column)[order] for column in (references, a, b)]
    yes = rng.integers(0, 2, len(order))
    judgments = Judgments.from_ids(*columns, yes, 1 - yes, context=np.array(names)[order].tolist())
    return judgments, Features(judgments.ids, rng.normal(size=(len(judgments.ids), 12)))


def own_of(judgments: Judgments, count: int) -> NDArray[np.bool_]:
    assert judgments.context is not None
    labels = judgments.context.names[judgments.context.codes]
    return np.stack([labels == str(number) for number in range(count)])


def divided(judgments: Judgments, own: NDArray[np.bool_], by: By = "image", folds: int = 4) -> Any:
    return divide(judgments, own, by, folds, seed=0)
