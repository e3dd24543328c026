"""One HTML file that shows what a workspace's models came to: the leaderboard, by context, where, and where not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.core.errors import ImageDecodeError, InputError
from lookalike.core.features import Features
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.workspace import Workspace
from lookalike.ensembles.axes import principal_axes
from lookalike.ensembles.folds import in_order
from lookalike.images.decode import decode
from lookalike.images.fit import thumbnail
from lookalike.jobs.evaluate import chosen_judgments, judged_files
from lookalike.jobs.leaderboard import Evaluation, leaderboard, short_name
from lookalike.jobs.measured import Measured
from lookalike.jobs.measured_fairly import agreement_by_reference, measured_fairly
from lookalike.jobs.models import list_models
from lookalike.jobs.training import Folds
from lookalike.reports.content import Content, Mistake, Picture, Place, Standing
from lookalike.reports.page import write_page

__all__ = ["Reported", "write_report"]

SIDE, SHOWN, MOST_PLACES = 160, 12, 1500
"""Of thumbnails in pixels; how many mistakes; how many references on the map."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A report that was written.

    Attributes
    ----------
    path : Path
    evaluation : Evaluation
        The leaderboard that it shows.
    kinds : dict of str to str
        What each model of it is.
    how : str
        How it was measured.
    """

    path: Path
    evaluation: Evaluation
    kinds: dict[str, str]
    how: str


def write_report(
    workspace: Path,
    out: Path,
    encoders: Sequence[str] = (),
    models: Sequence[str] = (),
    source: str | None = None,
    context: str | None = None,
    folds: Folds | None = None,
    on_progress: OnProgress = silent,
) -> Reported:
    """Folds encoders, models and ensembles on the judgments of a workspace, and write one HTML file about it.

    Where none of the models was fitted on these judgments, they and the workspace's ensembles are measured as they are.
    Where one was, all of them are fitted anew on the training side of each fold, with every kind of ensemble of them,
    and measured on the other side.

    Parameters
    ----------
    workspace : Path
        The workspace folder, with judgments and models.
    out : Path
        The HTML file; one that is there gives way.
    encoders : sequence of str
        Which to hold beside the models, as they are; without any, those whose features the models take.
    models : sequence of str
        Which; without any, all of the workspace.
    source, context : str, optional
        Only judgments of one import, or of one context.
    folds : Folds, optional
        How to hold answers out.
    on_progress : callable

    Raises
    ------
    InputError
        There are no such judgments or models, or the file is no HTML file.
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    if out.suffix not in (".html", ".htm"):
        raise InputError(f"a report is an HTML file: {out} does not end in .html")
    held, folds = Workspace(workspace), folds or Folds()
    judgments = chosen_judgments(held, source, context)
    images = judged_files(held, judgments)
    cards = list_models(workspace)
    names = list(models or cards)
    if not names:
        raise InputError(f"{workspace} has no models to report on: run `lookalike train context` first")
    measured, members, how = measured_fairly(held, encoders, names, judgments, images, folds, on_progress)
    found = leaderboard(measured.judgments, measured.distances, measured.seen)
    features = members.features if members is not None else _placing(held, names, images, on_progress)
    curves = {name: cards[name]["about"].get("history") or [] for name in names if name in cards}
    pictures = _Pictures(images, on_progress)
    write_page(out, _content(found, measured, features, curves, how, pictures))
    return Reported(out, found, measured.kinds, how)


def _placing(
    workspace: Workspace, names: Sequence[str], images: Mapping[str, Path], on_progress: OnProgress
) -> Features:
    """Return features by which references are placed, where there are ensembles only."""
    from lookalike.jobs.models import model_features, open_model

    return model_features(workspace, open_model(workspace, names[0]), images, on_progress)


class _Pictures:
    """Thumbnails of images by id, each made once."""

    def __init__(self, files: Mapping[str, Path], on_progress: OnProgress) -> None:
        self._files, self._on_progress = files, on_progress
        self._made: dict[str, Picture] = {}

    def of(self, ids: Sequence[str]) -> list[Picture]:
        """Return one per id."""
        lacking = [one for one in dict.fromkeys(ids) if one not in self._made]
        self._made.update(zip(lacking, in_order(self._make, lacking), strict=True))
        self._on_progress(Progress("drawing", len(self._made), len(self._made)))
        return [self._made[one] for one in ids]

    def _make(self, image: str) -> Picture:
        try:
            return Picture(image, thumbnail(decode(self._files[image], min_side=SIDE).image, SIDE, quality=78))
        except ImageDecodeError:  # it was readable when its features were made
            return Picture(image, b"")


def _content(
    found: Evaluation,
    measured: Measured,
    features: Features,
    curves: Mapping[str, Sequence[Mapping[str, Any]]],
    how: str,
    pictures: _Pictures,
) -> Content:
    facts = [
        ("judgments", f"{found.judgments:,} about {found.references:,} references"),
        ("measured", how),
        ("intervals", "95%, drawn by reference"),
    ]
    return Content(
        title="What looks alike, and to whom",
        facts=facts,
        standings=[_standing(row, measured.kinds) for row in found.rows],
        ceiling=found.ceiling.value if found.ceiling.value < 1 else None,
        chance=found.chance,
        places=_places(found, measured, features, pictures),
        curves={short_name(name): history for name, history in curves.items()},
        mistakes=_mistakes(measured, found.rows[0].model, pictures),
    )


def _standing(row: Any, kinds: Mapping[str, str]) -> Standing:
    behind = row.behind and (row.behind.value, row.behind.low, row.behind.high, row.behind.p)
    return Standing(
        model=row.label,
        kind=kinds[row.model],
        accuracy=row.accuracy.value,
        low=row.accuracy.low,
        high=row.accuracy.high,
        behind=behind,
        by_context={name: (one.value, one.n) for name, one in row.by_context.items()},
        seen=row.seen,
    )


def _places(found: Evaluation, measured: Measured, features: Features, pictures: _Pictures) -> list[Place]:
    """Put the references on a map, each with the model that agrees best about it."""
    judgments = measured.judgments
    codes, reference = np.unique(judgments.reference, return_inverse=True)
    ids = judgments.ids[codes]
    rows = features.vectors[features.rows(ids)]
    coordinates = np.pad(principal_axes(rows, 2).place(rows), ((0, 0), (0, 2)))[:, :2]
    single = [row.model for row in found.rows if not measured.kinds[row.model].startswith("ensemble")]
    agreement = agreement_by_reference(measured, single)[1]
    best = agreement.argmax(axis=0)  # of equals the first, which is the better one overall
    trusted = next((measured.trust[row.model] for row in found.rows if row.model in measured.trust), None)
    first = np.unique(reference, return_index=True)[1]
    chosen = _spread(len(ids))
    shown = pictures.of(ids[chosen].tolist())
    places = []
    for number, picture in zip(chosen, shown, strict=True):
        weights = (
            {}
            if trusted is None
            else dict(
                zip(
                    (short_name(name) for name in trusted.members), trusted.weights[first[number]].tolist(), strict=True
                )
            )
        )
        x, y = coordinates[number].tolist()
        places.append(Place(x, y, picture, short_name(single[best[number]]), weights))
    return places


def _spread(count: int) -> list[int]:
    """Choose at most as many as a page holds, evenly."""
    places: list[int] = np.unique(np.linspace(0, count - 1, min(count, MOST_PLACES)).round().astype(int)).tolist()
    return places


def _mistakes(measured: Measured, name: str, pictures: _Pictures) -> list[Mistake]:
    """Return the questions on which a model is surest, and most people say otherwise."""
    judgments, chance = measured.judgments, measured.probability[name]
    wrong = (chance > 0.5) != (judgments.votes_a > judgments.votes_b)
    wrong &= judgments.votes_a != judgments.votes_b
    rows = np.flatnonzero(wrong)
    rows = rows[np.argsort(-np.abs(chance[rows] - 0.5), kind="stable")]
    _, first = np.unique(judgments.reference[rows], return_index=True)  # one per reference
    rows = rows[np.sort(first)][:SHOWN]
    columns = [judgments.ids[column[rows]].tolist() for column in
               (judgments.reference, judgments.candidate_a, judgments.candidate_b)]  # fmt: skip
    return [
        Mistake(r, a, b, float(judgments.votes_a[row]), float(judgments.votes_b[row]), float(chance[row]))
        for row, r, a, b in zip(rows.tolist(), *(pictures.of(ids) for ids in columns), strict=True)
    ]
