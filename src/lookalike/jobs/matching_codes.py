"""The quantizer of a network that learns along: what it begins with, and what it is after training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lookalike.core.features import Features
from lookalike.core.progress import OnProgress
from lookalike.core.types import Rows
from lookalike.core.vectors import unit_rows
from lookalike.embedding.feature_sets import FeatureSet, fingerprint
from lookalike.judgments.pairs import Pairs
from lookalike.similarity.model import id_hashes
from lookalike.similarity.quantizer import QuantizerModel
from lookalike.similarity.saving import save_model
from lookalike.training.matching_settings import MatchingSettings

if TYPE_CHECKING:
    from lookalike.training.matching import Matching
    from lookalike.training.matching_codes import CodeHead

__all__ = ["begun_codes", "keep_quantizer", "trained_codes"]

SEEN = 16384
"""Pictures that tell where codes begin; more would not move the words by much."""


def begun_codes(
    run: Matching, head: CodeHead, settings: MatchingSettings, images: Rows, tell: OnProgress
) -> QuantizerModel:
    """Let a head of codes begin as a quantizer of the features as they come, which is not trained.

    Parameters
    ----------
    run : Matching
    head : CodeHead
        Of the run.
    settings : MatchingSettings
    images : int64 (n,)
        Pictures to learn from.
    tell : callable

    Returns
    -------
    QuantizerModel
        What the head is now: principal components are part of its map.

    Raises
    ------
    ImageDecodeError
    InputError
        All pictures have the same features.
    """
    some = np.sort(np.random.default_rng(settings.seed).permutation(images)[:SEEN])
    rows = run.beneath(some, tell)
    rows = rows if settings.mode == "published" else unit_rows(rows)  # as the head does
    # A quantizer takes pairs. Untrained it looks at the left pictures alone: each stands on the right under a new name.
    left, right = ([f"{image}{side}" for image in some] for side in ("", " again"))
    model = QuantizerModel(
        settings.mode,
        settings.books,
        settings.words,
        settings.dim // settings.books,
        sharpness=settings.sharpness,
        temperature=settings.temperature,
        reconstruction=settings.reconstruction,
        epochs=0,
        batch=settings.batch,
        learning_rate=settings.head_learning_rate,
        weight_decay=settings.weight_decay,
        seed=settings.seed,
    ).fit(Pairs.from_ids(left, right), Features(np.array(left + right), np.tile(rows, (2, 1))))
    mean = np.zeros(rows.shape[1], np.float32)
    if model.reduction_ is not None:  # a turn T of components C less the mean: W = T C and b = -W mean, up to length
        model.map_ = np.asarray(model.map_ @ model.reduction_.components_, np.float32)
        mean = model.reduction_.mean_
        model.shift_ = np.asarray(-model.map_ @ mean, np.float32)
        model.reduction_ = None
    _say(model, reduce=0)
    weights = {"map": model.map_, "shift": model.shift_, "codebooks": model.codebooks_}
    head.begin(weights, mean, model.sharpness_)
    return model


def trained_codes(begun: QuantizerModel, head: CodeHead, epochs: int) -> QuantizerModel:
    """Make the quantizer that a head has become in so many passes, of the one that it began as."""
    weights = head.weights()
    begun.map_, begun.shift_, begun.codebooks_ = weights["map"], weights["shift"], weights["codebooks"]
    _say(begun, epochs=epochs)
    return begun


def keep_quantizer(
    model: QuantizerModel, name: str, path: Path, encoder: str, about: Mapping[str, Any], images: Sequence[str]
) -> None:
    """Write a quantizer that takes the features of a trained network, see `lookalike.jobs.networks.keep_model`.

    Raises
    ------
    StorageError
    """
    model.seen_ = np.unique(id_hashes(images))
    made_of = fingerprint(FeatureSet(name, (encoder,)))
    save_model(model, path, {**about, "encoders": [encoder], "fingerprint": made_of})


def _say(model: QuantizerModel, **values: int) -> None:
    model.set_params(**values)
    model.settings_ |= values
