"""Context models are held against answers that nothing of theirs has met."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lookalike.core.features import Features  # noqa: E402
from lookalike.core.progress import silent  # noqa: E402
from lookalike.jobs.context_measures import measure_contexts  # noqa: E402
from lookalike.judgments.table import Judgments  # noqa: E402
from lookalike.similarity.context import ContextModel  # noqa: E402

SMALL = {"reduce": 0, "width": 32, "members": 1, "dropout": 0.0}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def by_chance(count: int = 300, images: int = 60, seed: int = 0) -> tuple[Judgments, Features]:
    """Answers that nothing foretells, in two contexts without common images; they are easily learned by heart."""
    rng = np.random.default_rng(seed)
    rows, contexts = [], []
    for number in range(count):
        half = number % 2
        rows.append(rng.choice(images // 2, 3, replace=False) + half * images // 2)
        contexts.append(("left", "right")[half])
    names = np.array([f"{number:02}" for number in range(images)])
    votes = rng.integers(0, 2, count)
    judgments = Judgments.from_ids(*names[np.array(rows).T], votes, 1 - votes, context=contexts)
    return judgments, Features(names, rng.normal(size=(images, 40)))


@pytest.mark.parametrize(("by", "warm"), [("image", False), ("image", True), ("reference", True)])
def test_answers_by_chance_are_not_foretold(by: str, warm: bool) -> None:
    """A model that had met the answers, or started from one that had, would agree with most."""
    judgments, features = by_chance()
    start = ContextModel(**SMALL, epochs=20, batch=32, learning_rate=0.01).fit(judgments, features) if warm else None
    by_heart = start or ContextModel(**SMALL, epochs=20, batch=32, learning_rate=0.01).fit(judgments, features)
    a, b = by_heart.distances(judgments, features)
    assert ((a < b) == (judgments.votes_a > 0)).mean() > 0.9
    made = (
        ContextModel(start=start, epochs=5) if warm else ContextModel(**SMALL, epochs=20, batch=32, learning_rate=0.01)
    )
    learned = {name: judgments.context.values() == name for name in ("left", "right")}  # type: ignore[union-attr]
    models = {name: made.fresh() for name in learned}
    found = measure_contexts(models, learned, judgments, features, by, 3, 0, silent)  # type: ignore[arg-type]
    for one in found.values():
        assert one is not None
        assert (one.start is not None) == (one.over_start is not None) == warm
        assert one.embedding.divisions == 3
        if by != "image":
            assert one.embedding.tested == 150
        agreed = [one.embedding.model["votes"], one.head, *([one.start] if one.start else [])]
        assert all(abs(value.value - 0.5) < 3.5 * 0.5 / np.sqrt(one.embedding.tested) for value in agreed)
        assert json.loads(json.dumps(one.as_dict()))["head"]["n"] == one.embedding.tested


def test_one_reference_alone_cannot_be_held_out_by_image() -> None:
    rng = np.random.default_rng(0)
    names = np.array([f"{number:02}" for number in range(30)])
    pairs = np.array([rng.choice(29, 2, replace=False) + 1 for _ in range(60)])
    features = Features(names, rng.normal(size=(30, 6)))
    votes = rng.integers(0, 2, 60)
    judgments = Judgments.from_ids(["00"] * 60, *names[pairs.T], votes, 1 - votes)
    everything = {"alone": np.ones(60, bool)}
    models = {"alone": ContextModel(**SMALL, epochs=2)}
    found = measure_contexts(models, everything, judgments, features, "image", 3, 0, silent)
    assert found["alone"] is None
    found = measure_contexts(models, everything, judgments, features, "question", 3, 0, silent)
    assert found["alone"] is not None
    assert found["alone"].as_dict()["head"]["low"] is None  # one reference has no interval


def test_a_global_model_learns_from_every_context_before_it_is_tested_in_one() -> None:
    judgments, features = by_chance()
    found = measure_contexts(
        {"all": ContextModel(**SMALL, epochs=2)},
        {"all": np.ones(300, bool)},
        judgments,
        features,
        "image",
        2,
        0,
        silent,
    )["all"]
    assert found is not None
    assert found.embedding.train > 20  # dealt without regard to contexts, two folds would be the two contexts
