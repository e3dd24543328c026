"""The task of a context model: a ranking head that answers as people did, over embeddings in the right order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch.nn.functional import layer_norm, normalize

from lookalike.losses.ranking import order_triplet_loss, ranking_loss, squared_distances
from lookalike.training.plan import Head, TripletOn
from lookalike.training.tasks import Embed

__all__ = ["RankingTask"]


class RankingTask:
    """Answer as people did, by a head, and hold the chosen candidate closer: cross-entropy and order triplet loss.

    Parameters
    ----------
    images : sequence of int64 (n,)
        References, candidates a, candidates b.
    votes_a, votes_b : float (n,)
    margin : float (n,)
        Of the order triplet loss.
    head : callable
        Its log odds are multiplied by the scale.
    triplet_weight : float
        Of the order triplet loss beside the cross-entropy.
    triplet_on : {"unit", "plain", "layer"}
        ``"unit"``: head and triplet loss take embeddings of length 1. ``"plain"``: both take them as they are.
        ``"layer"``: the head takes them as they are, the triplet loss after a layer normalisation, whose gain and shift
        are learned as the weights ``"gain"`` and ``"shift"``.
    """

    def __init__(
        self,
        images: Sequence[NDArray[Any]],
        votes_a: NDArray[Any],
        votes_b: NDArray[Any],
        margin: NDArray[Any],
        head: Head,
        triplet_weight: float,
        triplet_on: TripletOn,
    ) -> None:
        self._images = torch.stack([torch.as_tensor(rows) for rows in images])
        # Copies: the columns of a table may be read-only, which PyTorch warns of.
        self._votes_a, self._votes_b, self._margin = (
            torch.tensor(column, dtype=torch.float32) for column in (votes_a, votes_b, margin)
        )
        self._head = head
        self._triplet_weight = triplet_weight
        self._triplet_on = triplet_on

    def loss(self, embed: Embed, rows: Any, scale: Any, weights: Mapping[str, Any]) -> Any:
        """Return the cross-entropy and the weighted triplet loss; an image that is in several rows is mapped once."""
        images, places = torch.unique(self._images[:, rows], return_inverse=True)
        mapped = embed(images)
        if self._triplet_on == "unit":
            mapped = normalize(mapped)
        votes = self._votes_a[rows], self._votes_b[rows]
        loss = ranking_loss(scale * self._head(mapped, places, weights), *votes)
        if not self._triplet_weight:
            return loss
        if self._triplet_on == "layer":
            mapped = layer_norm(mapped, mapped.shape[1:], weights["gain"], weights["shift"])
        reference, a, b = places
        squared_a, squared_b = (squared_distances(mapped[reference], mapped[candidate]) for candidate in (a, b))
        return loss + self._triplet_weight * order_triplet_loss(squared_a, squared_b, *votes, self._margin[rows])
