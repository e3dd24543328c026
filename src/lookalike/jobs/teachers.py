"""What teachers say of pictures: their features of every picture in several views, encoded once and reduced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookalike.core.progress import OnProgress
from lookalike.core.types import Rows
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_cache import cached_features
from lookalike.embedding.lens import Lens
from lookalike.training.teacher_space import TeacherSpace

__all__ = ["SPACE_ROWS", "teachers_say"]

SPACE_ROWS = 20_000
"""Features that a teacher's space is found from, at most."""


def teachers_say(
    workspace: Workspace,
    teachers: Sequence[str],
    files: Mapping[str, Path],
    lenses: Sequence[Lens | None],
    train: Rows,
    dim: int,
    on_progress: OnProgress,
) -> dict[str, NDArray[np.float16]]:
    """Ask every teacher about every picture through every lens; one teacher is in memory at a time.

    Parameters
    ----------
    workspace : Workspace
        Keeps their features by encoder and lens: only what is new is encoded, and a run that was cut off goes on.
    teachers : sequence of str
        Encoders of any kind, each once.
    files : mapping of id to Path
    lenses : sequence of Lens or None
        None looks plainly.
    train : int64
        Pictures, by number, that the spaces are found from.
    dim : int
        What features are reduced to, at most.
    on_progress : callable

    Returns
    -------
    dict of str to float16 (L, N, d)
        By the encoder's full name: unit rows in the teacher's space, for L lenses and N pictures.

    Raises
    ------
    InputError
        A teacher says the same of every picture.
    UnknownNameError, EncoderError, ImageDecodeError, StorageError
    """
    found: dict[str, NDArray[np.float16]] = {}
    for name in teachers:
        encoder = load_encoder(name)
        seen = [cached_features(workspace, encoder, files, on_progress, lens).vectors for lens in lenses]
        space = TeacherSpace.of(_some(seen, train), dim)
        said = np.empty((len(lenses), len(files), space.dim), np.float16)
        for number, vectors in enumerate(seen):
            said[number] = space.project(np.asarray(vectors))
        found[encoder.name] = said
    return found


def _some(seen: Sequence[NDArray[np.float32]], train: Rows) -> NDArray[np.float32]:
    """Return features of the pictures to learn from, of every lens as many, evenly."""
    each = max(2, SPACE_ROWS // len(seen))
    rows = train[:: max(1, -(-len(train) // each))]
    return np.concatenate([np.asarray(vectors[rows]) for vectors in seen])
