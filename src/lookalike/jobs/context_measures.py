"""How context models do on answers held out, each in its own context, beside what it started from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.features import Features
from lookalike.core.lanes import cores, in_lanes
from lookalike.core.progress import OnProgress, Progress
from lookalike.core.types import Rows
from lookalike.ensembles.crossfit import refitted
from lookalike.ensembles.division import Division, divide
from lookalike.ensembles.refits import start_of
from lookalike.judgments.splits import By
from lookalike.judgments.table import Judgments
from lookalike.metrics.two_afc import Accuracy, Difference, compare_accuracy, two_afc_accuracy
from lookalike.similarity.context import ContextModel
from lookalike.similarity.held_out import HeldOut, beside_plain
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.model import SimilarityModel

__all__ = ["MeasuredContext", "measure_contexts"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MeasuredContext:
    """What a context model came to on answers of its context that it was not fitted on.

    Attributes
    ----------
    embedding : HeldOut
        By the distances of its embeddings, and of the features as they are.
    head : Accuracy
        By its ranking head.
    start : Accuracy or None
        By the distances of what it started from, fitted without these answers too; None where it started from nothing.
    over_start : Difference or None
        Its own accuracy less that, paired.
    """

    embedding: HeldOut
    head: Accuracy
    start: Accuracy | None
    over_start: Difference | None

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values: those of `HeldOut`, and the others by name; an end of an interval may be None."""
        found = self.embedding.as_dict()
        for name in ("head", "start", "over_start"):
            one = getattr(self, name)
            found[name] = one and {key: None if value != value else value for key, value in asdict(one).items()}
        return found


def measure_contexts(
    models: Mapping[str, ContextModel],
    learned: Mapping[str, NDArray[np.bool_]],
    judgments: Judgments,
    features: Features,
    by: By,
    folds: int,
    seed: int,
    on_progress: OnProgress,
) -> dict[str, MeasuredContext | None]:
    """Fit fresh copies fold by fold, and hold each against the answers of its own context that it has not met.

    Folds are those of `lookalike.ensembles.division.divide`, which leave every model something to learn from, and every
    context that judgments name something of its own. What models start from is fitted anew on each training side, too.

    Parameters
    ----------
    models : mapping of str to ContextModel
        Only their parameters count.
    learned : mapping of str to bool (n,)
        The judgments of each, of the same names.
    judgments : Judgments
    features : Features
    by, folds, seed
        As in `lookalike.judgments.splits.split`. ``by="image"``: an answer counts only where the model, and what it
        started from, has met none of its three images.
    on_progress : callable

    Returns
    -------
    dict of str to MeasuredContext or None
        None where no answer could be held out so.

    Raises
    ------
    InputError
        The judgments cannot be split so, or a model cannot be fitted.
    """
    masks = np.stack([learned[name] for name in models])
    division = divide(judgments, np.concatenate([masks, _named(judgments)]), by, folds, seed)
    said = np.full((len(models), 7, len(judgments)), np.nan)
    plain = IdentityModel.of(features.vectors.shape[1])

    def work(fold: int) -> None:
        side = division.side(fold)
        made = refitted(list(models.values()), judgments, features, masks, side)
        for number, model in enumerate(made):
            rows = _fair(model, judgments, np.flatnonzero(masks[number] & (division.fold == fold)), by)
            if len(rows):
                said[number][:, rows] = _said(model, plain, judgments.take(rows), features)

    for done, _ in enumerate(in_lanes(work, division.folds, min(len(division.folds), cores())), 1):
        on_progress(Progress("measuring on answers held out", done, len(division.folds)))
    return {
        name: _measured(said[number], judgments, masks[number], division, start_of(model) is not None)
        for number, (name, model) in enumerate(models.items())
    }


def _named(judgments: Judgments) -> NDArray[np.bool_]:
    """Return the judgments of each context that they name, bool (C, n)."""
    codes = np.zeros(0) if judgments.context is None else judgments.context.codes
    present = [codes == code for code in np.unique(codes[codes >= 0])]
    return np.stack(present) if present else np.zeros((0, len(judgments)), np.bool_)


def _fair(model: SimilarityModel, judgments: Judgments, rows: Rows, by: By) -> Rows:
    """Return the rows that a model may be held against: by image, those of which it has seen no image."""
    if by != "image":
        return rows
    met = model.has_seen(judgments.ids)
    columns = judgments.reference, judgments.candidate_a, judgments.candidate_b
    return np.asarray(rows[~np.any([met[column[rows]] for column in columns], axis=0)])


def _said(model: SimilarityModel, plain: IdentityModel, asked: Judgments, features: Features) -> Floats:
    """Return the distances by a model, by the features, and by what it started from; and what its head says (7, n)."""
    ours = np.stack(model.distances(asked, features))
    start = start_of(model) or model  # where nothing was left to learn from, it is what it would have started from
    theirs = ours if start is model else np.stack(start.distances(asked, features))
    if isinstance(model, ContextModel):
        chance = model.choose(asked, features)
    else:
        chance = 0.5 + 0.5 * np.sign(ours[1] - ours[0]).astype(np.float64)
    return np.concatenate([ours, np.stack(plain.distances(asked, features)), theirs, chance[None]]).astype(np.float64)


def _measured(
    said: Floats, judgments: Judgments, learned: NDArray[np.bool_], division: Division, started: bool
) -> MeasuredContext | None:
    held = np.isfinite(said[0])
    if not held.any():
        return None
    tested, found = judgments.take(held), said[:, held]
    ours, plain, theirs, chance = found[:2], found[2:4], (found[4], found[5]), found[6]
    count = len(division.folds)
    train = round(float(np.mean([(learned & division.side(fold)).sum() for fold in division.folds])))
    votes = tested.votes_a, tested.votes_b
    clusters = tested.reference
    over = compare_accuracy((ours[0], ours[1]), theirs, *votes, clusters=clusters) if started else None
    return MeasuredContext(
        embedding=beside_plain(tested, ours, plain, count, round(len(tested) / count), train),
        head=two_afc_accuracy(1 - chance, chance, *votes, clusters=clusters),
        start=two_afc_accuracy(*theirs, *votes, clusters=clusters) if started else None,
        over_start=over,
    )
