"""Hold a file of matches against the truth: how many are found, how many are right, and how true the probabilities are.

The answer to a source is its first target. Sources without a partner are part of the question: every answer to one is
wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.images.folder import scan
from lookalike.jobs.match_files import Match, read_matches, read_truth
from lookalike.metrics.intervals import Estimate, bootstrap_share
from lookalike.metrics.match_precision import pooled_average_precision
from lookalike.metrics.probabilities import expected_calibration_error

__all__ = ["DEPTHS", "THRESHOLDS", "AtThreshold", "MatchEvaluation", "evaluate_match_list", "evaluate_matches"]

DEPTHS = (1, 5, 15)
THRESHOLDS = (0.5, 0.8, 0.9, 0.95, 0.99)
"""Probabilities from which on an answer is believed."""


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What believing answers from some probability on comes to.

    Attributes
    ----------
    threshold : float
    answered : int
        Sources whose first target is that probable.
    precision : Estimate or None
        Share of these that are right; None where there are none.
    recall : Estimate
        Right ones, as a share of the sources that have a partner.
    """

    threshold: float
    answered: int
    precision: Estimate | None
    recall: Estimate


@dataclass(frozen=True, slots=True)
class MatchEvaluation:
    """What a file of matches is worth.

    Attributes
    ----------
    recalls : dict of int to Estimate
        By k: the share of sources with a partner that have one among their first k targets. A k that is larger than the
        longest list is left out.
    average_precision : Estimate
        Of all pairs of the file in one list, the most probable first (or the closest, without probabilities).
    thresholds : list of AtThreshold
        None where there are no probabilities.
    calibration_error : float or None
        Expected calibration error of the first targets' probabilities; None where there are none.
    sources, partnered : int
        How many sources there are, and how many have a partner.
    """

    recalls: dict[int, Estimate]
    average_precision: Estimate
    thresholds: list[AtThreshold]
    calibration_error: float | None
    sources: int
    partnered: int


def evaluate_matches(path: Path, truth: Path | None = None, targets: Path | None = None) -> MatchEvaluation:
    """Evaluate the table or the JSON that ``lookalike match`` wrote.

    Which targets are right has to be said. A file of matches lists the nearest targets alone: it does not tell whether
    a source whose partner is not among them has none, or one that was missed.

    Parameters
    ----------
    path : Path
    truth : Path, optional
        A table with the columns ``source,target`` (or ``left,right``): sources that it does not name have no partner.
    targets : Path, optional
        Instead, the folder that was searched: the partners of a source are the images in it, and below it, whose file
        has the same name. A source without any has no partner.

    Raises
    ------
    InputError
        A file or the folder cannot be read; neither or both are given; the matches lack a source of the truth, or name
        a target that is not in the folder; or no source has a partner.
    """
    matches = read_matches(path)
    if truth is not None:
        if targets is not None:
            raise InputError("--targets takes equal file names for right: leave it out with --truth")
        return evaluate_match_list(matches, _partners_of_table(path, matches, truth))
    if targets is not None:
        return evaluate_match_list(matches, _partners_by_name(path, matches, targets))
    raise InputError(
        f"which matches of {path} are right? Give --truth FILE, or --targets DIR where those of equal file names are"
    )


def _partners_of_table(path: Path, matches: Sequence[Match], truth: Path) -> dict[str, set[str]]:
    """Return the right targets of the sources that a table names."""
    known: dict[str, set[str]] = {}
    for source, target in read_truth(truth):
        known.setdefault(source, set()).add(target)
    lacking = sorted(set(known) - {match.source for match in matches})
    if lacking:
        raise InputError(f"{path}: no row about the source '{lacking[0]}' of {truth} (and {len(lacking) - 1} more)")
    return known


def _partners_by_name(path: Path, matches: Sequence[Match], folder: Path) -> dict[str, set[str]]:
    """Return the targets of a folder whose files are named like the source."""
    names = {file.path for file in scan(folder).files}
    strange = sorted({one.target for match in matches for one in match.targets} - names)
    if strange:
        raise InputError(
            f"{path} names the target '{strange[0]}', which is not in {folder}: give the folder that was searched"
        )
    namesakes: dict[str, set[str]] = {}
    for name in names:
        namesakes.setdefault(PurePosixPath(name).name, set()).add(name)
    known = {match.source: namesakes.get(PurePosixPath(match.source).name, set()) for match in matches}
    return {source: found for source, found in known.items() if found}


def evaluate_match_list(matches: Sequence[Match], truth: Mapping[str, set[str]]) -> MatchEvaluation:
    """Evaluate matches against the right targets of each source that has any; see `evaluate_matches`.

    Raises
    ------
    InputError
        No source has a partner.

    Examples
    --------
    >>> from lookalike.jobs.match_files import Target
    >>> matches = [Match("a.jpg", [Target("t/a.jpg", 0.1, 0.9)]), Match("b.jpg", [Target("t/c.jpg", 0.2, 0.3)])]
    >>> found = evaluate_match_list(matches, {"a.jpg": {"t/a.jpg"}, "b.jpg": {"t/b.jpg"}})
    >>> found.recalls[1].value, found.thresholds[0].precision.value
    (0.5, 1.0)
    """
    depth = max((len(match.targets) for match in matches), default=0)
    right = np.zeros((len(matches), max(depth, 1)), np.bool_)
    score = np.full(right.shape, -np.inf)
    sure = np.full(right.shape, np.nan)
    for row, match in enumerate(matches):
        for column, one in enumerate(match.targets):
            right[row, column] = one.target in truth.get(match.source, ())
            score[row, column] = -one.distance
            sure[row, column] = np.nan if one.probability is None else one.probability
    partners = np.array([len(truth.get(match.source, ())) for match in matches], np.float64)
    partnered = partners > 0
    if not partnered.any():
        raise InputError("no source has a partner: there is nothing to be found")
    listed = score > -np.inf
    known = not np.isnan(sure[listed]).any() and bool(listed.any())
    first = listed[:, 0]
    return MatchEvaluation(
        recalls={k: _recall(np.asarray(right[:, :k].any(axis=1)), partnered) for k in DEPTHS if k <= max(depth, 1)},
        average_precision=pooled_average_precision(
            np.where(listed, sure if known else score, -np.inf), right, partners
        ),
        thresholds=[_at(threshold, right[:, 0], sure[:, 0], partnered) for threshold in THRESHOLDS] if known else [],
        calibration_error=(
            expected_calibration_error(sure[first, 0], right[first, 0], ~right[first, 0]) if known else None
        ),
        sources=len(matches),
        partnered=int(partnered.sum()),
    )


def _recall(found: NDArray[np.bool_], partnered: NDArray[np.bool_]) -> Estimate:
    return bootstrap_share(found[partnered].astype(float), np.ones(int(partnered.sum())))


def _at(
    threshold: float, right: NDArray[np.bool_], sure: NDArray[np.float64], partnered: NDArray[np.bool_]
) -> AtThreshold:
    believed = np.asarray(sure >= threshold, np.bool_)  # False where there is no target
    precision = None
    if believed.any():
        precision = bootstrap_share(right[believed].astype(float), np.ones(int(believed.sum())))
    return AtThreshold(threshold, int(believed.sum()), precision, _recall(np.logical_and(right, believed), partnered))
