"""The next questions for each annotator, by a strategy, without asking the same thing twice."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.types import Vectors
from lookalike.core.workspace import Workspace, WorkspaceConfig
from lookalike.embedding.encoder import load_encoder
from lookalike.jobs.labelling_handed import Handed, Key
from lookalike.jobs.labelling_shared import answered_by_others
from lookalike.judgments.questions import STRATEGIES, Question, State
from lookalike.judgments.store import JudgmentStore
from lookalike.judgments.table import Judgments
from lookalike.search.image_rows import ImageRow, vector_column
from lookalike.search.store import ImageTable

__all__ = ["DEFAULT_STRATEGY", "Asked", "Asker"]

DEFAULT_STRATEGY = "informative"
"""The fewest labels of those that need no model fitted (docs/results/questions.md)."""

REPEATED = FLIPPED = SHARED = 0.05
"""Shares of the questions that are asked again as they were, that are asked again with the candidates exchanged, and
that somebody else has answered."""

PEOPLE = 1000
"""So many annotators have chances of their own; whoever was away longest begins anew."""

TRIES = 3
READING_SHARE = 0.05
"""Reading the store may take this share of the time: with millions of answers it is read less often."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as an annotator gets it.

    Attributes
    ----------
    reference : str
    candidates : tuple of str
        Two, or three to be ranked, in the order in which to show them.
    trial : str
        As in `lookalike.judgments.questions.Question`.
    """

    reference: str
    candidates: tuple[str, ...]
    trial: str = ""

    @property
    def key(self) -> Key:
        """What makes it the same question in another order."""
        return self.reference, frozenset(self.candidates)


@dataclass(eq=False)
class _Person:
    """Somebody who is being asked: chance, and what they have, skipped, or had answered before."""

    name: str
    rng: np.random.Generator
    held: set[tuple[Key, bool]]
    skipped: set[Key]

    def may(self, asked: Asked) -> bool:
        # A question that is asked again is not asked a third time, the other way round, before that is answered.
        return (asked.key, bool(asked.trial)) not in self.held and asked.key not in self.skipped


@dataclass(frozen=True, slots=True, eq=False)
class _Images:
    config: WorkspaceConfig
    table: ImageTable
    column: str
    names: frozenset[str]
    state: State


class Asker:
    """Makes questions about the images of a collection. Not for several threads at once.

    Parameters
    ----------
    workspace : Workspace
    store : JudgmentStore
        The answers so far.
    strategy : str
        A name of `STRATEGIES`.
    seed : int
    handed : Handed, optional
        What other processes of the same server have handed out; without it, this one is alone.

    Raises
    ------
    UnknownNameError
        There is no such strategy.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from lookalike.embedding.collection import Collection
    >>> photos = Path(tempfile.mkdtemp())
    >>> for name, colour in {"red": (200, 0, 0), "rose": (210, 30, 30), "sea": (0, 60, 200)}.items():
    ...     Image.new("RGB", (64, 64), colour).save(photos / f"{name}.png")
    >>> collection = Collection.create(photos / ".lookalike", root=photos)
    >>> _ = collection.sync()
    >>> asker = Asker(collection.workspace, JudgmentStore(photos / "judgments.sqlite"))
    >>> len(asker.ask("ann", 2)), len(asker.ask("ann", 2)), len(asker.ask("bob", 3))
    (2, 1, 3)
    """

    def __init__(
        self,
        workspace: Workspace,
        store: JudgmentStore,
        strategy: str = DEFAULT_STRATEGY,
        seed: int = 0,
        handed: Handed | None = None,
    ) -> None:
        self._workspace, self._store = workspace, store
        self._handed = handed or Handed()
        # Processes that share what they hand out draw by chances of their own, or each would propose the same.
        self._seed = [seed, os.getpid()] if self._handed.shared else [seed]
        self._strategy = STRATEGIES[strategy](REPEATED, FLIPPED)
        self._all_encoders = strategy == "committee"
        self._chances: OrderedDict[str, np.random.Generator] = OrderedDict()
        self._images: _Images | None = None
        self._read: tuple[tuple[int, ...], Judgments] | None = None
        self._read_again = 0.0

    def ask(self, annotator: str, count: int, candidates: int = 2) -> list[Asked]:
        """Return the next questions for an annotator; fewer where no more are left.

        What was handed out before and not answered is handed out again only where there is nothing else.

        Raises
        ------
        InputError
            The collection has fewer than three images (for three candidates, four) or none with vectors.
        WorkspaceError, StorageError
        """
        images = self._collection()
        if len(images.names) <= candidates:
            raise InputError(f"a question takes {candidates + 1} images, the collection has {len(images.names)}")
        state = images.state.answered(self._answers(), annotator)
        person = self._person(annotator)
        found = self._fresh(person, state, count, candidates)
        if not found and person.held:
            self._handed.forget(annotator)
            person.held.clear()
            found = self._fresh(person, state, count, candidates)
        return found

    def _fresh(self, person: _Person, state: State, count: int, candidates: int) -> list[Asked]:
        """Have questions proposed until there are enough that this person neither has nor skipped."""
        found: list[Asked] = []

        def add(questions: list[Question]) -> None:
            for question in questions:
                asked = _asked(question) if candidates == 2 else _widened(question, state, person.rng)
                if len(found) < count and asked is not None and person.may(asked):
                    person.held.add((asked.key, bool(asked.trial)))
                    if self._handed.give(person.name, asked.key, bool(asked.trial)):
                        found.append(asked)

        shared = answered_by_others(state, int(person.rng.binomial(count, SHARED)), person.rng)
        wanted = count
        for _ in range(TRIES):
            proposed = self._strategy.propose(state, wanted, person.rng)
            add(_mixed(shared, proposed, person.rng))
            if len(found) == count or not proposed:
                break
            # Of a small collection, what is proposed is mostly at hand already.
            wanted, shared = count - len(found) + len(person.held) + len(person.skipped), []
        if len(found) < count:  # everything has been asked of somebody, but not of everybody
            wanted = count - len(found) + len(person.held) + len(person.skipped)
            add(answered_by_others(state, wanted, person.rng))
        return found

    def names(self) -> frozenset[str]:
        """Return the images that can be asked about."""
        return self._collection().names

    def version(self) -> int:
        """Return the version of the table that was read last."""
        return (self._images or self._collection()).table.version

    def stored(self, image: str) -> tuple[Path | None, ImageRow] | None:
        """Return where the file of an image should be, if anywhere here, and what the table knows; None without one."""
        images = self._images or self._collection()
        row = images.table.rows(images.column, [image]).get(image) if image in images.names else None
        folder = images.config.folder
        return None if row is None else (None if folder is None else folder / image, row)

    def _person(self, annotator: str) -> _Person:
        if annotator not in self._chances:
            self._chances[annotator] = np.random.default_rng([*self._seed, *annotator.encode()])
        self._chances.move_to_end(annotator)
        while len(self._chances) > PEOPLE:
            self._chances.popitem(last=False)
        skipped = {(skip.images[0], frozenset(skip.images[1:])) for skip in self._store.skips(annotator)}
        return _Person(annotator, self._chances[annotator], self._handed.of(annotator), skipped)

    def _collection(self) -> _Images:
        """Return the images as the table has them now."""
        config = self._workspace.config()
        table = ImageTable.open(self._workspace.collection_uri)
        before = self._images
        if before is None or before.config != config or before.table.version != table.version:
            encoders = (config.encoders or (config.encoder,)) if self._all_encoders else (config.encoder,)
            columns = [_column(table, name) for name in encoders]
            ids, vectors = _vectors(table, columns)
            self._images = _Images(config, table, columns[-1], frozenset(ids), State(ids, vectors))
        assert self._images is not None
        return self._images

    def _answers(self) -> Judgments:
        """Read the answers anew where there are more, and reading them does not take all the time."""
        if self._read is None or time.monotonic() >= self._read_again:
            mark = self._store.mark()
            if self._read is None or self._read[0] != mark:
                started = time.monotonic()
                self._read = (mark, self._store.read())
                ended = time.monotonic()
                self._read_again = ended + (ended - started) / READING_SHARE
        return self._read[1]


def _column(table: ImageTable, name: str) -> str:
    """Return the column of an encoder's vectors."""
    encoder = load_encoder(name)
    column = vector_column(encoder.name, encoder.spec.fingerprint)
    if column not in table.columns:
        raise InputError(f"the collection has no images encoded by {encoder.name}: run `lookalike index` first")
    return column


def _vectors(table: ImageTable, columns: Sequence[str]) -> tuple[list[str], list[Vectors]]:
    """Read the images that have vectors in all columns, sorted."""
    parts = [table.vectors(column) for column in columns]
    ids = sorted(set.intersection(*(set(paths) for paths, _ in parts)))
    rows = ({path: row for row, path in enumerate(paths)} for paths, _ in parts)
    return ids, [vectors[[row[path] for path in ids]] for row, (_, vectors) in zip(rows, parts, strict=True)]


def _mixed(some: list[Question], others: list[Question], rng: np.random.Generator) -> list[Question]:
    """Put some questions between others, whose order stays: trials keep their distance."""
    mixed = list(others)
    for question in some:
        mixed.insert(int(rng.integers(len(mixed) + 1)), question)
    return mixed


def _asked(question: Question) -> Asked:
    return Asked(question.reference, (question.a, question.b), question.trial)


def _widened(question: Question, state: State, rng: np.random.Generator) -> Asked | None:
    """Put a third candidate, drawn by chance, beside the two; None where every image is one of them or a copy."""
    images = [question.reference, question.a, question.b]
    ids = np.asarray(state.ids, np.str_)
    rows = np.searchsorted(ids, images)  # `_vectors` sorts them
    for third in rng.permutation(len(ids))[:64].tolist():
        near = np.mean([1 - part[rows] @ part[third] for part in state.vectors], axis=0)
        if third not in rows and (near > state.alike).all():
            shown = [question.a, question.b]
            shown.insert(int(rng.integers(3)), str(ids[third]))
            return Asked(question.reference, tuple(shown), question.trial)
    return None
