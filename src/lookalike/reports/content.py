"""What a report shows; how it looks is for `lookalike.reports.page`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Content", "Mistake", "Picture", "Place", "Standing"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is embedded.

    Attributes
    ----------
    name : str
    jpeg : bytes
        A thumbnail; empty where the file can no longer be read.
    """

    name: str
    jpeg: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """One line of the leaderboard.

    Attributes
    ----------
    model : str
    kind : str
        What it is, for people: ``"encoder"``, ``"context model"``, ``"ensemble: gate"``.
    accuracy, low, high : float
        In [0, 1]; the ends may be NaN.
    behind : tuple of float or None
        How far behind the best, low, high, p; None for the best.
    by_context : mapping of str to (float, int)
        Accuracy in each context, and on how many judgments.
    seen : float
        Share of the judgments with images that it was fitted on.
    """

    model: str
    kind: str
    accuracy: float
    low: float
    high: float
    behind: tuple[float, float, float, float] | None
    by_context: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    seen: float = 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """A reference on the map.

    Attributes
    ----------
    x, y : float
        Its first two principal components.
    picture : Picture
    best : str
        The model that agrees best with the answers about it.
    weights : mapping of str to float
        How much an ensemble trusts each of its models here; empty without an ensemble.
    """

    x: float
    y: float
    picture: Picture
    best: str
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mistake:
    """A question on which the best model is sure, and people say otherwise.

    Attributes
    ----------
    reference, a, b : Picture
    votes_a, votes_b : float
    probability_a : float
        Of the model.
    """

    reference: Picture
    a: Picture
    b: Picture
    votes_a: float
    votes_b: float
    probability_a: float


@dataclass(frozen=True, slots=True)
class Content:
    """All that a report shows; parts that are empty are left out.

    Attributes
    ----------
    title : str
    facts : sequence of (str, str)
        How it was measured, term by term.
    standings : sequence of Standing
        Best first.
    ceiling : float or None
        In [0, 1]; None where nothing but 1 limits what can be reached.
    chance : float
    places : sequence of Place
    curves : mapping of str to sequence of mapping
        Training history by model: ``member``, ``epoch``, ``loss``, ``validation_loss``.
    mistakes : sequence of Mistake
        The surest first.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    standings: Sequence[Standing]
    ceiling: float | None
    chance: float
    places: Sequence[Place] = ()
    curves: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    mistakes: Sequence[Mistake] = ()
