"""Tar archives, as WebDataset writes them: a sample is the files that share a key, and one of them is its picture."""

from __future__ import annotations

import tarfile
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

from lookalike.core.errors import ImageDecodeError
from lookalike.core.file_store import StoredFile, refused
from lookalike.core.source_names import SourceName
from lookalike.images.folder import EXTENSIONS, ImageFile, hidden, printable
from lookalike.images.sources.ahead import fetched
from lookalike.images.sources.base import LARGEST, Held, Part
from lookalike.images.sources.shards import DamagedError, Listing, ShardSource

__all__ = ["TarSource"]

BLOCK = 512
LONGEST_HEADER = 2**20
"""Bytes of a long name or of further fields of a member; what says more would be read into memory."""

WINDOW, REMOTE_WINDOW = 2**14, 2**20
"""Bytes that are read at once while headers are looked for: a request to a store costs more than a call to a disk."""

OPEN = 16
"""Archives that are kept open."""


class TarSource(ShardSource):
    """Pictures in tar archives. The key of a sample is its id."""

    def __init__(self, name: SourceName) -> None:
        super().__init__(name)
        self._open: OrderedDict[tuple[str, int], Any] = OrderedDict()
        self._lock = threading.Lock()

    def listing(self, shard: StoredFile) -> Listing:
        """Read the headers; see `ShardSource.listing`."""
        with self._store.open(shard.path) as handle:
            return _listed(_Headers(handle, shard.size, REMOTE_WINDOW if self._store.remote else WINDOW))

    def contents(self, files: Sequence[ImageFile]) -> Iterator[Held]:
        """Read the bytes of each member, and no others."""
        return fetched(((file, Part(file.shard, file.place, file.size)) for file in files), self._read)

    def _read(self, file: ImageFile, part: Part) -> bytes:
        if part.size > LARGEST:
            raise ImageDecodeError(file.path, f"it has {part.size / 2**20:,.0f} MB (limit {LARGEST // 2**20} MB)")
        try:
            data: bytes = self._handle(file).read_at(part.size, part.offset) if part.size else b""
        except (OSError, RuntimeError) as error:
            raise ImageDecodeError(file.path, refused(error, f"cannot read {self._store.at(file.shard)}")) from None
        return data

    def _handle(self, file: ImageFile) -> Any:
        """Return an archive, open; as long as it is what was listed."""
        with self._lock:
            known = file.shard, file.mtime_ns
            if known not in self._open:
                if self._changed(file):
                    raise ImageDecodeError(file.path, "its archive has changed since it was listed: index it again")
                self._open[known] = self._store.open(file.shard)
                if len(self._open) > OPEN:
                    self._open.popitem(last=False)  # closed when nobody reads it any more
            self._open.move_to_end(known)
            return self._open[known]


class _Headers:
    """What `tarfile` reads headers by: a window on the archive, and nothing large."""

    def __init__(self, handle: Any, size: int, window: int) -> None:
        self._handle, self.size, self._window = handle, size, window
        self._at = self._start = 0
        self._data = b""

    def tell(self) -> int:
        return self._at

    def seek(self, at: int) -> int:
        self._at = at
        return at

    def read(self, count: int) -> bytes:
        if count > LONGEST_HEADER:
            raise tarfile.ReadError("a header is too long")
        first = self._at - self._start
        if first < 0 or first + count > len(self._data):
            self._start, first = self._at, 0
            self._data = self._handle.read_at(max(0, min(max(count, self._window), self.size - self._at)), self._at)
        found = self._data[first : first + count]
        self._at += len(found)
        return found


def _listed(headers: _Headers) -> Listing:
    """List the pictures of an archive as far as it is sound."""
    found, members, trouble = Listing(), [], ""
    try:
        # The type is what tarfile asks for, not what it needs.
        with tarfile.TarFile.open(fileobj=headers, mode="r:", errors="surrogateescape") as archive:  # type: ignore[call-overload]
            while not trouble and (member := archive.next()) is not None:
                archive.members = []  # which it would keep
                if member.size < 0 or member.offset_data + member.size > headers.size:
                    trouble = f"the archive is cut: it ends in {printable(member.name)}"
                elif member.isreg() and not member.issparse():
                    members.append((member.name, member.offset_data, member.size))
                else:
                    found.ignored += not member.isdir()
            trouble = trouble or _ending(headers, archive.offset)
    except (tarfile.TarError, ValueError, OverflowError) as error:
        if not members:
            raise DamagedError(_whole(error)) from error
        trouble = f"the archive is damaged: {error}"
    _pick(members, found)
    if trouble:
        found.rejected.append(("", f"{trouble}; {len(found.items):,} pictures before that are taken"))
    return found


def _whole(error: Exception) -> str:
    return "the archive is empty" if "empty" in str(error) else f"not a tar archive, or damaged ({error})"


def _ending(headers: _Headers, offset: int) -> str:
    """Say what is wrong where the members end: there should be zeros."""
    headers.seek(offset)
    block = headers.read(BLOCK)
    if len(block) < BLOCK:
        return "the archive is cut: it ends without the mark of an end"
    return f"the archive is damaged at byte {offset:,}" if block.strip(b"\0") else ""


def _pick(members: Sequence[tuple[str, int, int]], found: Listing) -> None:
    """Choose the picture of each sample.

    Of ``a/1.jpg`` and ``a/1.mask.png`` it is the first, whose ending is an image's and no more; a sample without such a
    one is no sample but files with dots in their names, ``photo.1.jpg`` and ``photo.2.jpg``, and all are taken.
    """
    pictures = []
    for name, place, size in members:
        folder, slash, last = name.removeprefix("./").rpartition("/")
        stem, dot, ending = last.partition(".")
        if stem and dot and f".{ending.rpartition('.')[2].lower()}" in EXTENSIONS and not hidden(folder):
            pictures.append((f"{folder}{slash}{stem}", ending, place, size))
        else:
            found.ignored += 1
    plain = {key for key, ending, *_ in pictures if "." not in ending}
    taken: set[str] = set()
    for key, ending, place, size in pictures:
        id_ = f"{key}.{ending.rpartition('.')[0]}" if "." in ending and key not in plain else key
        if "." in ending and key in plain:
            found.ignored += 1
        elif printable(id_) != id_:
            found.rejected.append((id_, "the name is not valid Unicode: rename the file"))
        elif id_ in taken:
            found.rejected.append((id_, "another picture of the archive has this key: the first is taken"))
        else:
            taken.add(id_)
            found.items.append((id_, place, size))
