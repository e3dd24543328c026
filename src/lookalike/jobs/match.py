"""Find for every picture of a folder the pictures of another that show the same, and say how sure that is."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import ImageDecodeError, InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.runs import record_run
from lookalike.core.workspace import Workspace
from lookalike.embedding.match_copies import Sureness
from lookalike.embedding.matching import Candidates, Looks, evidence, nearest
from lookalike.images.decode import decode
from lookalike.images.folder import Rejected, scan
from lookalike.jobs.match_files import Match, Target, write_matches
from lookalike.jobs.match_sureness import Side, known_matches, sureness_by_copies, sureness_by_pairs
from lookalike.jobs.matcher import Matcher, open_matcher
from lookalike.metrics.match_probability import log_odds_of, probability_of
from lookalike.reports.contact_sheet import check_sheet
from lookalike.reports.match_sheet import SHEET_ROWS, MatchRow, match_sheet
from lookalike.search.assignment import assign

__all__ = ["MatchReport", "Wanted", "match_folders"]

NEIGHBOURS = 10
"""Targets found for every source, at least: the lead over the next one and one-to-one assignment need several."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of the matches.

    Attributes
    ----------
    k : int
        Targets of each source, at most.
    one_to_one : bool
        Whether no target may serve two sources; each source then has one target or none.
    threshold : float or None
        Least probability of a target that is told. Without it all are told, and one-to-one asks for one half.
    prior : float
        The share of sources that have a partner among the targets, as far as it is known.
    """

    k: int = 5
    one_to_one: bool = False
    threshold: float | None = None
    prior: float = 0.5

    def check(self) -> None:
        """Raise an `InputError` where a number is out of range."""
        if self.k < 1:
            raise InputError(f"k is {self.k}: ask for at least 1 target")
        log_odds_of(self.prior)
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise InputError(f"the threshold is a probability between 0 and 1, not {self.threshold}")


@dataclass(frozen=True, slots=True)
class MatchReport:
    """What was found.

    Attributes
    ----------
    matches : list of Match
        By source, sorted.
    rejected : list of Rejected
        Files of either folder that cannot be used, with their folder, and why.
    sureness : Sureness or None
        Where the probabilities come from; None where there are none.
    matcher : str
        The encoder or model.
    sources, targets : int
        How many were used.
    seconds : float
    """

    matches: list[Match]
    rejected: list[Rejected]
    sureness: Sureness | None
    matcher: str
    sources: int
    targets: int
    seconds: float


def match_folders(
    workspace: Path,
    source: Path,
    target: Path,
    wanted: Wanted | None = None,
    encoder: str | None = None,
    model: str | None = None,
    pairs: Path | None = None,
    table: Path | None = None,
    sheet: Path | None = None,
    on_progress: OnProgress = silent,
) -> MatchReport:
    """Match the pictures of two folders.

    The nearest targets of each source by the distance of an encoder or a model; then their probability of showing the
    same, learned from edited copies of the targets (`lookalike.embedding.match_copies`), or from known matches. Targets
    stand by their probability, most likely first, and by distance where these are equal.

    Parameters
    ----------
    workspace : Path
        Keeps the features and what was learned; made when it is not there.
    source : Path
        A folder, read with all its folders; or one picture.
    target : Path
        A folder.
    wanted : Wanted, optional
    encoder, model : str, optional
        One of them; by default the encoder of the workspace.
    pairs : Path, optional
        Known matches to learn probabilities from.
    table, sheet : Path, optional
        Where to write the matches as CSV, and as a contact sheet.
    on_progress : callable

    Raises
    ------
    InputError
        A folder is not there or has no usable images, a number is out of range, or the pairs cannot be used.
    ImageDecodeError
        The one picture cannot be read.
    UnknownNameError, EncoderError, StorageError
    """
    started = time.perf_counter()
    wanted = wanted or Wanted()
    wanted.check()
    if sheet is not None:
        check_sheet(sheet)
    rejected: list[Rejected] = []
    sources, targets = _sources(source, rejected), _folder(target, rejected)
    if pairs is not None:  # refused before anything is computed
        known_matches(pairs, [*sources], [*targets])
    held = Workspace(workspace)
    matcher = open_matcher(held, encoder, model)
    left = _see(matcher, source, sources, on_progress, rejected)
    right = _see(matcher, target, targets, on_progress, rejected)
    queries, vectors = matcher.queries(left.features), matcher.targets(right.features)
    neighbours = max(wanted.k, NEIGHBOURS)
    if pairs is not None:
        sureness = sureness_by_pairs(pairs, left, queries, right, vectors, neighbours)
    else:
        sureness = sureness_by_copies(held, matcher, right, vectors, neighbours, on_progress)
    found = nearest(queries, vectors, neighbours, on_progress)
    odds = None
    if sureness is not None:
        looks = Looks(left.thumbnail, right.thumbnail)
        seen = evidence(found, vectors, looks.agreements(found.rows, on_progress=on_progress))
        odds = sureness.probability.log_odds(seen) + log_odds_of(wanted.prior)
    matches = _told(left.names, right.names, found, odds, wanted)
    if table is not None:
        write_matches(table, matches)
    if sheet is not None:
        match_sheet(sheet, f"{source.name} among {target.name}, by {matcher.name}", _rows(matches, left, right))
    rejected.sort(key=lambda entry: entry.path)
    report = MatchReport(
        matches, rejected, sureness, matcher.name, len(left), len(right), time.perf_counter() - started
    )
    _record(held, source, target, wanted, report)
    return report


def _sources(place: Path, rejected: list[Rejected]) -> dict[str, Path]:
    """Return the one picture, or those of the folder, by name."""
    return {place.name: place} if place.is_file() else _folder(place, rejected)


def _folder(place: Path, rejected: list[Rejected]) -> dict[str, Path]:
    """Return the pictures of a folder by name; before anything is computed, it has to hold one that can be read."""
    found = scan(place)
    files = {file.path: place / file.path for file in found.files}
    if not any(map(_can_be_read, files.values())):
        raise _unusable(place, len(files) + len(found.rejected))
    rejected += [Rejected(str(place / entry.path), entry.reason) for entry in found.rejected]
    return files


def _can_be_read(file: Path) -> bool:
    try:
        decode(file, min_side=1)
    except ImageDecodeError:
        return False
    return True


def _unusable(place: Path, files: int) -> InputError:
    return InputError(f"{place} has no images that can be used ({files:,} cannot be read)")


def _see(
    matcher: Matcher, place: Path, files: dict[str, Path], on_progress: OnProgress, rejected: list[Rejected]
) -> Side:
    """Return the features of all usable files; of a single picture, the reason why it is not is an error."""
    refused: list[Rejected] = []
    usable = matcher.see(files, None, on_progress, None if place.is_file() else refused)
    rejected += [Rejected(str(place / entry.path), entry.reason) for entry in refused]
    if not len(usable):
        raise _unusable(place, len(refused))
    return Side({name: files[name] for name in usable.ids.tolist()}, usable)


def _told(
    sources: list[str], targets: list[str], found: Candidates, odds: NDArray[np.float64] | None, wanted: Wanted
) -> list[Match]:
    """Put what was found in order, and leave out what was not asked for."""
    if odds is None and wanted.threshold is not None:
        raise InputError("there are too few targets to say how sure a match is: leave out the threshold")
    worth = np.where(found.rows < 0, -np.inf, -found.distances if odds is None else odds)
    order = np.lexsort((found.rows, found.distances, -worth), axis=1)
    if wanted.one_to_one:
        # Without odds every pair is worth something, a closer one more: distances are at most 2.
        least = -2.0 if odds is None else _log_odds(0.5 if wanted.threshold is None else wanted.threshold)
        order = assign(found.rows, worth - least)[:, None]
    matches = []
    for query, columns in enumerate(order.tolist()):
        kept = [column for column in columns if column >= 0 and found.rows[query, column] >= 0]
        told = [
            Target(
                targets[found.rows[query, column]],
                float(np.clip(found.distances[query, column], 0, 2)),
                None if odds is None else float(probability_of(odds[query, column])),
            )
            for column in kept[: wanted.k]
        ]
        sure = [one for one in told if not wanted.threshold or (one.probability or 0) >= wanted.threshold]
        matches.append(Match(sources[query], sure))
    return matches


def _log_odds(probability: float) -> float:
    """Return the logarithm of odds that may be none, or certain."""
    return log_odds_of(min(max(probability, 1e-12), 1 - 1e-12))


def _rows(matches: list[Match], left: Side, right: Side) -> list[MatchRow]:
    """Return what the sheet shows."""
    return [
        MatchRow(
            left.files[match.source],
            match.source,
            [(right.files[one.target], one.target, _note(one)) for one in match.targets],
        )
        for match in matches[:SHEET_ROWS]
    ]


def _note(one: Target) -> str:
    return f"{one.distance:.3f}" if one.probability is None else f"{one.probability:.0%}"


def _record(held: Workspace, source: Path, target: Path, wanted: Wanted, report: MatchReport) -> None:
    told = report.sureness
    record_run(
        held.runs_folder,
        "match",
        {"source": str(source), "target": str(target), "by": report.matcher, **asdict(wanted)},
        {
            "sources": report.sources,
            "targets": report.targets,
            "matched": sum(bool(match.targets) for match in report.matches),
            "rejected": len(report.rejected),
            "calibration_error": told and told.calibration_error,
            "seconds": round(report.seconds, 3),
        },
    )
