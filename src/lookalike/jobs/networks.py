"""What trainings of whole networks share: which can be trained, their checkpoints, and what is written beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import EncoderError, InputError
from lookalike.core.workspace import Workspace
from lookalike.embedding.feature_sets import FeatureSet, fingerprint
from lookalike.encoders.load import PLAIN, load_pixels
from lookalike.reports.leaderboard import check_plot
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.model import id_hashes
from lookalike.similarity.saving import save_model

if TYPE_CHECKING:
    from lookalike.encoders.network import NetworkEncoder
    from lookalike.training.checkpoints import Checkpoints
    from lookalike.training.processes import Processes

__all__ = ["Outputs", "check_trainable", "checkpoints_of", "keep_model", "trainable"]

NOTHING = np.zeros(0, np.uint64)


@dataclass(frozen=True, slots=True)
class Outputs:
    """What is written beside the model.

    Attributes
    ----------
    weights : Path, optional
        A ``.safetensors`` file for the weights, updates merged, which the encoder takes as ``weights=PATH``.
    tensorboard : Path, optional
        A folder for TensorBoard.
    plot : Path, optional
        A picture of the losses.
    """

    weights: Path | None = None
    tensorboard: Path | None = None
    plot: Path | None = None

    def check(self) -> None:
        """Refuse what could not be written.

        Raises
        ------
        InputError
        """
        if self.plot is not None:
            check_plot(self.plot)
        if self.weights is not None and self.weights.suffix != ".safetensors":
            raise InputError(f"{self.weights}: weights are written as .safetensors; change the suffix")


def check_trainable(name: str) -> None:
    """Refuse an encoder that is no network made with torch, before anything is loaded.

    Raises
    ------
    EncoderError

    Examples
    --------
    >>> check_trainable("timm:resnet18")
    """
    if name.partition(":")[0] in PLAIN:
        raise EncoderError(f"{name} cannot be trained: give a network made with torch, such as timm:resnet18")


def trainable(name: str, weights: Path | None, device: str) -> NetworkEncoder:
    """Load a network that can be trained.

    Raises
    ------
    UnknownNameError, EncoderError
        There is none of that name, or it is an exported file.
    """
    loaded = load_pixels(name, weights, device)
    from lookalike.encoders.network import NetworkEncoder

    if not isinstance(loaded, NetworkEncoder):
        raise EncoderError(f"{loaded.spec.name} cannot be trained: give the network's weights, not an exported file")
    return loaded


def checkpoints_of(
    workspace: Workspace, name: str, training: str, resume: bool, replace: bool, processes: Processes
) -> Checkpoints:
    """Return the checkpoints to go on from, or to write, in ``checkpoints/NAME`` of the workspace.

    Parameters
    ----------
    workspace : Workspace
    name : str
        Of the model.
    training : str
        What tells this training from any other.
    resume, replace : bool
        Whether to go on from those of a training that was cut off, or to begin anew.
    processes : Processes

    Raises
    ------
    InputError
        There are some, and neither was said.
    """
    from lookalike.training.checkpoints import Checkpoints

    found = Checkpoints(workspace.path / "checkpoints" / name, training)
    is_there = found.exists()
    if is_there and not (resume or replace):
        raise InputError(f"a training of '{name}' was cut off: go on with --resume, or begin anew with --replace")
    processes.wait()
    if is_there and not resume and processes.first:
        found.remove()
    processes.wait()
    return found


def keep_model(
    name: str,
    path: Path,
    encoder: str,
    dim: int,
    about: Mapping[str, Any],
    images: Sequence[str],
    asked: NDArray[np.uint64] = NOTHING,
) -> None:
    """Write the model that takes the features of a trained network as they are.

    Parameters
    ----------
    name : str
    path : Path
        Of the model's file.
    encoder : str
        The network, exported.
    dim : int
        Length of a feature.
    about : mapping
        JSON values for the card.
    images : sequence of str
        Ids of those that it learned from.
    asked : uint64 (n,)
        Hashes of judgments that it learned from.

    Raises
    ------
    StorageError
    """
    model = IdentityModel.of(dim)
    model.seen_, model.asked_ = np.unique(id_hashes(images)), np.unique(asked)
    save_model(model, path, {**about, "encoders": [encoder], "fingerprint": fingerprint(FeatureSet(name, (encoder,)))})
