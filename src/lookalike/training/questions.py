"""What fine-tuning learns from, and what it tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from lookalike.core.types import Distances, Rows
from lookalike.judgments.table import Judgments
from lookalike.metrics.two_afc import row_agreement

__all__ = [
    "Finetuned",
    "OnRankingEpoch",
    "Questions",
    "RankingEpoch",
    "Trained",
    "Validation",
    "agreement",
    "nobody",
    "questions_of",
]


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """Judgments as training takes them.

    Attributes
    ----------
    images : int64 (3, n)
        References, candidates a and candidates b.
    votes_a, votes_b, margin : float32 (n,)
        Answers, and margins of the order triplet loss.
    train_rows, validation_rows : int64
    """

    images: NDArray[np.int64]
    votes_a: NDArray[np.float32]
    votes_b: NDArray[np.float32]
    margin: NDArray[np.float32]
    train_rows: Rows
    validation_rows: Rows

    def with_flips(self) -> Questions:
        """Return twice as many rows: behind all of them, the same with a and b swapped, for training alone.

        Examples
        --------
        >>> one, none = np.ones(1, np.float32), np.zeros(1, np.float32)
        >>> flipped = Questions(np.array([[0], [1], [2]]), one, none, one, np.arange(1), np.arange(0)).with_flips()
        >>> flipped.images[:, 1].tolist(), flipped.votes_b.tolist(), flipped.train_rows.tolist()
        ([0, 2, 1], [0.0, 1.0], [0, 1])
        """
        return Questions(
            np.concatenate([self.images, self.images[[0, 2, 1]]], axis=1),
            np.concatenate([self.votes_a, self.votes_b]),
            np.concatenate([self.votes_b, self.votes_a]),
            np.tile(self.margin, 2),
            np.concatenate([self.train_rows, self.train_rows + len(self.margin)]),
            self.validation_rows,
        )


def questions_of(judgments: Judgments, train_rows: Rows, validation_rows: Rows) -> Questions:
    """Return judgments as training takes them; images are numbered as in ``judgments.ids``. Imports torch.

    Parameters
    ----------
    judgments : Judgments
        Without grades, all margins are the least one.
    train_rows, validation_rows : int64
    """
    from lookalike.losses.ranking import grade_margins

    none = np.zeros(len(judgments), np.float32)
    grades_a, grades_b = (
        none if one is None else one.astype(np.float32) for one in (judgments.grades_a, judgments.grades_b)
    )
    return Questions(
        np.stack([judgments.reference, judgments.candidate_a, judgments.candidate_b]).astype(np.int64),
        # Copies: the columns of a table may be read-only, which PyTorch warns of.
        judgments.votes_a.astype(np.float32),
        judgments.votes_b.astype(np.float32),
        np.asarray(grade_margins(grades_a, grades_b), np.float32),
        np.asarray(train_rows, np.int64),
        np.asarray(validation_rows, np.int64),
    )


@dataclass(frozen=True, slots=True)
class RankingEpoch:
    """What one pass came to.

    Attributes
    ----------
    epoch, epochs : int
        From 1; of the plan.
    loss : float
        Mean over the steps of this pass.
    validation_loss, head_accuracy, accuracy : float or None
        After the pass, on the judgments held out: the loss, and the shares of votes that the ranking head and squared
        distances of the embeddings agree with.
    scale : float
        What the log odds of the head are multiplied by, after the pass.
    """

    epoch: int
    epochs: int
    loss: float
    validation_loss: float | None
    head_accuracy: float | None
    accuracy: float | None
    scale: float


@dataclass(frozen=True, slots=True, eq=False)
class Validation:
    """What a network answers to the judgments held out.

    Attributes
    ----------
    loss : float
    log_odds : float (n,)
        Of the ranking head, that a is closer.
    squared_a, squared_b : float (n,)
        Squared Euclidean distances, of what the order triplet loss takes.
    distance_a, distance_b : float (n,)
        One less the cosine of the embeddings: what the network comes to where it is used.
    """

    loss: float
    log_odds: Distances
    squared_a: Distances
    squared_b: Distances
    distance_a: Distances
    distance_b: Distances


Held = TypeVar("Held")


@dataclass(frozen=True, slots=True, eq=False)
class Trained(Generic[Held]):
    """What a training of a network came to; the network itself holds the weights that were kept.

    Attributes
    ----------
    history : list of dict
        What each pass came to: the fields of `RankingEpoch`, say.
    kept : int
        The epoch whose weights were kept; 0 where none was better than the beginning.
    before, after : Held or None
        Of the network as it began, and as it was kept; None where nothing was held out.
    """

    history: list[dict[str, Any]]
    kept: int
    before: Held | None
    after: Held | None


Finetuned: TypeAlias = Trained[Validation]
"""What fine-tuning on judgments came to."""

OnRankingEpoch: TypeAlias = Callable[[RankingEpoch], None]


def nobody(_: RankingEpoch) -> None:
    """Take what a pass came to and tell nobody."""


def agreement(distance_a: Distances, distance_b: Distances, questions: Questions, rows: Rows) -> float:
    """Return the share of votes that distances agree with, in [0, 1]; see `lookalike.metrics.two_afc.row_agreement`."""
    agreeing, total = row_agreement(distance_a, distance_b, questions.votes_a[rows], questions.votes_b[rows])
    return float(agreeing.sum() / total.sum())
