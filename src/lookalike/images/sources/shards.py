"""Files that hold many pictures each: which there are, what is in them, and what is known of that from last time."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from lookalike.core.errors import InputError, StorageError
from lookalike.core.file_store import FileStore, StoredFile, refused
from lookalike.core.files import read_json, write_aside
from lookalike.core.progress import OnProgress, Progress
from lookalike.core.source_names import SourceName, source_name
from lookalike.images.folder import FolderScan, ImageFile, Rejected, printable
from lookalike.images.sources.ahead import READERS
from lookalike.images.sources.base import WHOLE, cut, elsewhere, relative

__all__ = ["DamagedError", "Listing", "ShardSource", "shard_files"]

FORMAT = 1
PARTS_AT_MOST = 8
"""How many parts of the usual size are read in one go, where a reader has to begin at a group's begin."""


class DamagedError(Exception):
    """A shard cannot be used, or no more of it than was read; the text says why."""


@dataclass(slots=True)
class Listing:
    """What is in a shard.

    Attributes
    ----------
    items : list of (str, int, int)
        Id, place and size (see `ImageFile`) of every picture, in the order of the places.
    rejected : list of (str, str)
        Ids of what cannot be a picture, and why; an empty id is the shard.
    ignored : int
        What else there is.
    groups : list of int
        Places at which a reader has to begin; empty where it may begin anywhere.
    """

    items: list[tuple[str, int, int]] = field(default_factory=list)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    ignored: int = 0
    groups: list[int] = field(default_factory=list)


class ShardSource:
    """What the sources of shards share; they say how one is listed and read.

    Paths of pictures are the path of the shard and the id in it; their time is the shard's, to the millisecond: what is
    below makes any other size, time or tag of the shard another stamp.

    Parameters
    ----------
    name : SourceName
    """

    def __init__(self, name: SourceName) -> None:
        self.name = name
        self._store = FileStore(name.base)
        self._groups: dict[str, list[int]] = {}

    def listing(self, shard: StoredFile) -> Listing:
        """List a shard.

        Raises
        ------
        DamagedError
            Nothing in it can be used.
        OSError
            It cannot be read.
        """
        raise NotImplementedError

    def inside(self, part: str | Path) -> tuple[str, ...]:
        """Return the beginnings of the paths in some of the shards, or in those below a folder."""
        named = source_name(part)
        below = relative(self.name.base, named.base)
        if named == self.name:
            return WHOLE
        if below is None or named.kind not in (self.name.kind, "pictures"):
            raise elsewhere(part, self.name)
        if named.kind == "pictures":
            return (below,)
        shards = [below + path for path in named.names or _fitting(FileStore(named.base), named)]
        if not all(map(self.name.fits, shards)):
            raise elsewhere(part, self.name)
        return tuple(f"{path}/" for path in shards)

    def look(self, beginnings: tuple[str, ...], keep: Path, on_progress: OnProgress) -> FolderScan:
        """List the pictures of all shards, in the order in which they stand there."""
        shards, missing = shard_files(self.name, beginnings)
        found = FolderScan([], [Rejected(path, "no such file") for path in missing], 0)
        stage = f"looking through {self.name.kind} files"
        on_progress(Progress(stage, 0, len(shards)))
        with ThreadPoolExecutor(READERS) as pool:
            listings = pool.map(lambda shard: self._listed(shard, keep), shards)
            for done, (shard, listing) in enumerate(zip(shards, listings, strict=True), 1):
                self._groups[shard.path] = listing.groups
                stamp = _stamp(shard)
                found.files.extend(
                    ImageFile(f"{shard.path}/{id_}", size, stamp, shard.path, place)
                    for id_, place, size in listing.items
                )
                found.rejected.extend(
                    Rejected(f"{shard.path}/{printable(id_)}".rstrip("/"), why) for id_, why in listing.rejected
                )
                found = dataclasses.replace(found, ignored=found.ignored + listing.ignored)
                on_progress(Progress(stage, done, len(shards), len(found.rejected)))
        return found

    def parts(self, files: Sequence[ImageFile], most: int) -> Iterator[Sequence[ImageFile]]:
        """Cut files where the groups of the shards begin, and groups that are large."""

        def group(file: ImageFile) -> tuple[str, int]:
            return file.shard, bisect_right(self._groups.get(file.shard, ()), file.place)

        if not any(self._groups.values()):
            yield from cut(files, most)
            return
        for _, some in groupby(files, group):
            yield from cut(list(some), PARTS_AT_MOST * most)

    def sees(self, file: ImageFile) -> bool:
        """Whether the shard is there."""
        return self._store.find(file.shard) is not None

    def _changed(self, file: ImageFile) -> bool:
        """Whether a shard is not what was listed: then places in it mean nothing."""
        found = self._store.find(file.shard)
        return found is None or _stamp(found) != file.mtime_ns

    def _listed(self, shard: StoredFile, keep: Path) -> Listing:
        """List a shard, or read the list that was kept of it as it is."""
        digest = hashlib.sha256(f"{self.name.kind} {self._store.at(shard.path)}".encode()).hexdigest()[:24]
        file = keep / f"{digest}.json"
        stamp = [str(FORMAT), str(shard.size), str(shard.mtime_ns), shard.tag]
        kept = _kept(file, stamp)
        if kept is not None:
            return kept
        try:
            listing = self.listing(shard)
        except DamagedError as error:
            return Listing(rejected=[("", str(error))])
        except OSError as error:
            return Listing(rejected=[("", refused(error, f"cannot read {self._store.at(shard.path)}"))])
        with write_aside(file) as aside:
            aside.write_text(json.dumps({"stamp": stamp, **dataclasses.asdict(listing)}), encoding="utf-8")
        return listing


def _kept(file: Path, stamp: list[str]) -> Listing | None:
    try:
        raw: Any = read_json(file) if file.is_file() else None
        if raw is None or raw.pop("stamp") != stamp:
            return None
        raw["items"] = [(str(id_), int(place), int(size)) for id_, place, size in raw["items"]]
        return Listing(**raw)
    except (InputError, StorageError, AttributeError, KeyError, TypeError, ValueError):
        return None  # damaged: it is made again


def shard_files(name: SourceName, beginnings: tuple[str, ...] = WHOLE) -> tuple[list[StoredFile], list[str]]:
    """Return the files of a source, those below some paths, and what it names and is not there.

    Raises
    ------
    InputError
        There is none.
    StorageError
        They cannot be looked for.

    Examples
    --------
    >>> shard_files(SourceName("tar", "/no/such", "x.tar"))
    Traceback (most recent call last):
    lookalike.core.errors.InputError: there is no file /no/such/x.tar: correct the name
    """
    store = FileStore(name.base)
    wanted = [path for path in name.names or _fitting(store, name) if f"{path}/".startswith(beginnings)]
    with ThreadPoolExecutor(READERS) as pool:
        there = dict(zip(wanted, pool.map(store.find, wanted), strict=True))
    shards = [file for file in there.values() if file is not None]
    if not shards:
        raise InputError(f"there is no file {name.text}: correct the name")
    return shards, [path for path, file in there.items() if file is None]


def _fitting(store: FileStore, name: SourceName) -> list[str]:
    """Return the files below a base that fit a pattern; hidden ones are none."""
    return [
        file.path
        for file in store.files(deep="/" in name.pattern)
        if name.fits(file.path) and not any(part.startswith((".", "_")) for part in file.path.split("/"))
    ]


def _stamp(shard: StoredFile) -> int:
    exact = hashlib.sha256(f"{shard.size} {shard.mtime_ns} {shard.tag}".encode()).digest()
    return shard.mtime_ns // 1_000_000 * 1_000_000 + int.from_bytes(exact[:8], "big") % 1_000_000
