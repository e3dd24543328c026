"""Find the images of a collection that look like a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lookalike.core.progress import OnProgress, silent
from lookalike.embedding.collection import Collection, Hit
from lookalike.reports.contact_sheet import Section, Tile, check_sheet, contact_sheet

__all__ = ["SearchResult", "search_collection"]

SHEET_AT_MOST = 200
"""Images on a contact sheet: more could not be looked at, and some formats end at 16,383 pixels."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What was found.

    Attributes
    ----------
    query : Path
        As it was given.
    root : Path
        The folder that the hits' paths are relative to.
    hits : list of Hit
        Closest first.
    bytes_per_image : int, optional
        What was searched of each image, where that was a quantizer's code.
    """

    query: Path
    root: Path
    hits: list[Hit]
    bytes_per_image: int | None = None


def search_collection(
    workspace: Path,
    query: Path,
    k: int = 10,
    encoder: str | None = None,
    sheet: Path | None = None,
    on_progress: OnProgress = silent,
) -> SearchResult:
    """Search a workspace's collection by a picture, and draw the answer if asked.

    Parameters
    ----------
    workspace : Path
        The workspace folder.
    query : Path
        A picture; it need not be in the collection, and is found with distance 0 when it is.
    k : int
        How many images.
    encoder : str, optional
        Whose vectors to search; without it, those of the workspace's encoder.
    sheet : Path, optional
        Where to write a contact sheet of up to `SHEET_AT_MOST` images; the suffix chooses PNG, JPEG or WebP.

    Raises
    ------
    WorkspaceError, ImageDecodeError, InputError, StorageError
    """
    if sheet is not None:
        check_sheet(sheet)
    collection = Collection.open(workspace, encoder)
    collection.searchable(on_progress)
    hits = collection.search(query, k)
    if sheet is not None:
        shown = hits[:SHEET_AT_MOST]
        title = f"The {len(shown)} images closest to {query.name}"
        contact_sheet(sheet, title, [Section(query, tiles_of(collection, shown))])
    return SearchResult(query, collection.root, hits)


def tiles_of(collection: Collection, hits: list[Hit]) -> list[Tile]:
    """Return what a contact sheet shows of the images found."""
    thumbnails = collection.thumbnails([hit.image for hit in hits])
    return [Tile(collection.root / hit.image, thumbnails[hit.image], hit.image, f"{hit.distance:.3f}") for hit in hits]
