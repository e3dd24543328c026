"""None of these: how sure a classifier is that its best class is right, and below what it names none."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.metrics.intervals import bootstrap_share
from lookalike.metrics.match_probability import MatchProbability, fit_match_probability, probability_of

__all__ = ["OpenSet", "Trials", "fit_open_set", "top_two"]

Floats: TypeAlias = NDArray[np.float64]
FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Pictures that a classifier has not learned from.

    Attributes
    ----------
    evidence : float64 (n, 2)
        See `top_two`.
    right : bool (n,)
        Whether the best class is what the picture shows; never, of pictures of unknown things.
    unknown : bool (n,)
        Whether the thing is none of the classes.
    thing : int64 (n,)
    """

    evidence: Floats
    right: NDArray[np.bool_]
    unknown: NDArray[np.bool_]
    thing: NDArray[np.int64]

    def take(self, rows: NDArray[Any]) -> Trials:
        """Return some, by position or by mask."""
        return Trials(self.evidence[rows], self.right[rows], self.unknown[rows], self.thing[rows])


@dataclass(frozen=True, slots=True, eq=False)
class OpenSet:
    """When a class is named.

    Attributes
    ----------
    sureness : MatchProbability
        Fitted among as many pictures of unknown things as of known ones.
    threshold : float
        Probability below which none is named.
    measured : dict
        On things that neither sureness nor threshold had seen, by folds: ``refused``, the share of pictures of unknown
        things for which none was named; ``named_right``, that of pictures of known things for which the right class
        was; each with ``value``, ``low``, ``high``, ``n``, ``clusters``.
    """

    sureness: MatchProbability
    threshold: float
    measured: dict[str, Any]

    def probability(self, evidence: Floats) -> Floats:
        """Return that the best class is right, float64 (n,)."""
        return probability_of(self.sureness.log_odds(evidence))

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"sureness": self.sureness.as_dict(), "threshold": self.threshold, "measured": self.measured}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> OpenSet:
        """Take back what `as_dict` returned."""
        return cls(MatchProbability.from_dict(values["sureness"]), values["threshold"], values["measured"])


def top_two(scores: NDArray[np.float32]) -> tuple[NDArray[np.int64], Floats]:
    """Return the best class of each row of scores (n, K), and the evidence for it (n, 2).

    Evidence is the best score and its lead over the next best; over itself where there is one class.

    Examples
    --------
    >>> best, evidence = top_two(np.array([[0.25, 1.0, 0.5]], np.float32))
    >>> best.tolist(), evidence.tolist()
    ([1], [[1.0, 0.5]])
    """
    best = scores.argmax(axis=1)
    top = np.take_along_axis(scores, best[:, None], 1)[:, 0].astype(np.float64)
    if scores.shape[1] < 2:
        return best, np.stack([top, np.zeros_like(top)], axis=1)
    second = np.partition(scores, -2, axis=1)[:, -2].astype(np.float64)
    return best, np.stack([top, top - second], axis=1)


def fit_open_set(trials: Trials, refuse: float, seed: int = 0) -> OpenSet:
    """Fit sureness and threshold, and measure both by folds over the things.

    The threshold is the order statistic of split conformal prediction (Vovk, Gammerman and Shafer, 2005): of n pictures
    of unknown things, the ``ceil((n + 1) refuse)``-th probability, so that a picture of another unknown thing is
    refused with probability `refuse` at least, as far as things are alike.

    Parameters
    ----------
    trials : Trials
        Of known and of unknown things.
    refuse : float
        Share of pictures of unknown things for which no class should be named, in [0, 1).
    seed : int
        Of what is drawn to have as many of both.

    Raises
    ------
    InputError
        There are pictures of fewer than two known or two unknown things, or none, or all, of the best classes are
        right.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> unknown = np.arange(200) % 2 == 0
    >>> evidence = rng.normal(size=(200, 2)) + np.where(unknown, 0, 3)[:, None]
    >>> found = fit_open_set(Trials(evidence, ~unknown, unknown, np.arange(200)), 0.9)
    >>> found.measured["refused"]["value"] > 0.8, found.measured["named_right"]["value"] > 0.9
    (True, True)
    """
    for kind, name in ((trials.unknown, "unknown"), (~trials.unknown, "known")):
        if len(np.unique(trials.thing[kind])) < 2:
            raise InputError(f"pictures of two {name} things at least are needed to tell when none of these is shown")
    numbers, place = np.unique(trials.thing, return_inverse=True)
    fold = np.random.default_rng([seed, 0]).permutation(len(numbers))[place] % min(FOLDS, len(numbers))
    named = np.zeros(len(trials.right), bool)
    for number in range(FOLDS):
        out, rest = fold == number, trials.take(fold != number)
        if out.any() and rest.right.any() and rest.unknown.any():
            sureness, threshold = _fit(rest, refuse, seed)
            named[out] = probability_of(sureness.log_odds(trials.evidence[out])) >= threshold
    shares = {"refused": (~named, trials.unknown), "named_right": (named & trials.right, ~trials.unknown)}
    measured = {name: _share(hit[of], trials.thing[of]) for name, (hit, of) in shares.items()}
    return OpenSet(*_fit(trials, refuse, seed), measured)


def _fit(trials: Trials, refuse: float, seed: int) -> tuple[MatchProbability, float]:
    kinds = [np.flatnonzero(trials.unknown), np.flatnonzero(~trials.unknown)]
    fewer = min(len(kind) for kind in kinds)
    rng = np.random.default_rng([seed, 1])
    both = np.concatenate([np.sort(rng.permutation(kind)[:fewer]) for kind in kinds])
    sureness = fit_match_probability(trials.evidence[both], trials.right[both])
    ordered = np.sort(probability_of(sureness.log_odds(trials.evidence[trials.unknown])))
    rank = math.ceil((len(ordered) + 1) * refuse)
    # Just above that picture, so that it is refused; with too few pictures for the share, above all of them.
    return sureness, 0.0 if rank < 1 else float(np.nextafter(ordered[min(rank, len(ordered)) - 1], 2.0))


def _share(hits: NDArray[np.bool_], things: NDArray[np.int64]) -> dict[str, Any]:
    found = asdict(bootstrap_share(hits.astype(np.float64), np.ones(len(hits)), things))
    return {name: None if value != value else value for name, value in found.items()}
