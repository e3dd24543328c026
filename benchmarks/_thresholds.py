"""What an encoder's card says of its distances: the temperature of questions, and how far copies are."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from lookalike.core.vectors import unit_rows
from lookalike.embedding.encoder import Encoder
from lookalike.ensembles.answers import likeliest_temperature

__all__ = ["copy_distances", "question_temperature", "random_distances"]

SCALES, QUALITIES, KEPT = (0.5, 2.0), (30, 60), 0.85
"""Of plain copies: how they are resized, saved as JPEG, and which part of each side a crop keeps."""


def question_temperature(distances: np.ndarray, votes_a: np.ndarray, votes_b: np.ndarray) -> float:
    """Return the temperature of the least log loss; distances of both candidates, float (2, n)."""
    return likeliest_temperature(distances[1] - distances[0], votes_a, votes_b)


def plain_copies(picture: Image.Image, rng: np.random.Generator) -> list[Image.Image]:
    """Return a picture smaller, larger, saved twice with losses, and cropped."""
    width, height = picture.size
    made = [picture.resize((max(1, round(width * by)), max(1, round(height * by)))) for by in SCALES]
    for quality in QUALITIES:
        saved = BytesIO()
        picture.save(saved, "JPEG", quality=quality)
        made.append(Image.open(saved).convert("RGB"))
    left, top = (round(rng.uniform(0, side * (1 - KEPT))) for side in (width, height))
    return [*made, picture.crop((left, top, left + round(width * KEPT), top + round(height * KEPT)))]


def copy_distances(encoder: Encoder, files: Sequence[Path], seed: int) -> np.ndarray:
    """Return how far plain copies are from their pictures, float (copies,)."""
    rng, found = np.random.default_rng(seed), []
    for path in files:
        picture = Image.open(path).convert("RGB")
        vectors = unit_rows(encoder.encode([np.asarray(one) for one in (picture, *plain_copies(picture, rng))]))
        found.append(1 - vectors[1:] @ vectors[0])
    return np.concatenate(found)


def random_distances(encoder: Encoder, files: Sequence[Path]) -> np.ndarray:
    """Return distances of all pairs of different pictures, float (n * (n - 1) / 2,)."""
    vectors = unit_rows(encoder.encode([*files]))
    return (1 - vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
