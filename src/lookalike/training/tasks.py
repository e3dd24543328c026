"""What a map can be trained to do: find matches, or agree with judgments. A task turns rows into a loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from lookalike.losses.judgments import two_afc_loss
from lookalike.losses.matching import symmetric_cross_entropy

__all__ = ["Embed", "JudgmentTask", "PairTask", "Task"]

Embed: TypeAlias = Callable[[Any], Any]
"""What the map makes of some images, int64 (m,) to float (m, D), with gradients; not scaled to length 1."""


class Task(Protocol):
    """Rows that a loss can be taken of."""

    def loss(self, embed: Embed, rows: Any, scale: Any, weights: Mapping[str, Any]) -> Any:
        """Return the mean loss of some rows, int64 (m,): a float tensor (). Some weights may be the task's own."""


class PairTask:
    """Find the match of every image among those of the other rows, in both directions.

    Parameters
    ----------
    left, right : int64 (n,)
        Matched images.
    """

    def __init__(self, left: NDArray[Any], right: NDArray[Any]) -> None:
        self._left, self._right = torch.as_tensor(left), torch.as_tensor(right)

    def loss(self, embed: Embed, rows: Any, scale: Any, weights: Mapping[str, Any]) -> Any:  # noqa: ARG002 no own ones
        """See `lookalike.losses.matching.symmetric_cross_entropy`."""
        left, right = (normalize(embed(side[rows])) for side in (self._left, self._right))
        return symmetric_cross_entropy(left, right, scale)


class JudgmentTask:
    """Be closer to the candidate that people chose.

    Parameters
    ----------
    images : sequence of int64 (n,)
        References, candidates a, candidates b.
    votes_a, votes_b : float (n,)
    margin : float (n,)
        Gap of distances that is asked for.
    """

    def __init__(
        self,
        images: Sequence[NDArray[Any]],
        votes_a: NDArray[Any],
        votes_b: NDArray[Any],
        margin: NDArray[Any],
    ) -> None:
        self._images = torch.stack([torch.as_tensor(rows) for rows in images])
        # Copies: the columns of a table may be read-only, which PyTorch warns of.
        self._votes_a, self._votes_b = (torch.tensor(column, dtype=torch.float32) for column in (votes_a, votes_b))
        self._margin = torch.as_tensor(margin, dtype=torch.float32)

    def loss(self, embed: Embed, rows: Any, scale: Any, weights: Mapping[str, Any]) -> Any:  # noqa: ARG002 no own ones
        """See `lookalike.losses.judgments.two_afc_loss`; an image that is in several rows is mapped once."""
        images, places = torch.unique(self._images[:, rows], return_inverse=True)
        mapped = normalize(embed(images))
        reference, a, b = places
        distance_a, distance_b = (_distances(mapped, reference, candidate) for candidate in (a, b))
        return two_afc_loss(distance_a, distance_b, self._votes_a[rows], self._votes_b[rows], scale, self._margin[rows])


def _distances(mapped: Any, reference: Any, candidate: Any) -> Any:
    """Return ``1 - cosine`` row by row: from all cosines at once, where the rows are more than these."""
    if len(mapped) ** 2 <= len(reference):
        return 1 - (mapped @ mapped.T)[reference, candidate]
    return 1 - (mapped[reference] * mapped[candidate]).sum(1)
