"""What encoders, models and ensembles say about the questions that people answered, each question put to each once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError, LookalikeError
from lookalike.core.vectors import triplet_distances
from lookalike.core.workspace import Workspace
from lookalike.embedding.feature_sets import joint_fingerprint
from lookalike.embedding.features import file_stamp
from lookalike.jobs.known_features import KnownFeatures
from lookalike.jobs.live_models import Choice, LiveModels
from lookalike.jobs.models import NamedModel, model_file, open_model
from lookalike.judgments.table import Judgments
from lookalike.similarity.model import judged_rows

__all__ = ["Said", "Scores"]

AT_ONCE = 2000
"""Questions whose features are in memory together."""

Question: TypeAlias = tuple[str, str, str]
"""The reference, a and b."""


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """What one of them says about n answers.

    Attributes
    ----------
    choice : Choice
        Which it is.
    gaps : float64 (n,)
        Distance of b less that of a: above 0 where it finds a closer; NaN where features of a picture are not at hand.
    told : bool (n,)
        Whether it was fitted on the question: that answer proves nothing.
    trouble : str
        Why it cannot say anything; empty where it can.
    """

    choice: Choice
    gaps: NDArray[np.float64]
    told: NDArray[np.bool_]
    trouble: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """A model whose file had this stamp, or an encoder, and what it has said by question."""

    stamp: tuple[int, int]
    named: NamedModel | None
    gaps: dict[Question, float] = field(default_factory=dict)


class Scores:
    """Remembers what was said about each question. Not for several threads at once.

    Parameters
    ----------
    workspace : Workspace
        With a collection.

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
    >>> answers = Judgments.from_ids(["red.png"], ["rose.png"], ["sea.png"], votes_a=[1], votes_b=[0])
    >>> [(said.choice.name, said.gaps[0] > 0) for said in Scores(collection.workspace).about(answers)]
    [('compact', np.True_)]
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._models = LiveModels(workspace)
        self._known = KnownFeatures(workspace)
        self._held: dict[str, _Held] = {}

    def about(self, judgments: Judgments) -> list[Said]:
        """Return what the collection's encoders say, then what the models and ensembles of the workspace do, by name.

        Raises
        ------
        WorkspaceError, StorageError
        """
        config = self._workspace.config()
        encoders = [Choice(name, "encoder") for name in config.encoders or (config.encoder,)]
        return [self._said(choice, judgments) for choice in (*encoders, *self._models.listed())]

    def _said(self, choice: Choice, judgments: Judgments) -> Said:
        untold = np.zeros(len(judgments), np.bool_)
        try:
            held = self._opened(choice)
            told = untold if held.named is None else held.named.model.was_asked(judgments)
            return Said(choice, self._gaps(choice, held, judgments), told)
        except LookalikeError as error:
            return Said(choice, np.full(len(judgments), np.nan), untold, trouble=str(error))

    def _opened(self, choice: Choice) -> _Held:
        """Return a model with what it said before; with nothing where it has been trained anew."""
        encoder, key = choice.kind == "encoder", f"{choice.kind} {choice.name}"
        stamp = (0, 0) if encoder else file_stamp(model_file(self._workspace, choice.name))
        if key not in self._held or self._held[key].stamp != stamp:
            named = None if encoder else open_model(self._workspace, choice.name)
            if named is not None:
                self._check_features(named)
            self._held[key] = _Held(stamp, named)
        return self._held[key]

    def _check_features(self, named: NamedModel) -> None:
        """Refuse a model that was trained on what its encoders no longer give."""
        now = joint_fingerprint([self._known.card(name).fingerprint for name in named.features.encoders])
        if now != named.card["about"].get("fingerprint"):
            raise InputError(f"'{named.name}' was trained on other features: train it again")

    def _gaps(self, choice: Choice, held: _Held, judgments: Judgments) -> NDArray[np.float64]:
        questions = _questions(judgments)
        new = {one: row for row, one in enumerate(questions) if one not in held.gaps}
        rows = np.array(list(new.values()), np.int64)
        for start in range(0, len(rows), AT_ONCE):
            held.gaps.update(self._asked(choice.name, held.named, judgments.take(rows[start : start + AT_ONCE])))
        return np.array([held.gaps.get(one, np.nan) for one in questions], np.float64)

    def _asked(self, name: str, named: NamedModel | None, asked: Judgments) -> dict[Question, float]:
        """Return what is said about those questions whose pictures' features are at hand."""
        columns = asked.reference, asked.candidate_a, asked.candidate_b
        images = asked.ids[np.unique(np.concatenate(columns))].tolist()
        features = (
            self._known.stored(name, images) if named is None else self._known.of(named.features.encoders, images)
        )
        there = np.isin(asked.ids, features.ids)
        asked = asked.take(np.all([there[column] for column in columns], axis=0))
        if not len(asked):
            return {}
        both: tuple[NDArray[Any], NDArray[Any]]
        if named is None:
            both = triplet_distances(features.vectors, *judged_rows(asked, features))
        else:
            both = named.model.distances(asked, features)
        return dict(zip(_questions(asked), np.subtract(both[1], both[0], dtype=np.float64).tolist(), strict=True))


def _questions(judgments: Judgments) -> list[Question]:
    columns = judgments.references, judgments.candidates_a, judgments.candidates_b
    return list(zip(*(column.tolist() for column in columns), strict=True))
