"""Models on disk: arrays as safetensors, and a JSON card beside them that says what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.core.files import read_json, write_aside
from lookalike.core.version import __version__
from lookalike.similarity.kinds import MODELS
from lookalike.similarity.model import SimilarityModel

__all__ = ["card_of", "load_model", "save_model"]

FORMAT = 1
SUFFIX = ".safetensors"


def save_model(model: SimilarityModel, path: str | Path, about: Mapping[str, Any] | None = None) -> Path:
    """Write a fitted model: ``PATH.safetensors`` with all numbers, and ``PATH.json`` with its card.

    Parameters
    ----------
    model : SimilarityModel
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
        The model is of no registered kind.
    StorageError
        The folder cannot be written, or the disk is full; a model that was there before is still whole.

    Examples
    --------
    >>> import tempfile
    >>> from lookalike import Features, IdentityModel, Pairs
    >>> features = Features(["a", "b"], [[3.0, 4.0], [0.0, 2.0]])
    >>> model = IdentityModel().fit(Pairs.from_ids(["a"], ["b"]), features)
    >>> path = save_model(model, Path(tempfile.mkdtemp()) / "plain", about={"features": ["classic"]})
    >>> path.name, load_model(path).transform(features).tolist() == model.transform(features).tolist()
    ('plain.safetensors', True)
    """
    from safetensors.numpy import save

    target = _file(path)
    kind = next((name for name in MODELS if MODELS[name] is type(model)), None)
    if kind is None:
        raise InputError(f"{type(model).__name__} is not registered as a model: it could not be loaded again")
    arrays = {**model.arrays(), "seen": model.seen_}
    # safetensors writes the memory of an array as it lies, whatever its strides say.
    content = save({name: np.ascontiguousarray(value) for name, value in arrays.items()})
    card = {
        "format": FORMAT,
        "model": kind,
        "parameters": model.get_params(),
        "lookalike": __version__,
        "sha256": hashlib.sha256(content).hexdigest(),
        "about": dict(about or {}),
    }
    # Both are written before either takes its name: a full disk leaves the old model whole.
    with write_aside(target.with_suffix(".json")) as card_aside, write_aside(target) as aside:
        aside.write_bytes(content)
        card_aside.write_text(json.dumps(card, indent=1, ensure_ascii=False, default=_plain) + "\n", encoding="utf-8")
    return target


def load_model(path: str | Path) -> SimilarityModel:
    """Read a model that `save_model` wrote; nothing in the files is executed.

    Raises
    ------
    InputError
        A file is absent or damaged, or the card belongs to another file; the message says which.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    target = _file(path)
    card = card_of(target)
    try:
        content = target.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the model {target}: {error.strerror or error}") from None
    if hashlib.sha256(content).hexdigest() != card["sha256"]:
        raise InputError(f"{target} is not the file that its card describes: it is damaged, or one of them was moved")
    try:
        arrays = load(content)
        model = MODELS[card["model"]]().set_params(**card["parameters"])
        model.restore(arrays)
        model.seen_ = arrays["seen"]
        model.transform(np.zeros((1, model.n_features_in_), np.float32))
    except KeyError as error:
        raise InputError(f"{target} cannot be used: it lacks {error}") from None
    except (SafetensorError, IndexError, TypeError, ValueError) as error:
        if isinstance(error, UnknownNameError):
            raise InputError(f"{target}: {error}; a newer version of lookalike may know it") from None
        raise InputError(f"{target} cannot be used: {error}") from None
    return model


def card_of(path: str | Path) -> dict[str, Any]:
    """Return the card of a saved model.

    Raises
    ------
    InputError
        There is none, or it is not a card of this format.
    """
    file = _file(path).with_suffix(".json")
    if not file.is_file():
        raise InputError(f"there is no model {_file(path)}: its card {file.name} is missing")
    card = read_json(file)
    keys = {"format", "model", "parameters", "sha256", "about"}
    if not isinstance(card, dict) or not keys <= set(card):
        raise InputError(f"{file} is not the card of a model")
    if card["format"] != FORMAT:
        raise InputError(f"{file} has format {card['format']}, this version reads {FORMAT}")
    return card


def _plain(value: Any) -> Any:
    """Turn the numbers of NumPy, and paths, into JSON values."""
    return value.item() if isinstance(value, np.generic) else str(value)


def _file(path: str | Path) -> Path:
    """Return the path with its suffix; a dot in a name is no suffix."""
    given = Path(path)
    if given.suffix in (SUFFIX, ".json"):
        return given.with_suffix(SUFFIX)
    return given.with_name(given.name + SUFFIX)
