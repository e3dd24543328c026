"""Ensembles on disk: one file with all their models in it, and a JSON card beside it; as models are saved."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.ensembles.base import Ensemble
from lookalike.ensembles.kinds import ENSEMBLES as ENSEMBLES
from lookalike.ensembles.weighted import WeightedEnsemble
from lookalike.similarity.model import SimilarityModel, describe
from lookalike.similarity.saving import (
    card_of,
    load_model,
    model_arrays,
    read_arrays,
    restored,
    usable,
    write_files,
)

__all__ = ["load", "load_ensemble", "save_ensemble"]


def save_ensemble(ensemble: Ensemble, path: str | Path, about: Mapping[str, Any] | None = None) -> Path:
    """Write a fitted ensemble with its models: ``PATH.safetensors`` with all numbers, and ``PATH.json`` with its card.

    Parameters
    ----------
    ensemble : Ensemble
        Fitted.
    path : path
        With or without the suffix; files of that name give way.
    about : mapping, optional
        JSON values that stand on the card: what features it takes, how it was measured.

    Returns
    -------
    Path
        Of the safetensors file.

    Raises
    ------
    NotFittedError
    InputError
        The ensemble, or one of its models, is of no registered kind.
    StorageError
        The folder cannot be written, or the disk is full; what was there before is still whole.

    Examples
    --------
    >>> import tempfile
    >>> from lookalike import Features, IdentityModel, Judgments, VoteEnsemble
    >>> asked = Judgments.from_ids(["r"], ["x"], ["y"], votes_a=[1], votes_b=[0])
    >>> features = Features(["r", "x", "y"], [[1.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    >>> ensemble = VoteEnsemble([IdentityModel().fit(asked, features)]).fit(asked, features)
    >>> path = save_ensemble(ensemble, Path(tempfile.mkdtemp()) / "all", about={"encoders": ["classic"]})
    >>> path.name, load_ensemble(path).distances(asked, features)
    ('all.safetensors', (array([0.]), array([1.])))
    """
    kind = next((name for name in ENSEMBLES if ENSEMBLES[name] is type(ensemble)), None)
    if kind is None:
        raise InputError(f"{type(ensemble).__name__} is not registered as an ensemble: it could not be loaded again")
    arrays = ensemble.arrays()
    for number, model in enumerate(ensemble.models_):
        arrays |= {f"{_prefix(number)}{name}": value for name, value in model_arrays(model).items()}
    entries = {
        "model": kind,
        "parameters": ensemble.card_parameters(),
        "members": [describe(model) for model in ensemble.models_],
    }
    return write_files(path, entries, arrays, about)


def load_ensemble(path: str | Path) -> Ensemble:
    """Read an ensemble that `save_ensemble` wrote; nothing in the files is executed.

    Raises
    ------
    InputError
        A file is absent or damaged, the card belongs to another file, or it is that of a model; the message says which.
    """
    card = card_of(path)
    if "members" not in card:
        raise InputError(f"{path} holds one model, not an ensemble: read it with lookalike.load_model")
    arrays = read_arrays(path, card)
    with usable(path):
        members = [_member(number, described, arrays) for number, described in enumerate(card["members"])]
        made = ENSEMBLES[card["model"]].of_card(members, card["parameters"])
        made.restore(members, arrays)
        if isinstance(made, WeightedEnsemble):
            made.query(np.zeros((1, made.n_features_in_), np.float32))
    return made


def load(path: str | Path) -> SimilarityModel | Ensemble:
    """Read whatever stands there, a model or an ensemble.

    Raises
    ------
    InputError
        As `load_ensemble`, and `lookalike.load_model`.
    """
    return load_ensemble(path) if "members" in card_of(path) else load_model(path)


def _member(number: int, described: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> SimilarityModel:
    prefix = _prefix(number)
    own = {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
    try:
        return restored(described, own)
    except KeyError as error:
        raise InputError(f"model {number} lacks {error}") from None


def _prefix(number: int) -> str:
    return f"model.{number}."
