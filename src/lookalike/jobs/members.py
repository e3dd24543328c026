"""Models of a workspace, and encoders, side by side over one feature set: the members of an ensemble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.progress import OnProgress, silent
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_sets import FeatureSet, compute_set
from lookalike.jobs.models import NamedModel, is_model, open_model
from lookalike.judgments.table import Judgments
from lookalike.similarity.context import ContextModel
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.model import SimilarityModel
from lookalike.similarity.selected import SelectedModel

__all__ = ["Members", "gather_members", "layout", "not_told"]


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """Fitted models that all take the same features.

    Attributes
    ----------
    names : tuple of str
    models : tuple of SimilarityModel
        Each looks at columns of its own.
    named : tuple of NamedModel or None
        What the workspace holds of each; None for an encoder.
    encoders : tuple of str
        Whose features stand side by side; one may stand twice.
    features : Features
    fingerprint : str
        Of these features.
    """

    names: tuple[str, ...]
    models: tuple[SimilarityModel, ...]
    named: tuple[NamedModel | None, ...]
    encoders: tuple[str, ...]
    features: Features
    fingerprint: str


def gather_members(
    workspace: Workspace, names: Sequence[str], images: Mapping[str, Path], on_progress: OnProgress = silent
) -> Members:
    """Open models and encoders by name, and compute the features that they take, once.

    Raises
    ------
    InputError
        There are no names, one stands twice or is an ensemble, or a model was trained on other features.
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    if not names:
        raise InputError("an ensemble needs members: give models, or encoders, by name")
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InputError(f"'{name}' stands twice among the members")
    named = [_opened(workspace, name) if is_model(workspace, name) else None for name in names]
    wanted = [
        (load_encoder(name).name,) if one is None else one.features.encoders
        for name, one in zip(names, named, strict=True)
    ]
    encoders, starts = layout(wanted)
    computed = compute_set(workspace, FeatureSet("", encoders), images, on_progress=on_progress)
    ends = np.cumsum([0, *(computed.dims[encoder] for encoder in encoders)]).tolist()
    models = []
    for one, own, start in zip(named, wanted, starts, strict=True):
        columns = (ends[start], ends[start + len(own)])
        models.append(SelectedModel.over(_fitted(one, columns[1] - columns[0]), columns, ends[-1]))
    return Members(tuple(names), tuple(models), tuple(named), encoders, computed.features, computed.fingerprint)


def not_told(members: Members, judgments: Judgments) -> Judgments:
    """Leave out the judgments that a fine-tuned network among the members was trained on.

    Other models can be fitted again without an answer; a network's features have met it for good.

    Raises
    ------
    InputError
        None are left.
    """
    kept = np.ones(len(judgments), np.bool_)
    tuned = []
    for named, model in zip(members.named, members.models, strict=True):
        if named is not None and "fine_tuned" in named.card["about"]:
            kept &= ~model.was_asked(judgments)
            tuned.append(named.name)
    if not kept.any():
        raise InputError(
            f"the fine-tuned {' and '.join(tuned)} learned from all of these judgments: take others, with --source, or "
            "leave it out"
        )
    return judgments if kept.all() else judgments.take(np.flatnonzero(kept))


def layout(wanted: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], list[int]]:
    """Put sequences side by side such that each stands in one piece, and no longer than it must be.

    Returns
    -------
    everything : tuple of str
    starts : list of int
        Where each of `wanted` begins in it.

    Examples
    --------
    >>> layout([("x",), ("x", "y"), ("y",)])
    (('x', 'y'), [0, 0, 1])
    """
    everything: list[str] = []
    for own in sorted(wanted, key=len, reverse=True):
        if _place(everything, own) is None:
            everything += own
    starts = [_place(everything, own) for own in wanted]
    return tuple(everything), [start for start in starts if start is not None]


def _place(everything: Sequence[str], own: Sequence[str]) -> int | None:
    span = len(own)
    return next(
        (at for at in range(len(everything) - span + 1) if tuple(everything[at : at + span]) == tuple(own)), None
    )


def _opened(workspace: Workspace, name: str) -> NamedModel:
    """Open a model, and give it back the model it started from, which is not stored with it."""
    named = open_model(workspace, name)
    begun = named.card["about"].get("started_from")
    if isinstance(named.model, ContextModel) and begun and is_model(workspace, begun):
        start = open_model(workspace, begun).model
        if isinstance(start, ContextModel) and start.n_features_in_ == named.model.n_features_in_:
            named.model.set_params(start=start)
    return named


def _fitted(named: NamedModel | None, width: int) -> SimilarityModel:
    """Return the model, or for an encoder its features as they are, which have seen nothing."""
    if named is not None:
        if not isinstance(named.model, SimilarityModel):
            raise InputError(f"'{named.name}' is an ensemble: the members of an ensemble are models and encoders")
        return named.model
    return IdentityModel.of(width)
