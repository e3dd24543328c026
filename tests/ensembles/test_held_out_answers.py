"""Members and ensembles on answers held out: nothing that judges has met what it is asked."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from lookalike.core.features import Features
from lookalike.ensembles.gate import GateEnsemble
from lookalike.ensembles.held_out import held_out_answers
from lookalike.ensembles.vote import VoteEnsemble
from lookalike.judgments.splits import By
from lookalike.judgments.table import Judgments
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.model import SimilarityModel

sys.path.insert(0, str(Path(__file__).parent))
from crossfit_cases import contexts, own_of


@pytest.mark.parametrize("by", ["image", "reference", "question"])
def test_everything_is_judged_by_what_was_not_told(by: By) -> None:
    judgments, features = contexts(count=3, each=60)
    own = own_of(judgments, 3)
    models: dict[str, SimilarityModel] = {
        f"context {number}": IdentityModel().fit(judgments.take(mine), features) for number, mine in enumerate(own)
    }
    models["plain"] = IdentityModel.of(12)
    learned = dict(zip(models, [*own, np.zeros(len(judgments), bool)], strict=True))
    found = held_out_answers(
        models, {"vote": VoteEnsemble, "gate": GateEnsemble}, judgments, features, learned, by, folds=4
    )
    assert set(found.distances) == set(found.probability) == {*models, "vote", "gate"}
    assert list(found.weights) == ["gate"]
    count = len(found.rows)
    assert found.weights["gate"].shape == (count, 4)
    assert np.allclose(found.weights["gate"].sum(axis=1), 1, atol=1e-5)
    assert count == len(judgments) if by != "image" else 0 < count < len(judgments)
    # All models are the same here: features as they are.
    a, b = models["plain"].distances(judgments.take(found.rows), features)
    for name in models:
        assert np.allclose(found.distances[name], np.stack([a, b]))
    assert np.allclose(np.sign(found.distances["gate"][0] - found.distances["gate"][1]), np.sign(a - b))
    assert all(((one >= 0) & (one <= 1)).all() for one in found.probability.values())


def test_by_image_no_image_of_a_tested_answer_was_learned_from() -> None:
    """The training side of a fold is what its models were asked: their `seen_` tells."""
    judgments, features = contexts(count=2, each=80, shared=5)
    own = own_of(judgments, 2)
    models = {f"{number}": IdentityModel().fit(judgments.take(mine), features) for number, mine in enumerate(own)}
    met: list[float] = []

    class Watching(VoteEnsemble):
        def distances(self, judgments: Judgments, features: Features, distances: object = None) -> object:  # type: ignore[override]
            met.append(float(self.has_seen(np.unique([judgments.references, judgments.candidates_a])).mean()))
            return super().distances(judgments, features, distances)  # type: ignore[arg-type]

    found = held_out_answers(
        models, {"watching": Watching}, judgments, features, dict(zip(models, own, strict=True)), "image", folds=4
    )
    assert len(met) == found.folds
    assert max(met) == 0


def test_models_that_learned_nothing_are_split_as_judgments_are() -> None:
    judgments, features = contexts(count=2, each=60)
    none = np.zeros(len(judgments), bool)
    found = held_out_answers(
        {"plain": IdentityModel.of(12)}, {}, judgments, features, {"plain": none}, "image", folds=3
    )
    tested = np.sort(np.concatenate([part.test_rows for part in judgments.split("image", folds=3)]))
    assert found.rows.tolist() == tested.tolist()
