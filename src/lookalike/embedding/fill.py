"""The loop that turns files into rows of the collection: read, decode and encode, overlapped.

Every lane takes a batch of files through all steps, so the lanes stay busy whatever is slow: the disk, the decoder
or the network. The caller writes what comes out while the lanes go on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Container, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

from lookalike.core.errors import ImageDecodeError
from lookalike.core.lanes import in_lanes
from lookalike.core.types import Pixels
from lookalike.core.vectors import unit_rows
from lookalike.embedding.encoder import Encoder
from lookalike.encoders.spec import EncoderSpec
from lookalike.images.decode import READ_WHOLE, decode, fit, read_bytes, thumbnail
from lookalike.images.folder import UNKNOWN, ImageFile, Rejected
from lookalike.images.reading import hash_file
from lookalike.images.sources.base import Content, Held, ImageSource, cut
from lookalike.search.image_rows import ImageRow

__all__ = ["Filled", "Filling", "Prepared", "Waiting", "fill", "finish", "opened", "prepare"]


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

    def extend(self, other: Filled) -> None:
        """Take in what became of another batch."""
        self.rows.extend(other.rows)
        self.known.extend(other.known)
        self.rejected.extend(other.rejected)
        self.failed.extend(other.failed)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A decoded file that waits for its vector."""

    file: ImageFile
    digest: str
    width: int
    height: int
    format: str
    thumbnail: bytes
    pixels: Pixels


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch of files that have been read.

    Attributes
    ----------
    waiting : list of Waiting
        What is to be encoded.
    filled : Filled
        What became of the others.
    """

    waiting: list[Waiting] = field(default_factory=list)
    filled: Filled = field(default_factory=Filled)


class Filling(Protocol):
    """Whoever takes files through all steps: `fill` in threads of this process, others elsewhere."""

    def __call__(
        self, encoder: Encoder, source: ImageSource, files: Sequence[ImageFile], encoded: Collection[str], /
    ) -> Iterator[Filled]:
        """Encode files, in batches, in any order; every file is in one batch. See `fill`."""


def fill(
    encoder: Encoder, source: ImageSource, files: Sequence[ImageFile], encoded: Collection[str]
) -> Iterator[Filled]:
    """Encode files, batch by batch, in the order in which the batches finish.

    Parameters
    ----------
    encoder : Encoder
    source : ImageSource
        What the files are of.
    files : sequence of ImageFile
    encoded : collection of str
        Hashes of content that needs no encoding.
    """

    def work(batch: Sequence[Held]) -> Filled:
        return finish(encoder, prepare(encoder.spec, batch, encoded))

    size = encoder.spec.batch
    dealt = (batch for part in source.parts(files, size) for batch in cut(part, size))
    with closing(opened(source, files, dealt)) as held:
        yield from in_lanes(work, held, encoder.lanes)


def opened(
    source: ImageSource, files: Sequence[ImageFile], dealt: Iterator[Sequence[ImageFile]]
) -> Generator[Sequence[Held]]:
    """Give batches with what their files hold; `files` are those of the batches, in their order."""
    contents = source.contents(files)
    try:
        for batch in dealt:
            yield list(islice(contents, len(batch)))
    finally:
        if isinstance(contents, Generator):  # what is read ahead is let go
            contents.close()


def prepare(spec: EncoderSpec, batch: Sequence[Held], encoded: Container[str]) -> Prepared:
    """Decode a batch of files; see `fill`. It needs the card of an encoder, not the encoder."""
    prepared = Prepared()
    for file, content in batch:
        try:
            _read(spec, file, content, encoded, prepared)
        except ImageDecodeError as error:
            prepared.filled.rejected.append(Rejected(file.path, error.reason))
    return prepared


def _read(spec: EncoderSpec, file: ImageFile, held: Content, encoded: Container[str], prepared: Prepared) -> None:
    if isinstance(held, ImageDecodeError):
        raise held
    content: bytes | Path = held() if callable(held) else held
    if isinstance(content, bytes):
        digest = hashlib.sha256(content).hexdigest()
        file = replace(file, size=len(content)) if file.size == UNKNOWN else file
    elif file.size <= READ_WHOLE:
        content = read_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
    else:  # a large file is never held whole: it is hashed piece by piece and decoded from disk
        digest = hash_file(content)
    if digest in encoded:
        prepared.filled.known.append((file, digest))
        return
    picture = decode(content, min_side=min(spec.input_size))
    small = thumbnail(picture.image)
    pixels = fit(picture.image, spec.input_size, spec.resize)
    prepared.waiting.append(Waiting(file, digest, picture.width, picture.height, picture.format, small, pixels))


def finish(encoder: Encoder, prepared: Prepared) -> Filled:
    """Give the decoded files of a batch their vectors."""
    out, waiting = prepared.filled, prepared.waiting
    if not waiting:
        return out
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
                width=ready.width,
                height=ready.height,
                format=ready.format,
                thumbnail=ready.thumbnail,
                vector=vector,
            )
        )
    return out
