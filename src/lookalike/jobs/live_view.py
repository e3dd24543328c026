"""One version of a collection that is held open: what has been read of it, and pictures as its encoders take them."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
import pyarrow as pa
from PIL import Image

from lookalike.core.errors import ImageDecodeError, InputError
from lookalike.core.types import Rows, Vectors
from lookalike.core.workspace import WorkspaceConfig
from lookalike.embedding.collection import Collection, Hit
from lookalike.embedding.encoder import Encoder, ImageLike
from lookalike.embedding.feature_sets import encode_set
from lookalike.embedding.image_filter import ImageFilter
from lookalike.images.crop import Box, decode_part
from lookalike.images.decode import decode
from lookalike.jobs.stored_pictures import as_indexed
from lookalike.search.image_rows import ImageRow
from lookalike.search.store import ImageTable

__all__ = ["Cut", "NotHeldError", "Picture", "Upload", "View", "smallest_side"]

THUMBNAILS_KEPT = 2048
LISTS_KEPT = 64

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture that is no file here: its name, for messages, and the content of the file."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A part of a picture, or of an image of the collection."""

    picture: Upload | str
    box: Box


Picture: TypeAlias = Upload | str | Cut


class NotHeldError(InputError):
    """The collection holds no image of that path."""


@dataclass(eq=False)
class View:
    """One version of the table, with what has been read of it."""

    config: WorkspaceConfig
    encoder: Encoder
    table: ImageTable
    column: str
    collection: Collection
    filter: ImageFilter
    paths: list[str] = field(default_factory=list)
    lists: deque[list[str]] = field(default_factory=lambda: deque(maxlen=LISTS_KEPT))
    kept: OrderedDict[str, bytes] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def vector(self, picture: Picture) -> Vectors:
        """Return the unit vector of a picture, or of an image that is held."""
        if isinstance(picture, str):
            return self._stored(picture)
        return self._read(picture, lambda: self.encoder.vector(self._source(picture, [self.encoder])))

    def _stored(self, image: str) -> Vectors:
        """Return the vector of an image that is held."""
        place = bisect_left(self.paths, image)
        if self.holds(image):
            # The path is compared, since rows move when the table goes on to another version.
            for paths, vectors in self.table.taken(self.column, self.row_ids[place : place + 1].tolist()):
                if paths == [image]:
                    return np.asarray(vectors[0])
        return self.row(image).vector

    @cached_property
    def row_ids(self) -> Rows:
        """Where the row of each path is: to scan the table for one takes many times as long as the search."""
        ids = dict(self.table.row_ids(self.column))
        return np.array([ids[path] for path in self.paths if path in ids], np.int64)

    def features(self, encoders: Sequence[Encoder], picture: Picture) -> Vectors:
        """Return the features of a picture, or of the file of an image that is held, side by side, float32 (1, D)."""
        return self._read(picture, lambda: encode_set(encoders, [self._source(picture, encoders)]))

    def decoded(self, picture: Picture, side: int) -> Image.Image:
        """Return a picture, upright, with as many pixels as its shorter side needs."""
        if isinstance(picture, Cut):
            return self._read(picture, lambda: decode_part(self._content(picture.picture), picture.box, side))
        return self._read(picture, lambda: decode(self._content(picture), side).image)

    def _source(self, picture: Picture, encoders: Sequence[Encoder]) -> ImageLike:
        if isinstance(picture, Cut):
            return self.decoded(picture, smallest_side(encoders))
        return self._content(picture)

    def _content(self, picture: Upload | str) -> Path | bytes:
        if isinstance(picture, Upload):
            return picture.content
        return as_indexed(self.collection.original(picture), self.row(picture))

    def _read(self, picture: Picture, read: Callable[[], Read]) -> Read:
        """Read, and name what cannot be read as those who asked know it."""
        try:
            return read()
        except ImageDecodeError as error:
            whole = picture.picture if isinstance(picture, Cut) else picture
            raise ImageDecodeError(whole if isinstance(whole, str) else whole.name, error.reason) from error

    def fitting(self, where: str | None) -> pa.Array | None:
        """Return the paths of the images that fit a filter; None where there is none."""
        if where is None:
            return None
        with self.lock:
            return self.filter.paths(where)

    def row(self, image: str) -> ImageRow:
        """Return what the table knows of an image."""
        row = self.table.rows(self.column, [image]).get(image) if self.holds(image) else None
        if row is None:
            raise NotHeldError(f"the collection holds no image {image}")
        return row

    def present(self, hits: list[Hit]) -> list[Hit]:
        """Return those of this version: what was made of an older one may still find images that are gone."""
        return [hit for hit in hits if self.holds(hit.image)]

    def holds(self, image: str) -> bool:
        """Whether an image is in this version."""
        place = bisect_left(self.paths, image)
        return place < len(self.paths) and self.paths[place] == image

    def listed(self, hits: list[Hit]) -> list[Hit]:
        """Remember what is about to be shown together, and return it."""
        self.lists.append([hit.image for hit in hits])
        return hits

    def thumbnail(self, image: str) -> bytes | None:
        """Read a thumbnail, and with it those of the list it was shown in: a page asks for all, one scan gives all."""
        if not self.holds(image):
            return None
        with self.lock:
            if image not in self.kept:
                beside = next((shown for shown in reversed(list(self.lists)) if image in shown), [image])
                self.kept.update(self.table.thumbnails(beside))
                if image in self.kept:
                    self.kept.move_to_end(image)
                while len(self.kept) > THUMBNAILS_KEPT:
                    self.kept.popitem(last=False)
            return self.kept.get(image)


def smallest_side(encoders: Sequence[Encoder]) -> int:
    """Return how many pixels encoders want of the shorter side of a picture."""
    return max(min(encoder.spec.input_size) for encoder in encoders)
