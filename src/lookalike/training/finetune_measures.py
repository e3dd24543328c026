"""What a network that is fine-tuned answers: its loss, and its answers to the judgments held out.

This module imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.types import Pixels, Rows
from lookalike.losses.ranking import order_triplet_loss, ranking_loss, squared_distances
from lookalike.training.finetune_settings import FinetuneSettings
from lookalike.training.pictures import PictureReader, ahead
from lookalike.training.processes import Processes
from lookalike.training.questions import Questions, Validation
from lookalike.training.ranking_network import Answers, RankingNetwork

__all__ = ["Embedding", "Preparation", "embedded", "question_loss", "validate"]

CHUNK = 4096
"""Questions whose embeddings are put side by side at once."""


class Embedding(Protocol):
    """A network that embeds pictures."""

    @property
    def dim(self) -> int:
        """Length of an embedding."""

    def embeddings(self, pixels: torch.Tensor) -> torch.Tensor:
        """Embed normalised pictures, float (n, 3, H, W) to float32 (n, D)."""


class Preparation:
    """Turns pixels into what a network takes.

    Parameters
    ----------
    mean, std : sequence of float
        Per channel, for pixels in 0..1.
    device : torch.device
        Of the network.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], device: torch.device) -> None:
        self.device = device
        shift, scale = (torch.tensor(three, device=device).view(1, 3, 1, 1) for three in (mean, std))
        self._scale, self._shift = 1 / (255 * scale), -shift / scale

    def __call__(self, pixels: Pixels) -> torch.Tensor:
        """Normalise pictures, uint8 (N, H, W, 3) to float (N, 3, H, W)."""
        return torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2) * self._scale + self._shift


def question_loss(answers: Answers, questions: Questions, rows: Rows, triplet_weight: float) -> torch.Tensor:
    """Return the cross-entropy of the ranking head and the weighted order triplet loss of some questions.

    Parameters
    ----------
    answers : tuple
        What `RankingNetwork` gives for these rows.
    questions : Questions
    rows : int64 (n,)
    triplet_weight : float

    Returns
    -------
    float tensor ()
        Means over votes.
    """
    (reference, a, b), odds, other = answers
    columns = (questions.votes_a, questions.votes_b, questions.margin)
    votes_a, votes_b, margin = (torch.from_numpy(column[rows]).to(odds.device) for column in columns)
    loss = (ranking_loss(odds, votes_a, votes_b) + ranking_loss(other, votes_a, votes_b)) / 2
    squared_a, squared_b = (squared_distances(reference, candidate) for candidate in (a, b))
    return loss + triplet_weight * order_triplet_loss(squared_a, squared_b, votes_a, votes_b, margin)


def validate(
    network: RankingNetwork,
    prepare: Preparation,
    reader: PictureReader,
    questions: Questions,
    settings: FinetuneSettings,
    processes: Processes,
    on_progress: OnProgress = silent,
) -> Validation | None:
    """Hold a network against the judgments that were set aside; every process gets the whole result.

    Raises
    ------
    ImageDecodeError
        A picture cannot be read; its file is named.
    """
    rows = questions.validation_rows
    if not len(rows):
        return None
    network.eval()
    images, places = np.unique(questions.images[:, rows], return_inverse=True)
    with torch.inference_mode():
        told = partial(_told, on_progress, "measuring on answers held out")
        z = embedded(
            network, prepare, lambda n: reader.whole(int(images[n])), len(images), 3 * settings.batch, processes, told
        )
        parts = np.array_split(np.arange(len(rows)), -(-len(rows) // CHUNK))
        found = [_answered(network, z, questions, rows, places.reshape(3, -1), part, settings) for part in parts]
    losses, votes, columns = zip(*found, strict=True)
    return Validation(float(np.average(losses, weights=votes)), *np.concatenate(columns, axis=-1))


def embedded(
    network: Embedding,
    prepare: Preparation,
    picture: Callable[[int], Pixels],
    count: int,
    batch: int,
    processes: Processes,
    on_step: Callable[[int, int], None],
) -> torch.Tensor:
    """Embed pictures, each by one process; every process gets all.

    Parameters
    ----------
    network : Embedding
    prepare : Preparation
    picture : callable
        Gives the n-th one, uint8 (H, W, 3). Called in several threads.
    count, batch : int
        Pictures, in all and at a time.
    processes : Processes
    on_step : callable
        Told how many of how many pictures this process has embedded.

    Returns
    -------
    float32 tensor (count, D)

    Raises
    ------
    ImageDecodeError
    """
    mine = np.arange(processes.rank, count, processes.count)
    z = torch.zeros(count, network.dim, device=prepare.device)
    start, pending = 0, ahead(picture, mine.tolist(), processes.lanes, 2 * batch)
    with torch.inference_mode():
        for pixels in _stacked(pending, batch):
            places = mine[start : start + len(pixels)]
            z[torch.from_numpy(places)] = network.embeddings(prepare(pixels))
            start += len(pixels)
            on_step(start, len(mine))
        return processes.sum(z)


def _told(on_progress: OnProgress, stage: str, done: int, total: int) -> None:
    on_progress(Progress(stage, done, total))


def _stacked(pictures: Iterator[Pixels], size: int) -> Iterator[Pixels]:
    held: list[Pixels] = []
    for picture in pictures:
        held.append(picture)
        if len(held) == size:
            yield np.stack(held)
            held = []
    if held:
        yield np.stack(held)


def _answered(
    network: RankingNetwork,
    z: torch.Tensor,
    questions: Questions,
    rows: Rows,
    places: NDArray[np.int64],
    part: Rows,
    settings: FinetuneSettings,
) -> tuple[float, float, NDArray[np.float64]]:
    """Return loss, votes, and what stands in the columns of a `Validation`, float (5, n), of some of the rows."""
    chosen = torch.from_numpy(places[:, part]).to(z.device)
    answers = network.answers(z[chosen.flatten()])
    loss = float(question_loss(answers, questions, rows[part], settings.triplet_weight))
    votes = float((questions.votes_a + questions.votes_b)[rows[part]].sum(dtype=np.float64))
    reference, a, b = answers[0].double()
    squared = [squared_distances(reference, candidate) for candidate in (a, b)]
    reference, a, b = (normalize(z[some].double()) for some in chosen)
    cosine = [1 - (reference * candidate).sum(1) for candidate in (a, b)]
    columns = torch.stack([(answers[1] + answers[2]).double() / 2, *squared, *cosine])
    return loss, votes, columns.cpu().numpy()
