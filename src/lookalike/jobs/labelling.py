"""Labelling: questions for several annotators about a workspace's collection, and their answers, kept for good."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lookalike.core.errors import InputError
from lookalike.core.workspace import Workspace
from lookalike.jobs.labelling_accuracy import LiveAccuracy, Standings
from lookalike.jobs.labelling_acts import Act, Skipped, keys_of
from lookalike.jobs.labelling_handed import Handed
from lookalike.jobs.labelling_pictures import Pictures, large_picture
from lookalike.jobs.labelling_progress import Standing, standing
from lookalike.jobs.labelling_questions import DEFAULT_STRATEGY, Asked, Asker
from lookalike.judgments.answer import Answer, check_text
from lookalike.judgments.export import write_csv
from lookalike.judgments.store import JudgmentStore
from lookalike.judgments.store_acts import Skip

__all__ = ["DEFAULT_STRATEGY", "Labelling"]


class Labelling:
    """Asks and takes answers; safe for several threads, and beside other processes that use the same workspace.

    Nothing that matters is kept here: what `take` has returned for is on the disk, and another `Labelling`, made after
    a crash, goes on from there.

    Parameters
    ----------
    workspace : Path
        The workspace folder.
    strategy : str
        Which questions come next: a name of `lookalike.judgments.questions.STRATEGIES`.
    context : str
        Kept with every answer; empty for none.
    seed : int
    handed : Path, optional
        A file in which the processes of one server tell each other what they have asked; without it, this one is alone.

    Raises
    ------
    UnknownNameError
        There is no such strategy.

    Examples
    --------
    >>> from lookalike.jobs.labelling_acts import Chosen
    >>> from PIL import Image
    >>> from lookalike.embedding.collection import Collection
    >>> photos = Path(tempfile.mkdtemp())
    >>> for name, colour in {"red": (200, 0, 0), "rose": (210, 30, 30), "sea": (0, 60, 200)}.items():
    ...     Image.new("RGB", (64, 64), colour).save(photos / f"{name}.png")
    >>> _ = Collection.create(photos / ".lookalike", root=photos).sync()
    >>> labelling = Labelling(photos / ".lookalike")
    >>> question = labelling.questions("ann", 1)[0]
    >>> a, b = question.candidates
    >>> chosen = Chosen(id="7c1d", reference=question.reference, a=a, b=b, choice="a")
    >>> labelling.take("ann", [chosen]), labelling.take("ann", [chosen])
    (1, 0)
    >>> labelling.undo("ann", ["7c1d"]), labelling.progress("ann").answers
    (1, 0)
    """

    def __init__(
        self,
        workspace: Path,
        strategy: str = DEFAULT_STRATEGY,
        context: str = "",
        seed: int = 0,
        handed: Path | None = None,
    ) -> None:
        check_text("the context", context)
        self.strategy, self.context = strategy, context
        held = Workspace(workspace)
        self._store = JudgmentStore(held.judgments_file)
        self._asker = Asker(held, self._store, strategy, seed, Handed(handed))
        self._accuracy = LiveAccuracy(held, self._store)
        self._pictures = Pictures()
        # One lock for asking, which computes, and one for writing, so that threads queue here and not in SQLite.
        self._asking, self._writing = threading.Lock(), threading.Lock()

    def questions(self, annotator: str, count: int, candidates: int = 2) -> list[Asked]:
        """Return the next questions for an annotator, who need not have answered those before; see `Asker.ask`."""
        _check(annotator)
        with self._asking:
            return self._asker.ask(annotator, count, candidates)

    def take(self, annotator: str, acts: Sequence[Act]) -> int:
        """Store what an annotator did: all of it, or, if anything fails, nothing.

        Returns
        -------
        int
            How many acts were new; the others were stored before, or taken back.

        Raises
        ------
        InputError
            An act is about an image that the collection does not hold, or another answer has its id.
        StorageError
        """
        _check(annotator)
        self._require_images(acts)
        now = time.time()
        answers: dict[str, Answer] = {}
        skips: dict[str, Skip] = {}
        for act in acts:
            if isinstance(act, Skipped):
                skips[act.id] = act.skip(annotator)
                continue
            # Nobody answers in the future: a clock that is ahead is put right.
            at = now if act.answered_at is None else min(act.answered_at, now)
            for key, answer in replace(act, answered_at=at).judgments(annotator).items():
                if key in answers and answers[key] != answer:
                    raise InputError(f"another answer has the key '{key}': give every answer a key of its own")
                answers[key] = answer
        with self._writing:
            stored = self._store.add_all(answers, skips)
        new = dict(zip((*answers, *skips), stored, strict=True))
        return sum(new[id] for id in {act.id for act in acts})

    def undo(self, annotator: str, ids: Sequence[str]) -> int:
        """Take acts back, by their ids; what comes later under such an id is not stored.

        Returns
        -------
        int
            How many judgments and skips there were.

        Raises
        ------
        InputError
            One of them is somebody else's: nothing is taken back.
        StorageError
        """
        _check(annotator)
        with self._writing:
            return self._store.undo(*(key for id in ids for key in keys_of(id)), annotator=annotator)

    def picture(self, image: str) -> bytes | None:
        """Return a JPEG of an image, its longer side at most 800 pixels; None where the collection does not hold it."""
        version = self._asker.version()
        kept = self._pictures.get(version, image)
        if kept is None and (stored := self._asker.stored(image)) is not None:
            kept = large_picture(*stored)
            self._pictures.keep(version, image, kept)
        return kept

    def progress(self, annotator: str) -> Standing:
        """Say how far an annotator has come."""
        _check(annotator)
        return standing(self._store, annotator)

    def accuracy(self, annotator: str) -> Standings:
        """Say how often encoders and models agree with an annotator, and with everyone; see `LiveAccuracy`."""
        _check(annotator)
        return self._accuracy.of(annotator)

    def csv(self, annotator: str | None = None) -> bytes:
        """Return the judgments given here, by everyone or one annotator, as `lookalike judgments export` writes them.

        Raises
        ------
        InputError
            There are none.
        """
        judgments = self._store.read(annotator=annotator, source="")
        if not len(judgments):
            raise InputError("there are no judgments yet" if annotator is None else f"'{annotator}' gave no judgments")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "judgments.csv"
            write_csv(judgments, file)
            return file.read_bytes()

    def _require_images(self, acts: Sequence[Act]) -> None:
        with self._asking:
            names = self._asker.names()
        for act in acts:
            for image in act.images:
                if image not in names:
                    raise InputError(f"the collection holds no image {image}")


def _check(annotator: str) -> None:
    check_text("the annotator", annotator)
    if not annotator.strip():
        raise InputError("annotator: give a name, so that answers can be told apart")
