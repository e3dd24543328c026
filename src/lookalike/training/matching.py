"""Networks, things and pictures brought together: train, ask what is found, write it down.

This module imports torch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from lookalike.core.files import write_json
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.types import Rows, Vectors
from lookalike.encoders.export import Parity, card_entries, export_onnx
from lookalike.encoders.network import NetworkEncoder
from lookalike.training.backbone import merged_copy
from lookalike.training.checkpoints import Checkpoints, write_tensors
from lookalike.training.contrastive_network import MatchingNetwork, matching_network, trained_matcher
from lookalike.training.finetune_measures import Preparation, embedded
from lookalike.training.matching_codes import CodeHead, asking, code_head
from lookalike.training.matching_measures import Found, ask, cosines
from lookalike.training.matching_objectives import Objective, objective_of
from lookalike.training.matching_settings import MatchingSettings
from lookalike.training.matching_task import train_matching
from lookalike.training.matching_things import MatchingEpoch, PicturedThings, queries_about
from lookalike.training.pictures import PictureReader
from lookalike.training.processes import Processes
from lookalike.training.questions import Trained

__all__ = ["Matching"]


class Matching:
    """One training to match, as one process sees it.

    Parameters
    ----------
    encoders : sequence of NetworkEncoder
        Where it begins, side by side; they stay as they are.
    files : sequence of Path
        One per picture.
    things : PicturedThings
    settings : MatchingSettings
    processes : Processes
        Those that share the work.
    head : nn.Module, optional
        In the place of the one that the settings name.
    objective : Objective, optional
        In the place of the one that the settings name.

    Raises
    ------
    EncoderError
        The networks cannot be trained so.
    InputError
        They take pictures of different sizes, or the device does not compute as the settings say.

    Attributes
    ----------
    dim : int
        Length of what comes out.
    trained : int
        How many numbers learn.
    codes : CodeHead or None
        The head that learns codes, where the loss is of these. Before anything is trained or asked it has to `begin`.
    """

    def __init__(
        self,
        encoders: Sequence[NetworkEncoder],
        files: Sequence[Path],
        things: PicturedThings,
        settings: MatchingSettings,
        processes: Processes,
        head: nn.Module | None = None,
        objective: Objective | None = None,
    ) -> None:
        first = encoders[0]
        self._encoders, self._things, self._settings, self._processes = encoders, things, settings, processes
        self.codes: CodeHead | None = code_head(sum(one.spec.dim for one in encoders), settings)
        self._network = matching_network(encoders, settings, head or self.codes)
        self._objective = objective or objective_of(settings)
        self._prepare = Preparation(first.mean, first.std, first.device)
        self._reader = PictureReader(files, first.spec, settings.views, settings.seed)
        self.dim = self._network.dim
        self.trained = sum(value.numel() for value in self._network.trained().values())

    def found(self, plain: bool = False, on_progress: OnProgress = silent) -> Found | None:
        """Look for the things set aside to measure on, among all pictures, in 32-bit numbers; None if there are none.

        Parameters
        ----------
        plain : bool
            By the features beneath the head, and not by what comes out or by codes.
        on_progress : callable

        Raises
        ------
        ImageDecodeError
        """
        if not len(self._things.test):
            return None
        queries = queries_about(self._things, self._things.test, np.arange(len(self._things.members)))
        asked, compared = (_Beneath(self._network), cosines) if plain else asking(self._network)
        told = partial(_told, on_progress, "looking for pictures held out")
        size, temperature = 2 * self._settings.batch, self._settings.temperature
        with self._in_use():
            return ask(asked, self._prepare, self._reader, queries, temperature, size, self._processes, told, compared)

    def beneath(self, images: Rows, on_progress: OnProgress = silent) -> Vectors:
        """Return the features beneath the head of pictures as they are, in 32-bit numbers: float32 (n, D).

        Parameters
        ----------
        images : int64 (n,)
        on_progress : callable

        Raises
        ------
        ImageDecodeError
        """
        told = partial(_told, on_progress, "encoding pictures")
        with self._in_use():
            rows: Vectors = embedded(
                _Beneath(self._network), self._prepare, lambda place: self._reader.whole(int(images[place])),
                len(images), 2 * self._settings.batch, self._processes, told,
            ).cpu().numpy()  # fmt: skip
        return rows

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        """Put the network into the state of use, in 32-bit numbers."""
        half, self._network.half = self._network.half, False
        self._network.eval()
        try:
            yield
        finally:
            self._network.half = half

    def train(
        self,
        checkpoints: Checkpoints | None = None,
        on_epoch: Callable[[MatchingEpoch], None] = lambda _: None,
        on_progress: OnProgress = silent,
    ) -> Trained[Found]:
        """Train; see `lookalike.training.matching_task.train_matching`."""
        done = train_matching(
            self._network,
            self._prepare,
            self._reader,
            self._things,
            self._objective,
            self._settings,
            self._processes,
            checkpoints,
            on_epoch,
            on_progress,
        )
        self._network.reload_frozen()
        return done

    def check_export(self) -> None:
        """Write the network to a folder that is thrown away: better to fail before hours of training than after.

        Raises
        ------
        EncoderError
            It cannot be written as ONNX.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.export(Path(folder) / "network.onnx")

    def export(self, path: Path, more: Mapping[str, Any] | None = None) -> Parity:
        """Write what was trained as an encoder in ONNX; see `lookalike.encoders.export.export_onnx`."""
        return export_onnx(trained_matcher(self._network, self._encoders, self._settings), path, more)

    def save_weights(self, path: Path) -> None:
        """Write the weights of the one network, updates merged, without the head; a card beside them.

        Parameters
        ----------
        path : Path
            Ends in ``.safetensors``. The encoder takes it as ``weights=PATH``.

        Raises
        ------
        StorageError
        """
        [branch] = self._network.joined.branches
        write_tensors(path, merged_copy(branch.encoder.module).state_dict())
        write_json(path.with_suffix(".json"), card_entries(self._encoders[0]))


class _Beneath:
    """A network that stops below its head."""

    def __init__(self, network: MatchingNetwork) -> None:
        self.dim, self.embeddings = network.width, network.features


def _told(on_progress: OnProgress, stage: str, done: int, total: int) -> None:
    on_progress(Progress(stage, done, total))
