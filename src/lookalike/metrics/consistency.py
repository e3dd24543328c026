"""How far each annotator agrees with themselves, on questions asked twice and questions asked the other way round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lookalike.metrics.checks import Floats, as_choices, same_length
from lookalike.metrics.groups import as_codes
from lookalike.metrics.intervals import LEVEL, RESAMPLES, Estimate, bootstrap_share

__all__ = ["AnnotatorConsistency", "annotator_consistency"]

NOTHING = Estimate(float("nan"), float("nan"), float("nan"), 0, 0)


@dataclass(frozen=True, slots=True)
class AnnotatorConsistency:
    """How one annotator answered the same question again.

    Attributes
    ----------
    annotator : str
    answers : int
        All answers of the annotator.
    repeated : Estimate
        Share of repeated trials (same reference, same candidates in the same order) answered alike.
    flipped : Estimate
        Share of flipped trials (candidates exchanged) for which the same image was chosen; an annotator who always
        answers "a" has 1 in `repeated` and 0 here.

    In both, ``n`` counts the pairs of answers that were compared and ``clusters`` the questions; without any, the
    value is NaN.
    """

    annotator: str
    answers: int
    repeated: Estimate
    flipped: Estimate


def annotator_consistency(
    annotators: ArrayLike,
    references: ArrayLike,
    candidates_a: ArrayLike,
    candidates_b: ArrayLike,
    choices: ArrayLike,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[AnnotatorConsistency]:
    """Compare each annotator's answers to one question with each other.

    Parameters
    ----------
    annotators : int or str (n,)
    references, candidates_a, candidates_b : int or str (n,)
        Image ids.
    choices : str (n,)
        ``"a"`` or ``"b"``.
    level, resamples, seed
        Of the intervals, which are clustered by question, as in `lookalike.metrics.intervals.bootstrap_share`.

    Returns
    -------
    list of AnnotatorConsistency
        Sorted by annotator. Of a question answered m times, every pair of answers is compared.

    Raises
    ------
    InputError
        Columns of different length, or an answer that is neither a nor b.

    Examples
    --------
    >>> found = annotator_consistency(
    ...     ["ann", "ann", "ann"], ["r", "r", "r"], ["x", "x", "y"], ["y", "y", "x"], ["a", "b", "b"])
    >>> found[0].repeated.value, found[0].flipped.value
    (0.0, 0.5)
    """
    chose_a = as_choices(choices)
    person, names = as_codes("annotators", annotators)
    reference, _ = as_codes("references", references)
    first, second = np.asarray(candidates_a), np.asarray(candidates_b)
    same_length(choices=chose_a, annotators=person, references=reference, candidates_a=first, candidates_b=second)
    candidates, ids = as_codes("candidates", np.concatenate([first, second]))
    a, b = candidates[: len(first)], candidates[len(first) :]
    pair = np.minimum(a, b) * len(ids) + np.maximum(a, b)
    asked = np.stack([person, reference, pair], axis=1)
    questions, at = np.unique(asked, axis=0, return_inverse=True)
    # Answers to each question by order of the candidates and by the image that was chosen.
    flipped = (a > b).astype(np.int64)
    counts = np.zeros((len(questions), 2, 2))
    np.add.at(counts, (at.reshape(-1), flipped, (chose_a == (a < b)).astype(np.int64)), 1)
    answered = counts.sum(axis=2)
    alike = (counts * (counts - 1) / 2).sum(axis=(1, 2)), (answered * (answered - 1) / 2).sum(axis=1)
    turned = (counts[:, 0] * counts[:, 1]).sum(axis=1), answered.prod(axis=1)

    def estimate(pairs: tuple[Floats, Floats], mine: Floats) -> Estimate:
        same, compared = pairs[0][mine], pairs[1][mine]
        if not compared.any():
            return NOTHING
        found = bootstrap_share(same, compared, level=level, resamples=resamples, seed=seed)
        return Estimate(found.value, found.low, found.high, int(compared.sum()), found.clusters)

    return [
        AnnotatorConsistency(
            str(name),
            int(answered[questions[:, 0] == code].sum()),
            estimate(alike, questions[:, 0] == code),
            estimate(turned, questions[:, 0] == code),
        )
        for code, name in enumerate(names)
    ]
