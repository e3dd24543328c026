"""Contexts that nobody named: groups of references, as many as help to predict answers that were held out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.lanes import cores, in_lanes
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.types import Rows, Vectors
from lookalike.core.vectors import unit_rows
from lookalike.judgments.splits import Split
from lookalike.judgments.table import Judgments
from lookalike.metrics.calibration import fit_temperature, logistic
from lookalike.metrics.probabilities import log_loss
from lookalike.similarity.context import ContextModel
from lookalike.similarity.reduction import Reduction

__all__ = ["COUNTS", "Contexts", "discover_contexts", "suggested_names"]

COUNTS = (1, 2, 3, 4, 6, 8)
"""How many contexts are tried; one means that they do not help."""

FOLDS = 3
COMPONENTS = 32
"""Of the references' features, for the grouping."""

TYPICAL = 25
"""Images of a context that its name is taken from."""

FLOOR = 1e-6
"""No probability is taken to be further from 0 or 1 than this: one answer should not decide everything."""


@dataclass(frozen=True, slots=True, eq=False)
class Contexts:
    """Groups of references.

    Attributes
    ----------
    names : tuple of str, K
        Suggested by their most typical images.
    centres : float32 (K, D)
        Mean unit features of each.
    typical : tuple of tuple of str
        The references closest to each centre, the closest first.
    log_loss : dict of int to float
        On answers held out, in nats an answer, by the number of contexts that was tried; empty where only one was.
    """

    names: tuple[str, ...]
    centres: Vectors
    typical: tuple[tuple[str, ...], ...]
    log_loss: dict[int, float]

    def __len__(self) -> int:
        return len(self.names)

    def of(self, reference_features: Features | Vectors) -> Rows:
        """Return the context of each reference, a position in `names`: that of the closest centre.

        Parameters
        ----------
        reference_features : Features, or float32 (N, D)

        Returns
        -------
        int64 (N,)

        Raises
        ------
        InputError
            The features have another length than those of the centres.

        Examples
        --------
        >>> two = Contexts(("left", "up"), np.eye(2, dtype=np.float32), (("l",), ("u",)), {})
        >>> two.of(np.array([[3, 1], [0, 5], [2, 1]], np.float32)).tolist()
        [0, 1, 0]
        """
        rows = reference_features.vectors if isinstance(reference_features, Features) else reference_features
        rows = np.asarray(rows, np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.centres.shape[1]:
            raise InputError(
                f"features of shape {rows.shape}: these contexts were found on {self.centres.shape[1]} numbers an image"
            )
        return _nearest(unit_rows(rows), self.centres)


def discover_contexts(
    judgments: Judgments,
    features: Features,
    counts: Sequence[int] = COUNTS,
    seed: int = 0,
    on_progress: OnProgress = silent,
) -> Contexts:
    """Group the references by k-means of their features, into as many contexts as predict held-out answers best.

    For every number that is tried, and three folds by reference: a global model is fitted on the training side, and
    from it a model per group of its references; the answers about the other references are predicted by the model of
    the group that they fall in. The number with the lowest log loss is taken, and all references are grouped anew. With
    fewer than six references nothing can be tried, and the smallest number is taken.

    Parameters
    ----------
    judgments : Judgments
    features : Features
        Of all their images, at least.
    counts : sequence of int
        Numbers to try, from 1 up to the number of references; larger ones are left out. A single one is taken as it is.
    seed : int
    on_progress : callable

    Raises
    ------
    InputError
        There are no judgments, no number can be tried, or an image has no features.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> vectors = np.eye(2).repeat(20, axis=0) + 0.05 * rng.normal(size=(40, 2))
    >>> features = Features([f"{place}/{n}" for place in ("sea", "town") for n in range(20)], vectors)
    >>> r, a, b = np.array([rng.choice(40, 3, replace=False) for _ in range(60)]).T
    >>> answers = Judgments.from_ids(*(features.ids[column] for column in (r, a, b)), [1] * 60, [0] * 60)
    >>> found = discover_contexts(answers, features, counts=[2])
    >>> sorted(found.names), bool((found.of(features)[:20] == found.of(features)[0]).all())
    (['sea', 'town'], True)
    """
    if not len(judgments):
        raise InputError("there is nothing to find contexts in: no judgments")
    references = judgments.ids[np.unique(judgments.reference)]
    known = unit_rows(features.vectors[features.rows(references)])
    tried = _countable(counts, len(np.unique(known, axis=0)))
    known_enough = len(references) >= 2 * FOLDS and len(tried) > 1
    losses = _losses(judgments, features, tried, seed, on_progress) if known_enough else {}
    count = min(losses, key=lambda one: (losses[one], one)) if losses else tried[0]
    centres = _centres(known, count, seed)
    group = _nearest(known, centres)
    typical = tuple(_typical(references[group == number], known[group == number], one)
                    for number, one in enumerate(centres))  # fmt: skip
    return Contexts(suggested_names(typical), centres, typical, losses)


def suggested_names(typical: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Suggest a name for each context: the folder that most of its typical images are in, else the first of these.

    A folder that is the most common one in all of several contexts tells nothing, so it is not taken.

    Parameters
    ----------
    typical : sequence of sequence of str
        Images of each context, the most typical first.

    Returns
    -------
    tuple of str
        All different; letters, digits, ``.``, ``_`` and ``-`` alone.

    Examples
    --------
    >>> suggested_names([["sea/1.jpg", "sea/7.jpg", "x/3.jpg"], ["x/5.jpg"], ["p 9.jpg"], ["sea/2.jpg"]])
    ('sea', 'x', 'p-9', 'sea-2')
    >>> suggested_names([["x/5.jpg"], ["x/6.jpg"]])
    ('5', '6')
    """
    folders = [_folder(images) for images in typical]
    if len(folders) > 1 and len(set(folders)) == 1:
        folders = [""] * len(folders)
    names: list[str] = []
    for folder, images in zip(folders, typical, strict=True):
        plain = name = _plain(folder or PurePosixPath(images[0]).stem)
        again = 1
        while name in names:
            again += 1
            name = f"{plain}-{again}"
        names.append(name)
    return tuple(names)


def _folder(images: Sequence[str]) -> str:
    """Return the innermost folder of more than half of the images, or nothing."""
    folder, times = Counter(PurePosixPath(image).parent.name for image in images).most_common(1)[0]
    return folder if 2 * times > len(images) else ""


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:32] or "context"


def _countable(counts: Sequence[int], distinct: int) -> list[int]:
    for count in counts:
        if count < 1:
            raise InputError(f"the number of contexts is at least 1, not {count}")
    found = sorted({int(count) for count in counts if count <= distinct})
    if not found:
        raise InputError(
            f"{distinct} references that differ cannot be grouped into {min(counts)} contexts: try fewer"
            if counts
            else "give at least one number of contexts to try"
        )
    return found


def _losses(
    judgments: Judgments, features: Features, counts: Sequence[int], seed: int, on_progress: OnProgress
) -> dict[int, float]:
    """Return the log loss of held-out answers for every number of contexts."""
    parts = judgments.split("reference", FOLDS, seed)
    gaps = np.zeros((len(counts), 2, len(judgments)))
    whole = [ContextModel(members=1, seed=seed).fit(part.train, features) for part in parts]
    jobs = [(fold, place) for fold in range(FOLDS) for place in range(len(counts))]

    def work(job: tuple[int, int]) -> None:
        fold, place = job
        gaps[place][:, parts[fold].test_rows] = _by_groups(parts[fold], features, whole[fold], counts[place], seed)

    for done, _ in enumerate(in_lanes(work, jobs, min(len(jobs), cores())), 1):
        on_progress(Progress("looking for contexts", done, len(jobs)))
    votes = judgments.votes_a, judgments.votes_b
    return {count: _loss(both, *votes) for count, both in zip(counts, gaps, strict=True)}


def _by_groups(
    part: Split, features: Features, whole: ContextModel, count: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return distances of the test side by models of groups of the training side's references."""
    train, test = part.train, part.test
    sides = [unit_rows(features.vectors[features.rows(side.references)]) for side in (train, test)]
    centres = _centres(np.unique(sides[0], axis=0), count, seed)
    learned, asked = (_nearest(side, centres) for side in sides)
    found = np.zeros((2, len(test)), np.float32)
    for number in np.unique(asked).tolist():
        model, own = whole, learned == number
        if count > 1 and own.any():
            model = ContextModel(start=whole, seed=seed).fit(train.take(own), features)
        found[:, asked == number] = model.distances(test.take(asked == number), features)
    return found[0], found[1]


def _loss(both: NDArray[np.float64], votes_a: NDArray[np.float32], votes_b: NDArray[np.float32]) -> float:
    """Return the log loss at the temperature that suits: how sure models are of themselves is not what is compared."""
    temperature = fit_temperature(both[0], both[1], votes_a, votes_b)
    if not 0 < temperature < np.inf:  # all answers as predicted, or no better than by chance
        return float(np.log(2)) if temperature else 0.0
    chance = logistic(both[0] - both[1], temperature)
    return log_loss(np.clip(chance, FLOOR, 1 - FLOOR), votes_a, votes_b)


def _centres(known: Vectors, count: int, seed: int) -> Vectors:
    """Group rows by k-means of their principal components, and return the mean of each group."""
    if count == 1:
        return np.asarray(known.mean(axis=0, keepdims=True), np.float32)
    from sklearn.cluster import KMeans

    reduced = Reduction(COMPONENTS, seed=seed).fit_transform(known)
    group = KMeans(count, n_init=10, random_state=seed).fit(reduced.astype(np.float64)).labels_
    return np.stack([known[group == number].mean(axis=0) for number in range(count)])


def _nearest(rows: Vectors, centres: Vectors) -> Rows:
    """Return the closest centre of each row, by Euclidean distance."""
    return np.asarray(((centres**2).sum(axis=1) - 2 * rows @ centres.T).argmin(axis=1), np.int64)


def _typical(ids: NDArray[np.str_], rows: Vectors, centre: Vectors) -> tuple[str, ...]:
    order = np.argsort(((rows - centre) ** 2).sum(axis=1), kind="stable")
    return tuple(ids[order[:TYPICAL]].tolist())
