"""What a network that is trained to match finds among pictures held out.

This module imports torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from lookalike.core.types import Pixels
from lookalike.metrics.retrieval import hit_at_k
from lookalike.training.finetune_measures import Embedding, Preparation, embedded
from lookalike.training.matching_things import Queries
from lookalike.training.pictures import PictureReader
from lookalike.training.processes import Processes

__all__ = ["Compared", "Found", "Likeness", "ask", "cosines"]

ROOM = 2**22
"""Distances that are held at once."""

SLOT, EPOCH = 9, 0
"""The views that are asked about are of a pass that is never trained on."""


Likeness: TypeAlias = Callable[[slice], torch.Tensor]
"""Returns how alike some of the queries are to every picture of the gallery, float64 (n, g): ``1 - distance``."""

Compared: TypeAlias = Callable[[torch.Tensor, torch.Tensor], Likeness]
"""Takes what was made of queries, float64 (q, D), and of the gallery, float64 (g, D)."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """How queries were answered.

    Attributes
    ----------
    loss : float
        Mean cross-entropy of finding a picture of the same thing, at a temperature.
    first, fifth : float64 (q,)
        Whether one is the closest of all, or among the closest five; a share in case of ties.
    """

    loss: float
    first: NDArray[np.float64]
    fifth: NDArray[np.float64]


def ask(
    network: Embedding,
    prepare: Preparation,
    reader: PictureReader,
    queries: Queries,
    temperature: float,
    batch: int,
    processes: Processes,
    on_step: Callable[[int, int], None],
    compared: Compared | None = None,
) -> Found | None:
    """Ask a network, in the state of use, for pictures; every process gets the whole answer. None without queries.

    Parameters
    ----------
    network : Embedding
    prepare : Preparation
    reader : PictureReader
    queries : Queries
    temperature : float
        Of the loss.
    batch : int
        Pictures at a time.
    processes : Processes
    on_step : callable
        Told how many of how many pictures this process has embedded.
    compared : callable, optional
        By default `cosines`.

    Raises
    ------
    ImageDecodeError
        A picture cannot be read; its file is named.
    """
    if not len(queries):
        return None
    count = len(queries)

    def picture(number: int) -> Pixels:
        if number >= count:
            return reader.whole(int(queries.gallery[number - count]))
        image = int(queries.images[number])
        return reader.view(image, EPOCH, image, SLOT) if queries.viewed[number] else reader.whole(image)

    z = embedded(network, prepare, picture, count + len(queries.gallery), batch, processes, on_step)
    rows = z.double().cpu()
    return _answered((compared or cosines)(rows[:count], rows[count:]), queries, temperature)


def cosines(asked: torch.Tensor, gallery: torch.Tensor) -> Likeness:
    """Compare by cosine, see `Compared`.

    Examples
    --------
    >>> cosines(torch.tensor([[3.0, 4.0]]), torch.eye(2))(slice(0, 1))
    tensor([[0.6000, 0.8000]])
    """
    left, right = normalize(asked), normalize(gallery).T
    return lambda span: left[span] @ right


def _answered(likeness: Likeness, queries: Queries, temperature: float) -> Found:
    losses, hits, size = [], [], len(queries.gallery)
    block = max(1, ROOM // size)
    for start in range(0, len(queries), block):
        span = slice(start, start + block)
        alike = likeness(span)
        right = torch.from_numpy(queries.query_things[span, None] == queries.gallery_things)
        logits = alike / temperature
        losses.append(torch.logsumexp(logits, 1) - torch.logsumexp(logits.masked_fill(~right, -torch.inf), 1))
        table, distances = right.numpy(), (1 - alike).numpy()
        hits.append([hit_at_k(table, min(k, size), distances) for k in (1, 5)])
    first, fifth = np.concatenate(hits, axis=1)
    return Found(float(torch.cat(losses).mean()), first, fifth)
