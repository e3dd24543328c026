"""A leaderboard: how far models agree with people, best first, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lookalike.judgments.table import Judgments
from lookalike.metrics.ceilings import ceiling
from lookalike.metrics.two_afc import Accuracy, Difference, compare_accuracy, two_afc_accuracy

__all__ = ["Both", "Evaluation", "Row", "leaderboard", "short_name"]

Both = tuple[NDArray[np.floating], NDArray[np.floating]]
"""Distances of the references to candidates a and b, float (n,) each."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the leaderboard.

    Attributes
    ----------
    model : str
        The name of an encoder or a model.
    accuracy : Accuracy
        Share of votes it agrees with, interval clustered by reference.
    behind : Difference or None
        The best model's accuracy less this one's, on the same questions; None for the best.
    seen : float
        Share of the judgments with an image that the model was fitted on; 0 for an encoder.
    by_context : dict of str to Accuracy
        The same in each context; empty where judgments have none.
    """

    model: str
    accuracy: Accuracy
    behind: Difference | None
    seen: float = 0.0
    by_context: dict[str, Accuracy] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The name for tables and plots."""
        return short_name(self.model)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A leaderboard, best first.

    Attributes
    ----------
    rows : list of Row
    ceiling : Accuracy
        The best that any model can reach, given how far people disagree: votes for the majority over all votes. 1
        where every question was answered once.
    chance : float
        What guessing reaches.
    judgments, references : int
        How many were used.
    """

    rows: list[Row]
    ceiling: Accuracy
    chance: float
    judgments: int
    references: int


def leaderboard(
    judgments: Judgments, distances: Mapping[str, Both], seen: Mapping[str, float] | None = None
) -> Evaluation:
    """Rank models by how far they agree with judgments.

    Parameters
    ----------
    judgments : Judgments
    distances : mapping of model to (float (n,), float (n,))
        Of a and of b to the reference.
    seen : mapping of model to float, optional
        `Row.seen`.

    Examples
    --------
    >>> answers = Judgments.from_ids(["r", "q"], ["x", "x"], ["y", "y"], votes_a=[1, 1], votes_b=[0, 0])
    >>> right, half = (np.array([0.1, 0.1]), np.ones(2)), (np.array([0.1, 1.0]), np.array([1.0, 0.1]))
    >>> found = leaderboard(answers, {"half": half, "right": right})
    >>> [(row.model, row.accuracy.value) for row in found.rows]
    [('right', 1.0), ('half', 0.5)]
    """
    votes = judgments.votes_a, judgments.votes_b
    accuracies = {
        model: two_afc_accuracy(*pair, *votes, clusters=judgments.reference) for model, pair in distances.items()
    }
    order = sorted(accuracies, key=lambda model: -accuracies[model].value)
    best = distances[order[0]]
    rows = [
        Row(
            model=model,
            accuracy=accuracies[model],
            behind=compare_accuracy(best, distances[model], *votes, clusters=judgments.reference) if number else None,
            seen=(seen or {}).get(model, 0.0),
            by_context=_by_context(judgments, distances[model]),
        )
        for number, model in enumerate(order)
    ]
    references = len(set(judgments.reference.tolist()))
    return Evaluation(rows, ceiling(*votes, clusters=judgments.reference), 0.5, len(judgments), references)


def _by_context(judgments: Judgments, both: Both) -> dict[str, Accuracy]:
    if judgments.context is None:
        return {}
    found = {}
    for code in np.unique(judgments.context.codes[judgments.context.codes >= 0]).tolist():
        rows = np.flatnonzero(judgments.context.codes == code)
        some = judgments.take(rows)
        found[str(judgments.context.names[code])] = two_afc_accuracy(
            both[0][rows], both[1][rows], some.votes_a, some.votes_b, clusters=some.reference
        )
    return dict(sorted(found.items()))


def short_name(model: str) -> str:
    """Write a model's name for tables and plots: of the paths of files, only the last part.

    Examples
    --------
    >>> short_name("onnx:/nets/small.onnx"), short_name("timm:resnet18[layer4]@/nets/r18.pth")
    ('onnx:small.onnx', 'timm:resnet18[layer4]@r18.pth')
    """
    names = []
    for one in model.split(" + "):
        before, mark, path = one.partition(":" if one.startswith("onnx:") else "@")
        names.append(before + mark + path.replace("\\", "/").rsplit("/", 1)[-1])
    return " + ".join(names)
