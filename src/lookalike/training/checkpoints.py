"""Checkpoints of a training: all that it takes to go on as if nothing had happened.

A file holds the tensors that training changes and those of the optimiser, and, as JSON, where the training stands.
There are no states of random generators in it: whatever is drawn follows from the seed and the place in the training.

This module imports torch.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from lookalike.core.errors import InputError, StorageError
from lookalike.core.files import write_aside

__all__ = ["Checkpoints", "Position", "Tensors", "changing", "put_back", "write_tensors"]

Tensors: TypeAlias = dict[str, torch.Tensor]


@dataclass(slots=True)
class Position:
    """Where a training stands.

    Attributes
    ----------
    epoch : int
        Under way, from 1.
    step : int
        Steps that were taken in it.
    loss : float
        Sum of their losses.
    history : list of dict
        What the epochs before came to.
    lowest : float
        Validation loss so far.
    waited : int
        Epochs since.
    """

    epoch: int = 1
    step: int = 0
    loss: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    lowest: float = math.inf
    waited: int = 0


class Checkpoints:
    """The folder of a training's checkpoints.

    Parameters
    ----------
    folder : Path
        Made when the first one is written.
    training : str
        What tells this training from any other: a checkpoint of another one is refused.
    """

    def __init__(self, folder: Path, training: str) -> None:
        self.folder = folder
        self._training = training
        self._last = folder / "last.safetensors"
        self._best = folder / "best.safetensors"

    def exists(self) -> bool:
        """Whether there is one to go on from."""
        return self._last.is_file()

    def save(self, network: nn.Module, optimiser: torch.optim.Optimizer, position: Position) -> None:
        """Write a checkpoint in the place of the one before.

        Raises
        ------
        StorageError
            The disk refused it; the checkpoint before is whole.
        """
        tensors = {f"network.{name}": value for name, value in changing(network).items()}
        for name, parameter in network.named_parameters():
            for key, value in optimiser.state.get(parameter, {}).items():
                tensors[f"optimiser.{key}.{name}"] = value
        stands = {**asdict(position), "lowest": position.lowest if math.isfinite(position.lowest) else None}
        write_tensors(self._last, tensors, {"training": self._training, "position": json.dumps(stands)})

    def load(self, network: nn.Module, optimiser: torch.optim.Optimizer) -> Position:
        """Take back what `save` wrote.

        Raises
        ------
        InputError
            The checkpoint is damaged, or belongs to another training.
        """
        tensors, about = _read(self._last)
        if about.get("training") != self._training:
            raise InputError(
                f"{self._last} is of another training: the network, what it learns from or a parameter has changed; "
                "begin anew with --replace"
            )
        try:
            stands = json.loads(about["position"])
            put_back(network, {name[8:]: value for name, value in tensors.items() if name.startswith("network.")})
            parameters = dict(network.named_parameters())
            for key, value in tensors.items():
                if key.startswith("optimiser."):
                    _, kind, name = key.split(".", 2)
                    like = parameters[name]
                    # Steps are counted on the CPU; all else lies in memory as the parameter does.
                    optimiser.state[like][kind] = value if kind == "step" else torch.empty_like(like).copy_(value)
            return Position(**{**stands, "lowest": math.inf if stands["lowest"] is None else stands["lowest"]})
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise _damaged(self._last, error) from error

    def save_best(self, tensors: Tensors) -> None:
        """Write the weights of the best epoch so far.

        Raises
        ------
        StorageError
        """
        write_tensors(self._best, tensors, {"training": self._training})

    def load_best(self) -> Tensors:
        """Read what `save_best` wrote.

        Raises
        ------
        InputError
            It is damaged, or not there.
        """
        return _read(self._best)[0]

    def remove(self) -> None:
        """Delete the folder: the training is done, or begins anew."""
        shutil.rmtree(self.folder, ignore_errors=True)


def changing(network: nn.Module) -> Tensors:
    """Return what training changes, by name: the parameters that learn, and every buffer."""
    frozen = {name for name, value in network.named_parameters() if not value.requires_grad}
    return {name: value.detach() for name, value in network.state_dict().items() if name not in frozen}


def put_back(network: nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Copy tensors that `changing` returned into a network.

    Raises
    ------
    KeyError, RuntimeError
        One is missing, or has another shape.
    """
    with torch.no_grad():
        for name, value in changing(network).items():
            value.copy_(tensors[name])


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], about: Mapping[str, str] | None = None) -> None:
    """Write tensors as safetensors, whole or not at all.

    Raises
    ------
    StorageError
    """
    # Copies, because the format has no names that share memory.
    plain = {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}
    with write_aside(path) as aside:
        try:
            save_file(plain, aside, dict(about or {}))
        except SafetensorError as error:
            raise StorageError(f"cannot write {path}: {error}") from error


def _read(path: Path) -> tuple[Tensors, dict[str, str]]:
    try:
        with safe_open(path, "pt") as opened:
            about = opened.metadata() or {}
        return load_file(path), about
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"cannot go on from {path}: it is damaged ({error}); begin anew with --replace")
