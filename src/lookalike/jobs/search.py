"""Find the images of a collection that look like a picture, or like several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Vectors
from lookalike.core.vectors import unit_rows
from lookalike.embedding.collection import Collection, Hit
from lookalike.images.folder import Rejected
from lookalike.jobs.queries import Query, encoded_queries
from lookalike.jobs.query_pictures import query_pictures
from lookalike.reports.contact_sheet import Section, Tile, check_sheet, contact_sheet
from lookalike.search.references import AGAINST, combine_references

__all__ = ["SearchResult", "Wanted", "draw_results", "search_collection"]

SHEET_AT_MOST = 200
"""Images on a contact sheet: more could not be looked at, and some formats end at 16,383 pixels."""

QUERIES_ON_SHEET = 40


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of a search.

    Attributes
    ----------
    k : int
        How many images for each query.
    offset : int
        How many of the closest are passed over.
    where : str, optional
        Only images that fit this filter (`lookalike.search.filters.Filter`).
    against : float
        How much pictures count that are not liked (`lookalike.search.references.combine_references`).
    sheet : Path, optional
        Where to write a contact sheet of up to `SHEET_AT_MOST` images and `QUERIES_ON_SHEET` queries; the suffix
        chooses PNG, JPEG or WebP.
    explain : bool
        Whether to say what each model makes of each hit; of a search by a model alone.
    """

    k: int = 10
    offset: int = 0
    where: str | None = None
    against: float = AGAINST
    sheet: Path | None = None
    explain: bool = False


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What was found for a query.

    Attributes
    ----------
    query : Query
        As it was given.
    root : str
        The folder, or whatever else the photographs are in, that the hits' paths are relative to.
    hits : list of Hit
        Closest first.
    bytes_per_image : int, optional
        What was searched of each image, where that was a quantizer's code.
    weights : dict of str to float, optional
        Where the models were to be explained: how much each counts for this very query; they sum to 1.
    shares : list of dict of str to float
        With them: of each hit, how much of its distance each model makes; they sum to 1, or are all 0 at distance 0.
    """

    query: Query
    root: str
    hits: list[Hit]
    bytes_per_image: int | None = None
    weights: dict[str, float] | None = None
    shares: Sequence[dict[str, float]] = ()


def search_collection(
    workspace: Path,
    queries: Sequence[Query],
    wanted: Wanted | None = None,
    encoder: str | None = None,
    on_progress: OnProgress = silent,
    rejected: list[Rejected] | None = None,
) -> list[SearchResult]:
    """Search a workspace's collection by pictures, all in one go, and draw the answers if asked.

    Parameters
    ----------
    workspace : Path
        The workspace folder, or the address of the collection.
    queries : sequence of Query
        Pictures that need not be in the collection; a file that is there is found with distance 0.
    wanted : Wanted, optional
    encoder : str, optional
        Whose vectors to search; without it, those of the workspace's encoder.
    on_progress : callable
    rejected : list of Rejected, optional
        Takes pictures that cannot be read, whose queries are left out; without it, the first is an error.

    Raises
    ------
    WorkspaceError, ImageDecodeError, InputError, StorageError
    """
    wanted = wanted or Wanted()
    if wanted.sheet is not None:
        check_sheet(wanted.sheet)
    collection = Collection.open(workspace, encoder)
    collection.searchable(on_progress)
    encode = collection.encoder.encode
    encoded = encoded_queries(
        queries, lambda paths: unit_rows(encode(query_pictures(collection.workspace, paths))), on_progress, rejected
    )
    asked = [_asked(query, encoded.features[encoded.rows(query)], wanted.against) for query in encoded.queries]
    found = collection.nearest(np.concatenate(asked), wanted.k, wanted.where, wanted.offset)
    root = collection.source.name.text
    results = [SearchResult(query, root, hits) for query, hits in zip(encoded.queries, found, strict=True)]
    if wanted.sheet is not None:
        draw_results(wanted.sheet, results, collection, wanted.offset)
    return results


def _asked(query: Query, vectors: Vectors, against: float) -> Vectors:
    """Return the vector that a query searches with, float32 (1, D)."""
    if len(vectors) == 1:
        return vectors
    return combine_references([vectors], np.ones((len(vectors), 1)), len(query.liked), against)[0][0]


def draw_results(
    sheet: Path, results: Sequence[SearchResult], collection: Collection, offset: int, by: str = ""
) -> None:
    """Draw a contact sheet: a section for each query, its further pictures before what was found."""
    drawn = results[:QUERIES_ON_SHEET]
    shown = [result.hits[: max(1, SHEET_AT_MOST // len(drawn))] for result in drawn]
    after = f" after the first {offset}" if offset else ""
    title = f"The {len(shown[0])} images closest to {drawn[0].query.title}{after}{by}"
    if len(results) > 1:
        title = f"The images closest to {len(results)} pictures{after}{by}"
        if len(drawn) < len(results):
            title += f": the first {len(drawn)}"
    sections = []
    for result, hits in zip(drawn, shown, strict=True):
        first, *further = _shown(result.query, collection)
        sections.append(
            Section(first.path or result.query.liked[0], [*further, *tiles_of(collection, hits)], first.thumbnail)
        )
    contact_sheet(sheet, title, sections)


def _shown(query: Query, collection: Collection) -> list[Tile]:
    """Return the pictures of a query; each has been read, so that a file needs no thumbnail."""
    notes = ["like"] * len(query.liked) + ["unlike"] * len(query.unlike)
    pictures = query_pictures(collection.workspace, query.pictures)
    return [
        Tile(None, picture, path.name, note) if isinstance(picture, bytes) else Tile(picture, b"", path.name, note)
        for path, picture, note in zip(query.pictures, pictures, notes, strict=True)
    ]


def tiles_of(collection: Collection, hits: list[Hit]) -> list[Tile]:
    """Return what a contact sheet shows of the images found."""
    thumbnails = collection.thumbnails([hit.image for hit in hits])
    return [
        Tile(collection.original(hit.image), thumbnails[hit.image], hit.image, f"{hit.distance:.3f}") for hit in hits
    ]
