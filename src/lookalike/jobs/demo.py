"""The first half of the demo, offline and without PyTorch: render photographs, index, search, show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.embedding.collection import Collection, Hit
from lookalike.embedding.plan import IndexReport
from lookalike.images.samples import CONTEXTS, SCENES_FILE, draw_scenes, write_samples
from lookalike.jobs.index import index_source
from lookalike.jobs.search import tiles_of
from lookalike.reports.contact_sheet import Section, contact_sheet

__all__ = ["Demo", "draw_sheet", "precision", "run_demo"]

SIZE, K, SHOWN = 288, 10, 5


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo made.

    Attributes
    ----------
    report : IndexReport
        Of indexing the rendered photographs.
    photos : Path
        The folder of photographs.
    queries : dict of str to Path
        One new picture of each context.
    sheet : Path
        The contact sheet.
    found : dict of str to list of Hit
        The images closest to one new picture of each context.
    precision : float
        Share of the ten closest that are of the query's context, over all contexts; by chance one in eight.
    """

    report: IndexReport
    photos: Path
    queries: dict[str, Path]
    sheet: Path
    found: dict[str, list[Hit]]
    precision: float


def run_demo(folder: Path, workspace: Path, count: int = 600, on_progress: OnProgress = silent) -> Demo:
    """Render photographs, index them, search with one unseen picture of each context, and draw the answers.

    Parameters
    ----------
    folder : Path
        Where the photographs (``photos/``), the queries (``queries/``) and the sheet go.
    workspace : Path
        The workspace folder to make or update.
    count : int
        How many photographs.
    """
    photos = folder / "photos"
    if photos.exists() and not (photos / SCENES_FILE).is_file():
        raise InputError(f"{photos} holds something else: give an empty folder, the demo writes into it")
    write_samples(photos, draw_scenes(count, seed=0), size=SIZE, on_progress=on_progress)
    queries = write_samples(folder / "queries", draw_scenes(len(CONTEXTS), seed=1), size=SIZE)
    report = index_source(workspace, photos, on_progress=on_progress)
    collection = Collection.open(workspace)
    found = {query.parent.name: collection.search(query, K) for query in queries}
    sheet = folder / "contact-sheet.png"
    by_context = {query.parent.name: query for query in queries}
    draw_sheet(sheet, collection.encoder.name, by_context, found, collection)
    return Demo(report, photos, by_context, sheet, found, precision(found))


def draw_sheet(
    sheet: Path, model: str, queries: Mapping[str, Path], found: Mapping[str, list[Hit]], collection: Collection
) -> None:
    """Draw new pictures and what is closest to each."""
    sections = [Section(query, tiles_of(collection, found[context][:SHOWN])) for context, query in queries.items()]
    title = f"New pictures, and the {SHOWN} closest of {len(collection)} photographs, by {model}"
    contact_sheet(sheet, title, sections)


def precision(found: Mapping[str, list[Hit]]) -> float:
    """Return the share of what was found that is of the query's context.

    Examples
    --------
    >>> precision({"sea": [Hit("sea/1.jpg", 0.1, 0.9), Hit("city/1.jpg", 0.2, 0.8)]})
    0.5
    """
    hits = [(context, hit) for context, close in found.items() for hit in close]
    return sum(hit.image.startswith(f"{context}/") for context, hit in hits) / len(hits)
