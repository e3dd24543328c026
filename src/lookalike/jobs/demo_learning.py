"""The second half of the demo: simulated people answer, models learn from it, and an ensemble searches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lookalike.core.progress import OnProgress
from lookalike.embedding.collection import Collection, Hit
from lookalike.images.samples import CONTEXTS, Scene, simulated_observers
from lookalike.jobs.combine import combine
from lookalike.jobs.demo import K, draw_sheet
from lookalike.jobs.import_judgments import import_judgments
from lookalike.jobs.queries import Query
from lookalike.jobs.report import Reported, write_report
from lookalike.jobs.search import Wanted
from lookalike.jobs.search_by_model import search_collection_by_model
from lookalike.jobs.simulate import simulated_judgments
from lookalike.jobs.train_context import ContextChoice, train_contexts, train_global
from lookalike.judgments.export import write_csv

__all__ = ["Learned", "learn"]

PEOPLE, NOISE, SEED = 5, 0.03, 0
QUESTIONS, NEW_QUESTIONS = 20, 9
"""For each photograph that models learn from, and for each of the others."""

SHARE = 5
"""Of eight photographs in a row, those whose answers are learned from."""

GLOBAL, GATE = "global", "gate"


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned.

    Attributes
    ----------
    answers, new_answers : Path
        The files of answers that models learned from, and of those that they were measured on, about other photographs.
    report : Reported
        The leaderboard, and the page about it.
    found : dict of str to list of Hit
        The images closest to one new picture of each context, by the gate.
    sheet : Path
        The contact sheet of these.
    """

    answers: Path
    new_answers: Path
    report: Reported
    found: dict[str, list[Hit]]
    sheet: Path


def learn(
    folder: Path,
    workspace: Path,
    scenes: Mapping[str, Scene],
    queries: Mapping[str, Path],
    on_progress: OnProgress,
) -> Learned:
    """Ask simulated people, train a global model and one per context, combine them, measure them, search.

    Parameters
    ----------
    folder : Path
        Where files of answers, the report and the sheet go; the photographs are in ``photos/``.
    workspace : Path
    scenes : mapping of str to Scene
        By photograph, relative to ``photos/``.
    queries : mapping of str to Path
        A new picture of each context.
    on_progress : callable
    """
    answers, new_answers = folder / "answers.csv", folder / "new-answers.csv"
    people = simulated_observers(PEOPLE, SEED, NOISE)
    for path, known, count in ((answers, True, QUESTIONS), (new_answers, False, NEW_QUESTIONS)):
        some = {image: scene for image, scene in scenes.items() if (int(Path(image).stem) % 8 < SHARE) == known}
        write_csv(simulated_judgments(some, people, count * len(some) // len(CONTEXTS), SEED + known), path)
        import_judgments(workspace, "csv", path, folder / "photos", on_progress=on_progress)
    source = str(answers)
    train_global(workspace, GLOBAL, source=source, replace=True, on_progress=on_progress)
    choice = ContextChoice(source)
    train_contexts(workspace, choice=choice, start=GLOBAL, replace=True, on_progress=on_progress)
    kinds = {kind: kind for kind in ("vote", "grid", "mlp", GATE)}
    combine(workspace, kinds, (GLOBAL, *CONTEXTS), source, measure=False, replace=True, on_progress=on_progress)
    models = (GLOBAL, *CONTEXTS, *kinds)
    report = write_report(
        workspace, folder / "report.html", models=models, source=str(new_answers), on_progress=on_progress
    )
    asked = [Query(picture) for picture in queries.values()]
    results = search_collection_by_model(workspace, asked, GATE, Wanted(K))
    found = {context: result.hits for context, result in zip(queries, results, strict=True)}
    sheet = folder / "gate-sheet.png"
    draw_sheet(sheet, "the gate", queries, found, Collection.open(workspace))
    return Learned(answers, new_answers, report, found, sheet)
