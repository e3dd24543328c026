"""The whole loop on rendered photographs, offline: render, index, search, show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.embedding.collection import Collection, Hit
from lookalike.embedding.plan import IndexReport
from lookalike.images.samples import CONTEXTS, SCENES_FILE, draw_scenes, write_samples
from lookalike.jobs.index import index_folder
from lookalike.jobs.search import tiles_of
from lookalike.reports.contact_sheet import Section, contact_sheet

__all__ = ["Demo", "run_demo"]

SIZE, K, SHOWN = 288, 10, 5


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo made.

    Attributes
    ----------
    report : IndexReport
        Of indexing the rendered photographs.
    photos, sheet : Path
        The folder of photographs and the contact sheet.
    found : dict of str to list of Hit
        The images closest to one new picture of each context.
    precision : float
        Share of the ten closest that are of the query's context, over all contexts; by chance one in eight.
    """

    report: IndexReport
    photos: Path
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
    report = index_folder(workspace, photos, on_progress=on_progress)
    collection = Collection.open(workspace)
    found = {query.parent.name: collection.search(query, K) for query in queries}
    sections = [Section(query, tiles_of(collection, found[query.parent.name][:SHOWN])) for query in queries]
    sheet = folder / "contact-sheet.png"
    contact_sheet(sheet, f"New pictures, and the {SHOWN} closest of {report.images} photographs", sections)
    hits = [(context, hit) for context, close in found.items() for hit in close]
    same = sum(hit.image.startswith(f"{context}/") for context, hit in hits)
    return Demo(report, photos, sheet, found, same / len(hits))
