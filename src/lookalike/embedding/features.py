"""Encode images by id, and tell when a file has changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lookalike.core.features import Features
from lookalike.core.progress import OnProgress
from lookalike.embedding.encoder import Encoder

__all__ = ["embed", "file_stamp"]


def embed(encoder: Encoder, images: Mapping[str, Any], on_progress: OnProgress | None = None) -> Features:
    """Encode images by id.

    Parameters
    ----------
    encoder : Encoder
    images : mapping of id to path, PIL image or uint8 array
    on_progress : callable, optional

    Returns
    -------
    Features
        Not normalised; rows in the order of the mapping.

    Raises
    ------
    ImageDecodeError
        An image cannot be read; the error names it.

    Examples
    --------
    >>> from lookalike import load_encoder
    >>> embed(load_encoder("classic"), {"black": np.zeros((9, 9, 3), np.uint8)}).ids.tolist()
    ['black']
    """
    return Features(np.array(list(images), np.str_), encoder.encode(list(images.values()), on_progress))


def file_stamp(path: str | Path) -> tuple[int, int]:
    """Return size and modification time (ns) of a file, by which a change shows; (-1, -1) where there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 a Path per file takes longer than the question
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns
