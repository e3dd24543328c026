"""The tables of a test bench: recall and precision of edited copies, over all, by edit and by strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lookalike.images.folder import Rejected
from lookalike.jobs.leaderboard import short_name
from lookalike.metrics.intervals import bootstrap_share
from lookalike.metrics.places import Places
from lookalike.metrics.two_afc import Accuracy, Difference, paired_difference

__all__ = ["DEPTHS", "BenchRow", "Copies", "EditBench", "Measures", "Subject", "bench_rows"]

DEPTHS = (1, 5, 15)
"""The k of the recalls."""


@dataclass(frozen=True, slots=True, eq=False)
class Copies:
    """What every query is an edited copy of, and by what: three columns of str (Q,)."""

    photographs: NDArray[np.str_]
    edits: NDArray[np.str_]
    strengths: NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What one model found.

    Attributes
    ----------
    model : str
    places : Places
        Where the original of every query stands in the gallery.
    seen : float
        Share of the queries whose photograph the model was fitted on.
    """

    model: str
    places: Places
    seen: float = 0.0


@dataclass(frozen=True, slots=True)
class Measures:
    """How well some queries found their originals.

    Attributes
    ----------
    recalls : dict of int to Accuracy
        By k: the share of queries with the original among the k nearest.
    precision : Accuracy
        Mean average precision; with one right answer, the mean of one over its place.
    """

    recalls: dict[int, Accuracy]
    precision: Accuracy


@dataclass(frozen=True, slots=True)
class BenchRow:
    """One line of the leaderboard.

    Attributes
    ----------
    model : str
        The name of an encoder, a feature set or a model.
    overall : Measures
    behind : Difference or None
        The best model's recall@1 less this one's, on the same queries; None for the best.
    seen : float
        `Subject.seen`.
    by_strength, by_edit : dict of str to Measures
    behind_by_strength : dict of str to Difference or None
        Like `behind`, against the best at that strength, which may be another model.
    cells : dict of str to dict of str to Accuracy
        recall@1 by edit, then by strength.
    """

    model: str
    overall: Measures
    behind: Difference | None
    seen: float = 0.0
    by_strength: dict[str, Measures] = field(default_factory=dict)
    behind_by_strength: dict[str, Difference | None] = field(default_factory=dict)
    by_edit: dict[str, Measures] = field(default_factory=dict)
    cells: dict[str, dict[str, Accuracy]] = field(default_factory=dict)

    @property
    def recall(self) -> Accuracy:
        """recall@1 over all queries, by which the leaderboard is sorted."""
        return self.overall.recalls[1]

    @property
    def label(self) -> str:
        """The name for tables and plots."""
        return short_name(self.model)


@dataclass(frozen=True, slots=True)
class EditBench:
    """A leaderboard, best first, and what it was measured on.

    Attributes
    ----------
    rows : list of BenchRow
    photographs, queries : int
        How many photographs were edited, and how many edited copies that makes.
    gallery : int
        Originals that are searched; among them, one is right.
    copies : int
        Files left out of it because another has the very same content: to find that one is a hit.
    rejected : tuple of Rejected
    strengths, edits : tuple of str
    seed : int
    """

    rows: list[BenchRow]
    photographs: int
    queries: int
    gallery: int
    copies: int
    rejected: tuple[Rejected, ...]
    strengths: tuple[str, ...]
    edits: tuple[str, ...]
    seed: int

    @property
    def chance(self) -> dict[int, float]:
        """What guessing reaches, by k."""
        return {k: min(1.0, k / self.gallery) for k in DEPTHS}


def bench_rows(subjects: Sequence[Subject], copies: Copies) -> list[BenchRow]:
    """Rank models by recall@1; intervals draw photographs anew, each with all its copies.

    Examples
    --------
    >>> copies = Copies(np.array(["a", "a", "b"]), np.array(["crop", "jpeg", "crop"]), np.array(["weak"] * 3))
    >>> none = np.zeros(3, np.int64)
    >>> found = bench_rows([Subject("far", Places(none + 1, none)), Subject("near", Places(none, none))], copies)
    >>> [(row.model, row.recall.value, row.overall.precision.value) for row in found]
    [('near', 1.0, 1.0), ('far', 0.0, 0.5)]
    """
    _, clusters = np.unique(copies.photographs, return_inverse=True)
    ordered = sorted(subjects, key=lambda subject: -float(subject.places.hits(1).mean()))
    first = {subject.model: subject.places.hits(1) for subject in ordered}
    strengths, edits = (_parts(column) for column in (copies.strengths, copies.edits))
    everything = np.arange(len(clusters))
    best = _best(first, everything)
    best_at = {name: _best(first, part) for name, part in strengths.items()}
    rows: list[BenchRow] = []
    for subject in ordered:
        values = {k: subject.places.hits(k) for k in DEPTHS}, subject.places.precisions()
        rows.append(
            BenchRow(
                subject.model,
                _measures(*values, clusters, everything),
                _behind(first, best, subject.model, clusters, everything),
                subject.seen,
                {name: _measures(*values, clusters, part) for name, part in strengths.items()},
                {
                    name: _behind(first, best_at[name], subject.model, clusters, part)
                    for name, part in strengths.items()
                },
                {name: _measures(*values, clusters, part) for name, part in edits.items()},
                {name: _cells(values[0][1], clusters, part, strengths) for name, part in edits.items()},
            )
        )
    return rows


def _best(hits: Mapping[str, NDArray[np.float64]], rows: NDArray[np.intp]) -> str:
    """Return which model finds most of some queries at once; of equals the first."""
    return max(hits, key=lambda model: float(hits[model][rows].mean()))


def _behind(
    hits: Mapping[str, NDArray[np.float64]], best: str, model: str, clusters: NDArray[np.intp], rows: NDArray[np.intp]
) -> Difference | None:
    """Return the best model's hits less another's, among some queries."""
    if model == best:
        return None
    return paired_difference(hits[best][rows], hits[model][rows], np.ones(len(rows)), clusters[rows])


def _parts(names: NDArray[np.str_]) -> dict[str, NDArray[np.intp]]:
    """Return the rows of each name, in the order in which names first stand."""
    return {name: np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())}


def _measures(
    hits: Mapping[int, NDArray[np.float64]],
    precisions: NDArray[np.float64],
    clusters: NDArray[np.intp],
    rows: NDArray[np.intp],
) -> Measures:
    return Measures(
        {k: _accuracy(found, clusters, rows) for k, found in hits.items()}, _accuracy(precisions, clusters, rows)
    )


def _cells(
    hits: NDArray[np.float64],
    clusters: NDArray[np.intp],
    part: NDArray[np.intp],
    strengths: Mapping[str, NDArray[np.intp]],
) -> dict[str, Accuracy]:
    """Return the share of hits among some rows, at each strength."""
    both = {strength: np.intersect1d(part, rows) for strength, rows in strengths.items()}
    return {strength: _accuracy(hits, clusters, rows) for strength, rows in both.items() if len(rows)}


def _accuracy(values: NDArray[np.float64], clusters: NDArray[np.intp], rows: NDArray[np.intp]) -> Accuracy:
    found = bootstrap_share(values[rows], np.ones(len(rows)), clusters[rows])
    return Accuracy(found.value, found.low, found.high, found.n)
