"""How often encoders and models agree with the people who are answering, while they do; worked out beside."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.workspace import Workspace
from lookalike.embedding.features import file_stamp
from lookalike.jobs.labelling_scores import Said, Scores
from lookalike.jobs.live_models import Choice
from lookalike.judgments.store import JudgmentStore
from lookalike.judgments.table import Judgments
from lookalike.metrics.two_afc import Accuracy, two_afc_accuracy

__all__ = ["Agreeing", "LiveAccuracy", "Standings"]

SHARE = 0.05
"""Working it out may take this share of a processor, so that answers and questions are not slower for it."""

REST_SECONDS = 1.0
"""And it rests for so long at least."""

PEOPLE = 100
"""So many annotators are counted for; whoever asked longest ago goes."""

RESAMPLES = 1999
NONE = Accuracy(float("nan"), float("nan"), float("nan"), 0)

Mark: TypeAlias = tuple[object, ...]
"""Changes whenever there may be something new to count."""

log = logging.getLogger("lookalike")


@dataclass(frozen=True, slots=True)
class Agreeing:
    """How often one of them agrees with people about answers that it was not fitted on.

    Attributes
    ----------
    choice : Choice
        An encoder of the collection, or a model or an ensemble of the workspace.
    own, everyone : Accuracy
        On the answers of one annotator, and of all; intervals are clustered by reference.
    told : int
        How many answers of everyone were left out, because it was fitted on these questions.
    unknown : int
        And how many because features that it takes are not at hand.
    trouble : str
        Why it cannot be asked; empty where it can.
    """

    choice: Choice
    own: Accuracy
    everyone: Accuracy
    told: int
    unknown: int
    trouble: str


@dataclass(frozen=True, slots=True)
class Standings:
    """What is known for one annotator.

    Attributes
    ----------
    own, everyone : int
        Judgments that were given here and have been counted.
    up_to_date : bool
        Whether these are all that are stored, and all models; otherwise, ask again in a few seconds.
    models : tuple of Agreeing
        Who agrees most with everyone comes first; who can say nothing, last.
    """

    own: int = 0
    everyone: int = 0
    up_to_date: bool = False
    models: tuple[Agreeing, ...] = ()


class LiveAccuracy:
    """Counts in a thread of its own, when somebody asks and there is something new; safe for several threads.

    Parameters
    ----------
    workspace : Workspace
        With a collection.
    store : JudgmentStore
        Of the same workspace. Imports are not counted: only what was answered here.

    Examples
    --------
    >>> from pathlib import Path
    >>> nowhere = Workspace(Path("nowhere"))
    >>> LiveAccuracy(nowhere, JudgmentStore(nowhere.judgments_file)).of("ann").models
    ()
    """

    def __init__(self, workspace: Workspace, store: JudgmentStore) -> None:
        self._workspace, self._store = workspace, store
        self._scores = Scores(workspace)
        self._lock = threading.Lock()
        self._found: OrderedDict[str, tuple[Mark, Standings]] = OrderedDict()
        self._working: threading.Thread | None = None
        self._again = 0.0
        self._trouble = ""

    def of(self, annotator: str) -> Standings:
        """Return what was found last, at once, and have it brought up to date.

        Raises
        ------
        StorageError
            The answers cannot be read.
        """
        mark = self._mark()
        with self._lock:
            before, found = self._found.pop(annotator, ((), Standings()))
            self._found[annotator] = before, found
            while len(self._found) > PEOPLE:
                self._found.popitem(last=False)
            if before == mark:
                return replace(found, up_to_date=True)
            if self._working is None and time.monotonic() >= self._again:
                # Daemon, so that it holds up no exit.
                self._working = threading.Thread(target=self._work, name="lookalike-accuracy", daemon=True)
                self._working.start()
        return found

    def _mark(self) -> Mark:
        files = sorted(self._workspace.models_folder.glob("*.safetensors"))
        return (*self._store.mark(), *((file.name, file_stamp(file)) for file in files))

    def _work(self) -> None:
        try:
            mark, answers = self._mark(), self._store.read(source="")
            said = self._scores.about(answers)
            for annotator in list(self._found):
                found = mark, _standings(said, answers, annotator)
                with self._lock:
                    if annotator in self._found:  # without changing who goes first
                        self._found[annotator] = found
        except Exception as error:  # it is no more than a view: those who answer must not notice
            ending = not threading.main_thread().is_alive()  # of a server that stops, nobody needs to know
            if str(error) != self._trouble and not ending:
                self._trouble = str(error)
                log.warning("how far models agree with the answers cannot be worked out: %s", error)
        finally:
            with self._lock:  # a thread of its own: what it took is what its clock says
                self._again = time.monotonic() + max(REST_SECONDS, time.thread_time() / SHARE)
                self._working = None


def _standings(said: list[Said], answers: Judgments, annotator: str) -> Standings:
    own = np.zeros(len(answers), np.bool_)
    if answers.annotator is not None:
        own = answers.annotator.values() == annotator
    found = [_agreeing(one, answers, own) for one in said]
    found.sort(key=lambda one: (one.everyone.n == 0, -one.everyone.value if one.everyone.n else 0.0))
    return Standings(int(own.sum()), len(answers), False, tuple(found))


def _agreeing(said: Said, answers: Judgments, own: NDArray[np.bool_]) -> Agreeing:
    known = np.isfinite(said.gaps)
    counted = known & ~said.told
    unknown = 0 if said.trouble else int((~known & ~said.told).sum())
    everyone, mine = _accuracy(said, answers, counted), _accuracy(said, answers, counted & own)
    return Agreeing(said.choice, mine, everyone, int(said.told.sum()), unknown, said.trouble)


def _accuracy(said: Said, answers: Judgments, rows: NDArray[np.bool_]) -> Accuracy:
    if not rows.any():
        return NONE
    some, gaps = answers.take(rows), said.gaps[rows]
    return two_afc_accuracy(np.zeros(len(gaps)), gaps, some.votes_a, some.votes_b, some.reference, resamples=RESAMPLES)
