"""How a kind of model does on answers it was not fitted on: fitted anew for every division, measured on the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.lanes import cores, in_lanes
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.types import Rows, Vectors
from lookalike.judgments.pairs import Pairs
from lookalike.judgments.splits import By, split
from lookalike.judgments.table import Judgments
from lookalike.metrics.asymmetric import match_ranks_of_vectors
from lookalike.metrics.calibration import fit_temperature
from lookalike.metrics.intervals import bootstrap_ratio
from lookalike.metrics.two_afc import (
    Accuracy,
    Difference,
    compare_accuracy,
    majority_accuracy,
    paired_difference,
    two_afc_accuracy,
)
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.model import SimilarityModel

__all__ = ["DEPTHS", "HeldOut", "Make", "beside_plain", "held_out_judgments", "held_out_pairs"]

Make: TypeAlias = Callable[[int], SimilarityModel]
"""Returns a model that is not fitted, for the division of that number: what draws by chance takes its seed from it."""

DEPTHS = (1, 3, 5)
"""The k of the recalls of pairs."""

STAGE = "measuring on answers held out"


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What a kind of model came to.

    Attributes
    ----------
    model, plain : dict of str to Accuracy
        By measure, of the model and of the features as they are on the same answers: ``"aR@1"``, ``"aR@3"``, ``"aR@5"``
        for pairs; ``"votes"`` and, where some answer has a majority, ``"majorities"`` for judgments. The first is what
        `gain` is about.
    gain : Difference
        The model's less that of the features, paired.
    divisions : int
        How many models were fitted.
    tested : int
        Distinct pairs or judgments that were held out at least once.
    test, train : int
        How many were held out and learned from in one division, on average.
    temperature : float or None
        For judgments: under which `lookalike.metrics.calibration.logistic` makes the answers held out likeliest; None
        for pairs, and where no finite one above 0 does.
    """

    model: dict[str, Accuracy]
    plain: dict[str, Accuracy]
    gain: Difference
    divisions: int
    tested: int
    test: int
    train: int
    temperature: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values; the end of an interval that does not exist is None."""

        def plain(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: plain(one) for key, one in value.items()}
            return None if value != value else value

        return {key: plain(value) for key, value in asdict(self).items()}


def held_out_pairs(
    make: Make,
    pairs: Pairs,
    features: Features,
    flipped: Features | None = None,
    runs: int = 20,
    test: float = 0.25,
    seed: int = 0,
    on_progress: OnProgress = silent,
) -> HeldOut:
    """Measure aR@k on pairs held out by chance, several times: the protocol of Risser-Maroix et al. (2021).

    Parameters
    ----------
    make : callable
    pairs : Pairs
    features, flipped : Features
        As for `SimilarityModel.fit`.
    runs : int
        How often pairs are dealt anew.
    test : float
        Share of the pairs that is held out, in (0, 1); they are each other's gallery. Pairs that have images in common
        are on the same side.
    seed : int
        Of the dealing.
    on_progress : callable

    Returns
    -------
    HeldOut
        What a pair scored is averaged over the runs in which it was held out; the intervals draw pairs, those with
        images in common together.

    Raises
    ------
    InputError
        Fewer than two pairs would be held out or learned from, or a model cannot be fitted.

    Examples
    --------
    >>> from lookalike import AdaptationModel
    >>> rng = np.random.default_rng(0)
    >>> shared, noise = rng.normal(size=(60, 3)), 2 * rng.normal(size=(2, 60, 3))
    >>> rows = np.concatenate([np.hstack([shared, side]) for side in noise])
    >>> pairs = Pairs.from_ids([f"l{n}" for n in range(60)], [f"r{n}" for n in range(60)])
    >>> features = Features([*(f"l{n}" for n in range(60)), *(f"r{n}" for n in range(60))], rows)
    >>> found = held_out_pairs(lambda run: AdaptationModel("within", reduce=0), pairs, features, runs=4)
    >>> found.test, found.train, found.gain.low > 0
    (15, 45, True)
    """
    parts = _deal_pairs(pairs, runs, test, seed)

    def work(run: int) -> tuple[Rows, list[NDArray[np.float64]]]:
        train_rows, test_rows = parts[run]
        some = pairs.take(test_rows)
        scores = []
        for model in (make(run), IdentityModel()):
            model.fit(pairs.take(train_rows), features, flipped)
            left, right = (_mapped(model, features, ids) for ids in (some.left, some.right))
            ranks = match_ranks_of_vectors(left, right)
            scores += [ranks.hits(min(k, len(test_rows))) for k in DEPTHS]
        return test_rows, scores

    times, totals = np.zeros(len(pairs)), np.zeros((2 * len(DEPTHS), len(pairs)))
    for done, (rows, scores) in enumerate(in_lanes(work, range(runs), cores()), 1):
        times[rows] += 1
        totals[:, rows] += scores
        on_progress(Progress(STAGE, done, runs))
    held = times > 0
    totals, times, clusters = totals[:, held], times[held], pairs.groups()[held]
    model, plain = (
        {f"aR@{k}": _share(row, times, clusters) for k, row in zip(DEPTHS, rows, strict=True)}
        for rows in (totals[: len(DEPTHS)], totals[len(DEPTHS) :])
    )
    gain = paired_difference(totals[0], totals[len(DEPTHS)], times, clusters)
    return HeldOut(model, plain, gain, runs, int(held.sum()), *_sizes(parts))


def held_out_judgments(
    make: Make,
    judgments: Judgments,
    features: Features,
    flipped: Features | None = None,
    by: By = "image",
    folds: int = 5,
    seed: int = 0,
    on_progress: OnProgress = silent,
) -> HeldOut:
    """Measure agreement on judgments held out fold by fold.

    Parameters
    ----------
    make : callable
    judgments : Judgments
    features, flipped : Features
        As for `SimilarityModel.fit`.
    by, folds, seed
        As in `lookalike.judgments.splits.split`.
    on_progress : callable

    Returns
    -------
    HeldOut
        Over the judgments of all test sides together; intervals are clustered by reference.

    Raises
    ------
    InputError
        The judgments cannot be split so, or a model cannot be fitted.

    Examples
    --------
    >>> from lookalike import AdaptationModel
    >>> rng = np.random.default_rng(0)
    >>> features = Features([f"{n}" for n in range(30)], rng.normal(size=(30, 4)))
    >>> triplets = np.array([rng.choice(30, 3, replace=False) for _ in range(90)]).astype(str)
    >>> judgments = Judgments.from_ids(*triplets.T, [1] * 90, [0] * 90)
    >>> found = held_out_judgments(lambda fold: AdaptationModel("identity"), judgments, features, by="reference")
    >>> found.model["votes"].value == found.plain["votes"].value, found.tested, found.gain.p
    (True, 90, 1.0)
    """
    parts = [(part.train_rows, part.test_rows) for part in split(judgments, by, folds, seed)]

    def work(fold: int) -> tuple[Rows, NDArray[np.float32]]:
        train_rows, test_rows = parts[fold]
        train, test = judgments.take(train_rows), judgments.take(test_rows)
        both = [model.fit(train, features, flipped) for model in (make(fold), IdentityModel())]
        return test_rows, np.concatenate([model.distances(test, features) for model in both])

    distances = np.full((4, len(judgments)), np.nan, np.float32)
    for done, (rows, found) in enumerate(in_lanes(work, range(len(parts)), cores()), 1):
        distances[:, rows] = found
        on_progress(Progress(STAGE, done, len(parts)))
    held = np.isfinite(distances[0])
    ours, plain = distances[:2, held], distances[2:, held]
    return beside_plain(judgments.take(held), ours, plain, len(parts), *_sizes(parts))


def beside_plain(
    judgments: Judgments, ours: NDArray[Any], plain: NDArray[Any], divisions: int, test: int, train: int
) -> HeldOut:
    """Hold the distances of a model, and those of the features as they are, against judgments that were held out.

    Parameters
    ----------
    judgments : Judgments
    ours, plain : float (2, n)
        To candidates a, then b.
    divisions, test, train : int
        As in `HeldOut`.
    """
    answers = judgments.votes_a, judgments.votes_b, judgments.reference
    gain = compare_accuracy((ours[0], ours[1]), (plain[0], plain[1]), *answers)
    measured = _agreement(ours, *answers), _agreement(plain, *answers)
    return HeldOut(*measured, gain, divisions, len(judgments), test, train, _temperature(ours, judgments))


def _deal_pairs(pairs: Pairs, runs: int, test: float, seed: int) -> list[tuple[Rows, Rows]]:
    """Return the rows to learn from and the rows to hold out, run by run; pairs with common images stay together."""
    if not 0 < test < 1:
        raise InputError(f"the share of pairs held out is between 0 and 1, not {test}")
    if runs < 1:
        raise InputError(f"at least 1 run is needed, not {runs}")
    _, group, sizes = np.unique(pairs.groups(), return_inverse=True, return_counts=True)
    parts = []
    for run in range(runs):
        order = np.random.default_rng([seed, run]).permutation(len(sizes))
        chosen = order[np.cumsum(sizes[order]) <= int(test * len(pairs))]
        held = np.isin(group, chosen)
        parts.append((np.flatnonzero(~held), np.flatnonzero(held)))
        if min(len(side) for side in parts[-1]) < 2:
            raise InputError(
                f"{len(pairs)} pairs: holding out {test:.0%} leaves {len(parts[-1][1])} to test and "
                f"{len(parts[-1][0])} to learn from, and two of each are needed"
            )
    return parts


def _mapped(model: SimilarityModel, features: Features, ids: NDArray[np.str_]) -> Vectors:
    return model.transform(features.vectors[features.rows(ids)])


def _share(hits: NDArray[np.float64], times: NDArray[np.float64], clusters: NDArray[np.int32]) -> Accuracy:
    found = bootstrap_ratio(hits, times, clusters)
    return Accuracy(found.value, found.low, found.high, found.n)


def _agreement(
    distances: NDArray[Any],
    votes_a: NDArray[np.float32],
    votes_b: NDArray[np.float32],
    reference: NDArray[np.int32],
) -> dict[str, Accuracy]:
    found = {"votes": two_afc_accuracy(distances[0], distances[1], votes_a, votes_b, reference)}
    if (votes_a != votes_b).any():
        found["majorities"] = majority_accuracy(distances[0], distances[1], votes_a, votes_b, reference)
    return found


def _temperature(distances: NDArray[Any], judgments: Judgments) -> float | None:
    found = fit_temperature(distances[0], distances[1], judgments.votes_a, judgments.votes_b)
    return found if 0 < found < np.inf else None


def _sizes(parts: Sequence[tuple[Rows, Rows]]) -> tuple[int, int]:
    """Return how many were tested and how many learned from, on average."""
    return round(float(np.mean([len(test) for _, test in parts]))), round(float(np.mean([len(t) for t, _ in parts])))
