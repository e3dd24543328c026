"""Hold encoders and models against edited copies: how often a copy finds its original among all originals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Rows
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_sets import FeatureSet
from lookalike.embedding.feature_sets import read as read_set
from lookalike.embedding.lens import EDITED_SIDE, EditLens
from lookalike.embedding.sights import Sight, sight_features
from lookalike.ensembles.base import Ensemble
from lookalike.images.decode import decode
from lookalike.images.edits import EDITS, STRENGTHS, Strength
from lookalike.images.folder import Rejected
from lookalike.jobs.bench_gallery import Gallery, gallery_of
from lookalike.jobs.bench_tables import Copies, EditBench, Subject, bench_rows
from lookalike.jobs.evaluate import workspace_encoders
from lookalike.jobs.matcher import Matcher
from lookalike.jobs.models import open_model, plain_name
from lookalike.metrics.places import places_of_matches
from lookalike.reports.contact_sheet import check_sheet
from lookalike.reports.leaderboard import check_plot, draw_leaderboard
from lookalike.reports.view_sheet import ViewRow, view_sheet
from lookalike.similarity.model import SimilarityModel

__all__ = ["deal_edits", "edit_bench"]

EDITS_OF_ONE = 3
"""How many edits, at each strength, a photograph is queried with."""

SHEET_ROWS = 12


def edit_bench(
    workspace: Path,
    photos: Path,
    distractors: Sequence[Path] = (),
    encoders: Sequence[str] = (),
    sets: Sequence[str] = (),
    models: Sequence[str] = (),
    queries: int = 1000,
    strengths: Sequence[Strength] = STRENGTHS,
    edits: Sequence[str] = (),
    edits_of_one: int = EDITS_OF_ONE,
    seed: int = 0,
    plot: Path | None = None,
    sheet: Path | None = None,
    on_progress: OnProgress = silent,
) -> EditBench:
    """Search edited copies of some photographs among all photographs and distractors.

    The gallery holds the originals, byte-identical files once. Queries are edited copies of `queries` photographs,
    drawn by the seed; each is edited in `edits_of_one` ways, dealt so that all edits are equally frequent, and in each
    way at every strength. There is one right answer to a query, its original.

    Parameters
    ----------
    workspace : Path
        The workspace folder: keeps the features, and says which encoders where nothing is named.
    photos : Path
        A folder, read with all its folders.
    distractors : sequence of Path
        More folders, of which no queries are made.
    encoders, sets, models : sequence of str
        Names of encoders, of feature sets of the workspace, and of trained models or their files. Without any, the
        encoders that the workspace has been indexed with, or the default one.
    queries : int
        How many photographs are edited; all, where there are fewer.
    strengths : sequence of {"weak", "middle", "strong"}
    edits : sequence of str
        Names of `lookalike.images.edits.EDITS`; without any, all.
    edits_of_one : int
        How many edits each photograph gets; all, where there are fewer.
    seed : int
        Draws the photographs, deals the edits, and decides what each leaves open.
    plot : Path, optional
        Where to draw recall@1; the suffix chooses PNG, SVG or PDF.
    sheet : Path, optional
        Where to draw a few photographs with all their copies; PNG, JPEG or WebP.
    on_progress : callable

    Returns
    -------
    EditBench
        Best first, by recall@1 over all copies; with intervals clustered by photograph.

    Raises
    ------
    InputError
        A folder has no images, there are fewer than two different ones, or a number is below 1.
    UnknownNameError, EncoderError, StorageError, ImageDecodeError
    """
    if plot is not None:
        check_plot(plot)
    if sheet is not None:
        check_sheet(sheet)
    chosen = _checked(queries, strengths, edits, edits_of_one)
    held = Workspace(workspace)
    measured = _opened(held, encoders, sets, models)
    gallery = gallery_of(photos, distractors)
    for asked in measured:
        refused: list[Rejected] = []
        asked.matcher.see(gallery.files, None, on_progress, refused)
        gallery = gallery.without(refused)
    drawn = gallery.draw(queries, seed)
    dealt = deal_edits(len(drawn), len(chosen), edits_of_one, seed)
    sights = _sights(gallery, drawn, dealt, chosen, strengths, seed)
    if sheet is not None:
        _draw_copies(sheet, gallery, drawn, chosen, strengths, seed)
    subjects = [_searched(held, asked, gallery, sights, on_progress) for asked in measured]
    found = EditBench(
        rows=bench_rows(subjects, _copies(sights)),
        photographs=len(drawn),
        queries=sum(len(sight.files) for sight in sights),
        gallery=len(gallery.files),
        copies=gallery.copies,
        rejected=gallery.rejected,
        strengths=tuple(strengths),
        edits=chosen,
        seed=seed,
    )
    if plot is not None:
        draw_leaderboard(
            plot,
            [(row.label, row.recall.value, row.recall.low, row.recall.high) for row in found.rows],
            None,
            f"{found.queries:,} edited copies among {found.gallery:,} photographs",
            1 / found.gallery,
            "recall@1, % of edited copies",
        )
    return found


def deal_edits(photographs: int, edits: int, each: int, seed: int) -> Rows:
    """Deal edits to photographs like cards: nobody has one twice, and all are equally frequent, or one more.

    Returns
    -------
    int64 (photographs, min(each, edits))

    Examples
    --------
    >>> dealt = deal_edits(20, 10, 3, seed=0)
    >>> dealt.shape, np.bincount(dealt.ravel()).tolist()
    ((20, 3), [6, 6, 6, 6, 6, 6, 6, 6, 6, 6])
    """
    each = min(each, edits)
    order = np.random.default_rng([seed, 1]).permutation(edits)
    return np.asarray(order[np.arange(photographs * each) % edits].reshape(photographs, each), np.int64)


def _checked(queries: int, strengths: Sequence[str], edits: Sequence[str], edits_of_one: int) -> tuple[str, ...]:
    for name, number in (("queries", queries), ("edits of one photograph", edits_of_one)):
        if number < 1:
            raise InputError(f"{name}: at least 1, not {number}")
    for strength in strengths:
        if strength not in STRENGTHS:
            raise UnknownNameError("strength", strength, STRENGTHS)
    if not strengths or len(set(strengths)) < len(strengths) or len(set(edits)) < len(edits):
        raise InputError("name every strength and every edit once, and one strength at least")
    return tuple(EDITS[name].name for name in edits) or tuple(EDITS)


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """What is measured; of an encoder or a set, there is no model."""

    matcher: Matcher
    model: SimilarityModel | Ensemble | None = None


def _opened(workspace: Workspace, encoders: Sequence[str], sets: Sequence[str], models: Sequence[str]) -> list[_Asked]:
    """Open what is measured, each once; a model stands beside the features it takes, as they are."""
    found: dict[str, _Asked] = {}
    for name in encoders or (() if sets or models else workspace_encoders(workspace)):
        named = load_encoder(name).name
        found[named] = _Asked(Matcher(named, FeatureSet("", (named,)), workspace))
    for name in sets:
        found[name] = _Asked(Matcher(name, read_set(workspace, name), workspace))
    for name in models:
        opened = open_model(workspace, name)
        if all(one.matcher.encoders.encoders != opened.features.encoders for one in found.values()):
            plain = plain_name(opened)
            found[plain] = _Asked(Matcher(plain, opened.features, workspace))
        found[opened.name] = _Asked(Matcher(opened.name, opened.features, workspace, opened), opened.model)
    return list(found.values())


def _sights(
    gallery: Gallery, drawn: Sequence[str], dealt: Rows, edits: Sequence[str], strengths: Sequence[Strength], seed: int
) -> list[Sight]:
    """List the edited copies: for every strength and edit, those photographs that were dealt it."""
    found = []
    for strength in strengths:
        for number, edit in enumerate(edits):
            files = {
                drawn[at]: gallery.files[drawn[at]] for at in np.flatnonzero((dealt == number).any(axis=1)).tolist()
            }
            if files:
                found.append(Sight(files, EditLens(edit, strength, seed), f"#{edit}-{strength}"))
    return found


def _copies(sights: Sequence[Sight]) -> Copies:
    """Say of every edited copy what it is one of."""
    rows = [
        (image, sight.lens.edit, sight.lens.strength)
        for sight in sights
        for image in sight.files
        if isinstance(sight.lens, EditLens)
    ]
    photographs, edits, strengths = (np.array(column, np.str_) for column in zip(*rows, strict=True))
    return Copies(photographs, edits, strengths)


def _draw_copies(
    sheet: Path, gallery: Gallery, drawn: Sequence[str], edits: Sequence[str], strengths: Sequence[Strength], seed: int
) -> None:
    """Draw the first photographs with a copy by every edit, a row for each strength."""
    rows = []
    for image in drawn[: max(1, SHEET_ROWS // len(strengths))]:
        plain = np.asarray(decode(gallery.files[image], min_side=EDITED_SIDE).image)
        for strength in strengths:
            copies = [EditLens(edit, strength, seed).picture(gallery.files[image]) for edit in edits]
            rows.append(ViewRow(f"{strength}: {image}", [plain, *map(np.asarray, copies)]))
    view_sheet(sheet, "Edited copies", ["plain", *edits], rows)


def _searched(
    workspace: Workspace, asked: _Asked, gallery: Gallery, sights: Sequence[Sight], on_progress: OnProgress
) -> Subject:
    """Search all copies by one of them."""
    matcher = asked.matcher
    targets = matcher.targets(matcher.see(gallery.files, None, on_progress))
    copies = sight_features(workspace, matcher.encoders, sights, on_progress).features
    row_of = {image: row for row, image in enumerate(gallery.files)}
    own = [image for sight in sights for image in sight.files]
    places = places_of_matches(matcher.queries(copies).vectors, targets, [row_of[image] for image in own])
    seen = 0.0 if asked.model is None else float(asked.model.has_seen(own).mean())
    return Subject(matcher.name, places, seen)
