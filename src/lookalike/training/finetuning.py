"""A network, judgments and pictures brought together: train, ask what the network answers, write it down.

This module imports torch.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.files import write_json
from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Rows
from lookalike.encoders.export import Parity, card_entries, export_onnx
from lookalike.encoders.network import NetworkEncoder
from lookalike.images.views import ViewPlan
from lookalike.training.checkpoints import Checkpoints, write_tensors
from lookalike.training.finetune import train_ranking
from lookalike.training.finetune_measures import Preparation, validate
from lookalike.training.finetune_settings import FinetuneSettings
from lookalike.training.pictures import PictureReader
from lookalike.training.plan import Head
from lookalike.training.processes import Processes
from lookalike.training.questions import Finetuned, OnRankingEpoch, Questions, Validation, nobody
from lookalike.training.ranking_network import plain_network, ranking_network, trained_encoder

__all__ = ["Finetuning"]


class Finetuning:
    """One training of one network, as one process sees it.

    Parameters
    ----------
    encoder : NetworkEncoder
        Where it begins; it stays as it is.
    head : callable
        Formula of the ranking head.
    weights : mapping of str to float32 array
        Of the head, before training.
    files : sequence of Path
        One per image.
    questions : Questions
    settings : FinetuneSettings
    processes : Processes
        Those that share the work.

    Raises
    ------
    EncoderError
        The network cannot be trained so.
    InputError
        The device does not compute as the settings say.

    Attributes
    ----------
    trained : int
        How many numbers learn.
    """

    def __init__(
        self,
        encoder: NetworkEncoder,
        head: Head,
        weights: Mapping[str, NDArray[Any]],
        files: Sequence[Path],
        questions: Questions,
        settings: FinetuneSettings,
        processes: Processes,
    ) -> None:
        self._encoder, self._questions, self._settings, self._processes = encoder, questions, settings, processes
        self._network = ranking_network(encoder, head, weights, settings)
        self._prepare = Preparation(encoder.mean, encoder.std, encoder.device)
        plan = ViewPlan(encoder.spec.input_size, area=(settings.least_area, 1.0))
        self._reader = PictureReader(files, encoder.spec, plan, settings.seed, settings.views_of == "resized")
        self.trained = sum(value.numel() for value in self._network.trained().values())

    def answers(self, rows: Rows, on_progress: OnProgress = silent) -> Validation | None:
        """Ask the network, as it is now, some of the questions, in 32-bit numbers; None for no rows.

        Raises
        ------
        ImageDecodeError
        """
        half, self._network.half = self._network.half, False
        try:
            asked = replace(self._questions, validation_rows=np.asarray(rows, np.int64))
            held = self._network, self._prepare, self._reader, asked, self._settings, self._processes
            return validate(*held, on_progress)
        finally:
            self._network.half = half

    def train(
        self,
        checkpoints: Checkpoints | None = None,
        on_epoch: OnRankingEpoch = nobody,
        on_progress: OnProgress = silent,
    ) -> Finetuned:
        """Train; see `lookalike.training.finetune.train_ranking`."""
        return train_ranking(
            self._network,
            self._prepare,
            self._reader,
            self._questions,
            self._settings,
            self._processes,
            checkpoints,
            on_epoch,
            on_progress,
        )

    def check_export(self) -> None:
        """Write the network to a folder that is thrown away: better to fail before hours of training than after.

        Raises
        ------
        EncoderError
            It cannot be written as ONNX.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.export(Path(folder) / "network.onnx")

    def export(self, path: Path, temperature: float | None = None, more: Mapping[str, Any] | None = None) -> Parity:
        """Write the network, its updates merged, as an encoder in ONNX; see `lookalike.encoders.export.export_onnx`.

        Parameters
        ----------
        path : Path
        temperature : float, optional
            Of its distances, for the card; without it that of the encoder.
        more : mapping, optional
            JSON values for the card.
        """
        return export_onnx(self._trained(temperature), path, more)

    def save_weights(self, path: Path, temperature: float | None = None) -> None:
        """Write the weights, updates merged, under the names that they had before, and a card beside them.

        Parameters
        ----------
        path : Path
            Ends in ``.safetensors``. The encoder takes it as ``weights=PATH``.
        temperature : float, optional
            As in `export`.

        Raises
        ------
        StorageError
        """
        write_tensors(path, plain_network(self._network).state_dict())
        write_json(path.with_suffix(".json"), card_entries(self._trained(temperature)))

    def _trained(self, temperature: float | None) -> NetworkEncoder:
        card = self._encoder.card
        card = card if temperature is None else replace(card, temperature=temperature)
        return trained_encoder(self._network, self._encoder, card)
