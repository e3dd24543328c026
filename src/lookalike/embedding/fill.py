"""The loop that turns files into rows of the collection: read, decode and encode, overlapped.

Every lane takes a batch of files through all steps, so the lanes stay busy whatever is slow: the disk, the decoder
or the network. The caller writes what comes out while the lanes go on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lookalike.core.errors import ImageDecodeError
from lookalike.core.lanes import in_lanes
from lookalike.core.types import Pixels
from lookalike.core.vectors import unit_rows
from lookalike.embedding.encoder import Encoder
from lookalike.images.decode import READ_WHOLE, Picture, decode, fit, read_bytes, thumbnail
from lookalike.images.folder import ImageFile, Rejected
from lookalike.images.reading import hash_file
from lookalike.search.store import ImageRow

__all__ = ["Filled", "fill"]


@dataclass(frozen=True, slots=True)
class Filled:
    """What became of one batch of files.

    Attributes
    ----------
    rows : list of ImageRow
        Encoded images.
    known : list of (ImageFile, str)
        Files whose content, named by its hash, the collection has encoded before.
    rejected : list of Rejected
        Files that cannot be read, and why.
    failed : list of (ImageFile, str)
        Files that can be read, but for which the encoder gives no vector, and why.
    """

    rows: list[ImageRow] = field(default_factory=list)
    known: list[tuple[ImageFile, str]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    failed: list[tuple[ImageFile, str]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.rows) + len(self.known) + len(self.rejected) + len(self.failed)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A decoded file that waits for its vector."""

    file: ImageFile
    digest: str
    picture: Picture
    thumbnail: bytes
    pixels: Pixels


def fill(encoder: Encoder, root: Path, files: Sequence[ImageFile], encoded: Container[str]) -> Iterator[Filled]:
    """Encode files, batch by batch, in the order in which the batches finish.

    Parameters
    ----------
    encoder : Encoder
    root : Path
        The folder that the files' paths are relative to.
    files : sequence of ImageFile
    encoded : container of str
        Hashes of content that needs no encoding.
    """

    def work(batch: Sequence[ImageFile]) -> Filled:
        out = Filled()
        waiting = [ready for file in batch if (ready := _prepare(encoder, root, file, encoded, out))]
        _encode(encoder, waiting, out)
        return out

    size = encoder.spec.batch
    batches = (files[start : start + size] for start in range(0, len(files), size))
    return in_lanes(work, batches, encoder.lanes)


def _prepare(encoder: Encoder, root: Path, file: ImageFile, encoded: Container[str], out: Filled) -> _Prepared | None:
    """Read and decode one file; what needs no vector goes to `out` at once."""
    spec = encoder.spec
    try:
        path = root / file.path
        # A large file is never held whole: it is hashed piece by piece and decoded from disk.
        data = read_bytes(path) if file.size <= READ_WHOLE else None
        digest = hash_file(path) if data is None else hashlib.sha256(data).hexdigest()
        if digest in encoded:
            out.known.append((file, digest))
            return None
        picture = decode(path if data is None else data, min_side=min(spec.input_size))
        small = thumbnail(picture.image)
        return _Prepared(file, digest, picture, small, fit(picture.image, spec.input_size, spec.resize))
    except ImageDecodeError as error:
        out.rejected.append(Rejected(file.path, error.reason))
        return None


def _encode(encoder: Encoder, waiting: list[_Prepared], out: Filled) -> None:
    """Give the decoded files their vectors."""
    if not waiting:
        return
    features = encoder.forward(np.stack([ready.pixels for ready in waiting]))
    sound = [bool(np.isfinite(feature).all()) for feature in features]
    for ready, vector, good in zip(waiting, unit_rows(features), sound, strict=True):
        if not good:
            out.failed.append((ready.file, f"the encoder {encoder.name} gives no finite numbers for it"))
            continue
        out.rows.append(
            ImageRow(
                path=ready.file.path,
                hash=ready.digest,
                size=ready.file.size,
                mtime_ns=ready.file.mtime_ns,
                width=ready.picture.width,
                height=ready.picture.height,
                format=ready.picture.format,
                thumbnail=ready.thumbnail,
                vector=vector,
            )
        )
