"""Say which of two pictures is closer to a reference. Needs no collection, and loads none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from lookalike.core.types import Vectors
from lookalike.core.vectors import cosine_distances, unit_rows
from lookalike.core.workspace import DEFAULT_ENCODER, Workspace
from lookalike.embedding.encoder import ImageLike, load_encoder

__all__ = ["Comparison", "compare_images", "compare_vectors", "default_encoder"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """An answer to "is a or b closer to the reference?".

    Attributes
    ----------
    closer : {"a", "b"}
        The candidate at the smaller distance; "a" when they are equal.
    probability_a : float
        How sure, from 0 (b) over 0.5 (no telling) to 1 (a): a logistic function of the difference of distances,
        as wide as the encoder's `temperature`. It has seen no judgment of yours.
    distance_a, distance_b : float
        ``1 - cosine`` to the reference, in [0, 2].
    """

    closer: Literal["a", "b"]
    probability_a: float
    distance_a: float
    distance_b: float


def compare_images(
    reference: ImageLike, a: ImageLike, b: ImageLike, encoder: str | None = None, workspace: Path | None = None
) -> Comparison:
    """Compare two pictures with a reference.

    Parameters
    ----------
    reference, a, b : path, PIL image or uint8 array (H, W, 3)
    encoder : str, optional
        What to compare by; without it, the encoder of the workspace, or the default one where there is none.
    workspace : Path, optional
        Where to look for that.

    Raises
    ------
    ImageDecodeError, UnknownNameError, EncoderError

    Examples
    --------
    >>> red, rose, sea = (np.full((64, 64, 3), c, np.uint8) for c in [(200, 0, 0), (210, 30, 30), (0, 60, 200)])
    >>> compare_images(red, rose, sea).closer
    'a'
    """
    loaded = load_encoder(encoder or default_encoder(workspace))
    return compare_vectors(unit_rows(loaded.encode([reference, a, b])), loaded.spec.temperature)


def compare_vectors(vectors: Vectors, temperature: float) -> Comparison:
    """Compare unit vectors of a reference, a and b, float32 (3, D); see `EncoderSpec.temperature`.

    Examples
    --------
    >>> compare_vectors(np.array([[1, 0], [1, 0], [0, 1]], np.float32), temperature=0.5)
    Comparison(closer='a', probability_a=0.880797..., distance_a=0.0, distance_b=1.0)
    """
    distance_a, distance_b = (float(d) for d in cosine_distances(vectors[:1], vectors[1:]))
    return Comparison(
        closer="a" if distance_a <= distance_b else "b",
        probability_a=float(0.5 * (1 + np.tanh(0.5 * (distance_b - distance_a) / temperature))),
        distance_a=distance_a,
        distance_b=distance_b,
    )


def default_encoder(workspace: Path | str | None) -> str:
    """Return the name of the workspace's encoder, or of the default one where there is no workspace."""
    if workspace is not None and Workspace(workspace).exists():
        return Workspace(workspace).config().encoder
    return DEFAULT_ENCODER
