"""Weights in files: reading them without running anything they hold, and fitting them to a network.

This module imports torch.
"""

from __future__ import annotations

import argparse
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from lookalike.core.errors import EncoderError

__all__ = ["HEADS", "Convert", "State", "load_state", "read_state"]

State: TypeAlias = dict[str, torch.Tensor]
"""Tensors by the name of their parameter or buffer."""

Convert: TypeAlias = Callable[[State, torch.nn.Module], State]
"""Renames and reshapes the tensors of a published file so that they fit a network."""

WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model_state", "model", "teacher", "net")
"""Keys under which training programs keep the network, the better copy first."""

HEADS = ("fc", "classifier", "head", "heads", "head_dist", "AuxLogits", "aux1", "aux2", "last_linear", "mask_token")
"""What files hold beyond a headless network: its classifiers, and the token of masked training."""

COUNTER = "num_batches_tracked"
SHOWN = 3


def read_state(path: Path) -> State:
    """Read the tensors of a file of weights: safetensors, or what `torch.save` wrote.

    Nothing in the file is run: a pickle that asks for more than tensors and plain values is refused.

    Parameters
    ----------
    path : Path
        ``.safetensors``, ``.pth``, ``.pt``, ``.pth.tar``, ``.pyth``, ``.bin``. A checkpoint of a training program is
        opened down to its network.

    Returns
    -------
    dict of tensors, on the CPU

    Raises
    ------
    EncoderError
        There is no such file, it is damaged, holds code, or holds no tensors.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "net.pth"
    >>> torch.save({"epoch": 3, "state_dict": {"weight": torch.ones(2)}}, path)
    >>> read_state(path)
    {'weight': tensor([1., 1.])}
    """
    if not path.is_file():
        raise EncoderError(f"there is no file {path}: give the weights of the network, a .safetensors or .pth file")
    held = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    while isinstance(held, Mapping) and not any(isinstance(value, torch.Tensor) for value in held.values()):
        inner = next((held[key] for key in WRAPPERS if isinstance(held.get(key), Mapping)), None)
        if inner is None:
            keys = ", ".join(islice((str(key) for key in held), SHOWN)) or "nothing"
            raise EncoderError(f"{path}: holds no tensors by name, but {keys}; save the network's state_dict()")
        held = inner
    if not isinstance(held, Mapping):
        raise EncoderError(f"{path}: holds a {type(held).__name__}, not tensors by name; save the state_dict()")
    return {str(key): value for key, value in held.items() if isinstance(value, torch.Tensor)}


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise EncoderError(f"{path}: not a safetensors file, or damaged ({_first(error)})") from error


def _read_torch(path: Path) -> Any:
    if _is_program(path):
        raise EncoderError(
            f"{path}: a TorchScript archive, which holds a program: load it in torch and save its state_dict()"
        )
    try:
        try:
            return _load(path)
        except UnicodeDecodeError:
            return _load(path, encoding="latin1")  # written by Python 2
    except pickle.UnpicklingError as error:
        raise EncoderError(
            f"{path}: holds more than tensors ({_reason(error)}), and is not opened, because a pickle can run code: "
            "save its state_dict() as safetensors"
        ) from error
    except Exception as error:
        raise EncoderError(f"{path}: not a file of weights that can be read ({_first(error)})") from error


def _load(path: Path, **options: str) -> Any:
    # Options of a training run and its best accuracy lie beside many published networks; these types only hold values.
    scalar = np.float64(0).__reduce__()[0]  # what makes numbers of NumPy again
    scalars = [(scalar, "numpy.core.multiarray.scalar"), (scalar, "numpy._core.multiarray.scalar")]
    kinds = [type(np.dtype(letter)) for letter in "?ilfd"]
    with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace, np.dtype, *scalars, *kinds]):
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=True, **options)


def _is_program(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def load_state(
    module: torch.nn.Module,
    state: State,
    path: Path,
    *,
    convert: Convert | None = None,
    surplus: Iterable[str] = (),
) -> None:
    """Copy tensors into a network, and make sure that nothing was left out.

    Prefixes that wrappers add to every name (``module.``, ``backbone.``) are taken off, tensors are cast to the type of
    the parameter, counters of batches may be absent.

    Parameters
    ----------
    module : torch.nn.Module
        Changed in place.
    state : dict of tensors
    path : Path
        The file they come from, for messages.
    convert : callable, optional
        Tried where the names do not fit as they are.
    surplus : iterable of str
        Beginnings of names that the file may hold though the network does not, beyond `HEADS`.

    Raises
    ------
    EncoderError
        Tensors are missing, have another shape, or are too many.

    Examples
    --------
    >>> layer = torch.nn.Linear(2, 1)
    >>> load_state(layer, {"module.weight": torch.ones(1, 2), "module.bias": torch.zeros(1)}, Path("net.pth"))
    >>> layer.weight.tolist()
    [[1.0, 1.0]]
    """
    wanted = module.state_dict()
    allowed = (*HEADS, *surplus)
    found = _without_prefix(state, wanted)
    problem = _misfit(found, wanted, allowed)
    if problem and convert is not None:
        try:
            converted = convert(dict(found), module)
        except Exception:
            converted = found  # made for other files than this one: the first problem says why
        if not _misfit(converted, wanted, allowed):
            found, problem = converted, ""
    if problem:
        raise EncoderError(f"{path}: does not fit the network: {problem}")
    fitting = {key: found[key].to(value.dtype) for key, value in wanted.items() if key in found}
    module.load_state_dict(fitting, strict=False)


def _without_prefix(state: State, wanted: State) -> State:
    """Take off the prefix with which most names fit; what lies outside it is another part of the file."""
    prefixes = {""}
    for key in islice((key for key in wanted if not key.endswith(COUNTER)), SHOWN):
        prefixes |= {name[: -len(key)] for name in state if name.endswith(f".{key}")}
    fits = {prefix: sum(f"{prefix}{key}" in state for key in wanted) for prefix in sorted(prefixes)}
    best = max(fits, key=lambda prefix: fits[prefix])
    return {name.removeprefix(best): value for name, value in state.items() if name.startswith(best)}


def _misfit(found: State, wanted: State, allowed: tuple[str, ...]) -> str:
    """Say what does not fit, or nothing."""
    missing = [key for key in wanted if key not in found and not key.endswith(COUNTER)]
    shapes = [
        f"{key} is {_shape(found[key])}, not {_shape(value)}"
        for key, value in wanted.items()
        if key in found and found[key].shape != value.shape
    ]
    many = [key for key in found if key not in wanted and not _below(key, allowed) and not key.endswith(COUNTER)]
    lists = (
        (missing, f"of its {len(wanted)} tensors are missing"),
        (shapes, "have another shape"),
        (many, "are too many"),
    )
    return "; ".join(f"{len(some)} {words} ({_some(some)})" for some, words in lists if some)


def _below(key: str, parts: tuple[str, ...]) -> bool:
    return any(key == part or key.startswith(f"{part}.") for part in parts)


def _some(entries: list[str]) -> str:
    return ", ".join(entries[:SHOWN]) + (", …" if len(entries) > SHOWN else "")


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


def _reason(error: Exception) -> str:
    """Return the part of torch's long message that names what it refused."""
    named = re.search(r"GLOBAL:? (\S+)", str(error))
    return f"it asks for {named[1]}" if named else _first(error)


def _first(error: Exception) -> str:
    """Return the first sentence of a message, within reason."""
    if isinstance(error, KeyError | IndexError | EOFError):
        return "it is not what torch.save writes"
    lines = str(error).strip().splitlines()
    return lines[0].split(". ")[0][:160] if lines else type(error).__name__
