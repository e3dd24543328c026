"""The majority of the models: every model has one vote, near every reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.types import Distances, Rows, Vectors
from lookalike.ensembles.answers import Answers, Floats
from lookalike.ensembles.base import ENSEMBLES, Ensemble
from lookalike.judgments.table import Judgments
from lookalike.similarity.model import Arrays

__all__ = ["VoteEnsemble"]


@ENSEMBLES.register("vote")
class VoteEnsemble(Ensemble):
    """Each model votes for the candidate that it finds closer; its distance to a candidate is the share against it.

    **Ties.** A model to which both candidates are equally far gives half of its vote to each. Where the votes of the
    models are level, the two distances are equal, and `lookalike.two_afc_accuracy` counts such a row as one half. (The
    published description does not say what becomes of 4 votes against 4.)

    A vote has no weights and no vectors: it is a baseline for `distances`, and cannot search a collection.

    Parameters
    ----------
    models : sequence of SimilarityModel
        Fitted, on features of the same length.

    Examples
    --------
    >>> from lookalike import Features, IdentityModel, Judgments
    >>> from lookalike.similarity.selected import SelectedModel
    >>> answers = Judgments.from_ids(["r"], ["x"], ["y"], votes_a=[1], votes_b=[0])
    >>> features = Features(["r", "x", "y"], [[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 1]])
    >>> plain = IdentityModel().fit(answers, features)
    >>> halves = [SelectedModel(columns=span).fit(answers, features) for span in [(0, 2), (2, 4)]]
    >>> VoteEnsemble([plain, *halves]).fit(answers, features).distances(answers, features)
    (array([0.33333333]), array([0.66666667]))
    """

    def weights(self, reference_features: Features | Vectors) -> NoReturn:  # noqa: ARG002 that of other ensembles
        """Raise an `InputError`: every model has one vote, and no weight depends on the reference."""
        self._refuse("weights")

    def transform(self, features: Features | Vectors) -> NoReturn:  # noqa: ARG002
        """Raise an `InputError`: a vote is no distance between vectors."""
        self._refuse("vectors")

    def query(self, reference_features: Features | Vectors) -> NoReturn:  # noqa: ARG002
        """Raise an `InputError`: a vote is no distance between vectors."""
        self._refuse("vectors")

    def offset(self, reference_features: Features | Vectors) -> NoReturn:  # noqa: ARG002
        """Raise an `InputError`: a vote is no distance between vectors."""
        self._refuse("vectors")

    def _refuse(self, what: str) -> NoReturn:
        self._need_fit()
        raise InputError(
            f"a vote has no {what}, so it cannot search: take a grid, an mlp or a gate over the same models"
        )

    def _fit(self, answers: Answers, features: Features, rows: Rows) -> Floats:  # noqa: ARG002
        """Learn nothing: only the temperature of `probability` is fitted, and that by the caller."""
        return np.asarray(np.sign(answers.gaps).mean(axis=1))

    def _combine(self, found: Distances, rows: Vectors, reference: Rows) -> tuple[Floats, Floats]:  # noqa: ARG002
        for_a = (np.sign(found[1].astype(np.float64) - found[0]).mean(axis=0) + 1) / 2
        return 1 - for_a, for_a

    def _calibrate(self, gaps: Floats, judgments: Judgments) -> Floats:  # noqa: ARG002
        """Take distances as they are: only their order counts."""
        return np.ones(gaps.shape[1])

    def _arrays(self) -> Arrays:
        return {}

    def _restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take nothing."""
