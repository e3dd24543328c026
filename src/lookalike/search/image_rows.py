"""The rows of the table of images: what they hold, and how they are laid out in columns."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from lookalike.core.types import Vectors
from lookalike.search.commits import KEY

__all__ = ["BASE_FIELDS", "ImageRow", "StoredImage", "laid_out", "matrix", "vector_column"]

BASE_FIELDS = (
    pa.field("path", pa.string(), nullable=False, metadata=KEY),
    pa.field("hash", pa.string(), nullable=False),
    pa.field("size", pa.int64(), nullable=False),
    pa.field("mtime_ns", pa.int64(), nullable=False),
    pa.field("width", pa.int32(), nullable=False),
    pa.field("height", pa.int32(), nullable=False),
    pa.field("format", pa.string(), nullable=False),
    pa.field("thumbnail", pa.binary(), nullable=False),
    pa.field("removed", pa.bool_(), nullable=False),
)


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image to write: what is known of the file, its thumbnail and its vector.

    Attributes
    ----------
    path : str
        POSIX path relative to the collection root.
    hash : str
        SHA-256 of the file's bytes, in hexadecimal.
    size, mtime_ns : int
        Of the file, in bytes and nanoseconds.
    width, height : int
        Of the upright picture, in pixels.
    format : str
        ``"JPEG"``, ``"PNG"`` …
    thumbnail : bytes
        A JPEG, its longer side at most 256 pixels.
    vector : float32 (D,)
        Unit norm.
    """

    path: str
    hash: str
    size: int
    mtime_ns: int
    width: int
    height: int
    format: str
    thumbnail: bytes
    vector: Vectors


@dataclass(frozen=True, slots=True)
class StoredImage:
    """What the table knows of one image, without pictures and vectors."""

    hash: str
    size: int
    mtime_ns: int
    removed: bool
    has_vector: bool


def vector_column(name: str, fingerprint: str) -> str:
    """Name the column of an encoder's vectors; another fingerprint is another column, another folder is not.

    Examples
    --------
    >>> vector_column("onnx:/nets/Mobile Net.onnx", "abc")
    'vector_mobile_net_onnx_ba7816bf'
    """
    last = re.split(r"[/\\\\]", name.lower())[-1]
    slug = re.sub(r"[^a-z0-9]+", "_", last).strip("_")[:40].strip("_")
    return f"vector_{slug}_{hashlib.sha256(fingerprint.encode()).hexdigest()[:8]}"


def laid_out(column: str, rows: Sequence[ImageRow]) -> pa.Table:
    """Lay rows out by column, with their vectors in `column`; the images are there, not removed.

    Examples
    --------
    >>> row = ImageRow("a.jpg", "0" * 64, 9, 0, 4, 3, "JPEG", b"", np.ones(2, np.float32))
    >>> laid_out("vector_x", [row]).select(["path", "removed", "vector_x"]).to_pylist()
    [{'path': 'a.jpg', 'removed': False, 'vector_x': [1.0, 1.0]}]
    """
    arrays = {
        field.name: pa.array([getattr(row, field.name) for row in rows], field.type)
        for field in BASE_FIELDS
        if field.name != "removed"
    }
    arrays["removed"] = pa.array([False] * len(rows))
    arrays[column] = _fixed_size(np.stack([row.vector for row in rows]))
    return pa.table(arrays)


def _fixed_size(vectors: Vectors) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(vectors, np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])


def matrix(array: Any) -> Vectors:
    """Return a column of lists of one size, none of them absent, as float32 (N, D).

    Examples
    --------
    >>> matrix(pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2))).tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    flat = array.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat.reshape(len(array), array.type.list_size), np.float32)
