"""Models on disk: arrays as safetensors, and a JSON card beside them that says what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.core.files import read_json, write_aside
from lookalike.core.version import __version__
from lookalike.similarity.kinds import MODELS as MODELS
from lookalike.similarity.model import Arrays, SimilarityModel, describe, revive

__all__ = ["card_of", "load_model", "model_arrays", "read_arrays", "restored", "save_model", "usable", "write_files"]

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
    return write_files(path, describe(model), model_arrays(model), about)


def load_model(path: str | Path) -> SimilarityModel:
    """Read a model that `save_model` wrote; nothing in the files is executed.

    Raises
    ------
    InputError
        A file is absent or damaged, or the card belongs to another file; the message says which.
    """
    card = card_of(path)
    if "members" in card:
        raise InputError(f"{_file(path)} holds an ensemble, not one model: read it with lookalike.load_ensemble")
    arrays = read_arrays(path, card)
    with usable(path):
        return restored(card, arrays)


def model_arrays(model: SimilarityModel) -> Arrays:
    """Return all that is saved of a fitted model: what it learned, and which images and questions it has seen."""
    return {**model.arrays(), "seen": model.seen_, "asked": model.asked_}


def restored(card: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> SimilarityModel:
    """Make a model of what stands on its card and of what `model_arrays` returned, and try it.

    Call it inside `usable`.
    """
    model = revive(card)
    model.restore(arrays)
    model.seen_, model.asked_ = arrays["seen"], arrays["asked"]
    model.transform(np.zeros((1, model.n_features_in_), np.float32))
    return model


def write_files(
    path: str | Path, entries: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any] | None
) -> Path:
    """Write ``PATH.safetensors`` with arrays, and ``PATH.json`` with entries of a card; return the former."""
    from safetensors.numpy import save

    target = _file(path)
    # safetensors writes the memory of an array as it lies, whatever its strides say.
    content = save({name: np.ascontiguousarray(value) for name, value in arrays.items()})
    card = {
        "format": FORMAT,
        **entries,
        "lookalike": __version__,
        "sha256": hashlib.sha256(content).hexdigest(),
        "about": dict(about or {}),
    }
    # Both are written before either takes its name: a full disk leaves the old model whole.
    with write_aside(target.with_suffix(".json")) as card_aside, write_aside(target) as aside:
        aside.write_bytes(content)
        card_aside.write_text(json.dumps(card, indent=1, ensure_ascii=False, default=_plain) + "\n", encoding="utf-8")
    return target


def read_arrays(path: str | Path, card: Mapping[str, Any]) -> Arrays:
    """Return the arrays of a safetensors file by name, if it is the file that the card describes."""
    from safetensors.numpy import load

    target = _file(path)
    try:
        content = target.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the model {target}: {error.strerror or error}") from None
    if hashlib.sha256(content).hexdigest() != card["sha256"]:
        raise InputError(f"{target} is not the file that its card describes: it is damaged, or one of them was moved")
    with usable(target):
        return dict(load(content))


@contextmanager
def usable(path: str | Path) -> Iterator[None]:
    """Turn whatever a file that cannot be used raises into one line that names it."""
    from safetensors import SafetensorError

    try:
        yield
    except KeyError as error:
        raise InputError(f"{_file(path)} cannot be used: it lacks {error}") from None
    except (SafetensorError, IndexError, TypeError, ValueError) as error:
        if isinstance(error, UnknownNameError):
            raise InputError(f"{_file(path)}: {error}; a newer version of lookalike may know it") from None
        raise InputError(f"{_file(path)} cannot be used: {error}") from None


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
