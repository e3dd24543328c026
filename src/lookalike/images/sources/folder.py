"""A folder of picture files on this machine, and picture files below the address of an object store."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from lookalike.core.errors import InputError
from lookalike.core.file_store import FileStore, StoredFile, refused
from lookalike.core.progress import OnProgress, Progress
from lookalike.core.source_names import SourceName, source_name
from lookalike.images.folder import EXTENSIONS, FolderScan, ImageFile, extension, hidden, scan
from lookalike.images.sniff import sniff
from lookalike.images.sources.ahead import READERS, fetched, read_part
from lookalike.images.sources.base import WHOLE, Held, Part, cut, elsewhere, relative

__all__ = ["FolderSource", "PrefixSource"]


class FolderSource:
    """The picture files below a folder, which those who decode them open themselves.

    Parameters
    ----------
    name : SourceName
    """

    def __init__(self, name: SourceName) -> None:
        self.name = name

    def inside(self, part: str | Path) -> tuple[str, ...]:
        """Return the beginning of the paths of a folder; links are followed, but one inside keeps its own name."""
        base, given = Path(self.name.base), Path(part)
        if source_name(part).folder is None:
            raise elsewhere(part, self.name)
        for candidate in (Path(os.path.abspath(given)), given.parent.resolve() / given.name, given.resolve()):  # noqa: PTH100
            below = relative(base.as_posix(), candidate.as_posix())
            if below is not None:
                return (below,)
        raise elsewhere(part, self.name)

    def look(self, beginnings: tuple[str, ...], keep: Path, on_progress: OnProgress) -> FolderScan:  # noqa: ARG002
        """List the pictures of a folder, sorted by path; see `lookalike.images.folder.scan`."""
        (below,) = beginnings
        on_progress(Progress("looking through the folder", 0, 0))
        found = scan(Path(self.name.base) / below)
        return FolderScan(
            [replace(file, path=below + file.path) for file in found.files] if below else found.files,
            [replace(entry, path=below + entry.path) for entry in found.rejected] if below else found.rejected,
            found.ignored,
        )

    def contents(self, files: Sequence[ImageFile]) -> Iterator[Held]:
        """Give the files; large ones are never held whole."""
        base = Path(self.name.base)
        return ((file, base / file.path) for file in files)

    def parts(self, files: Sequence[ImageFile], most: int) -> Iterator[Sequence[ImageFile]]:
        """Cut files into parts of a size."""
        return cut(files, most)

    def sees(self, file: ImageFile) -> bool:
        """Whether the file is there."""
        return (Path(self.name.base) / file.path).exists()


class PrefixSource:
    """The picture files below an address, fetched ahead of those who decode them.

    Parameters
    ----------
    name : SourceName
    """

    def __init__(self, name: SourceName) -> None:
        self.name = name
        self._store = FileStore(name.base)

    def inside(self, part: str | Path) -> tuple[str, ...]:
        """Return the beginning of the paths below an address."""
        named = source_name(part)
        below = relative(self.name.base, named.base)
        if below is None or named.kind != "pictures":
            raise elsewhere(part, self.name)
        return (below,)

    def look(self, beginnings: tuple[str, ...], keep: Path, on_progress: OnProgress) -> FolderScan:  # noqa: ARG002
        """List the pictures by the endings of their names, or, where there is none, by their first bytes."""
        (below,) = beginnings
        on_progress(Progress(f"looking through {self.name.base}", 0, 0))
        listed = [file for file in self._store.files(below.rstrip("/")) if not hidden(file.path)]
        files = [file for file in listed if extension(_last(file.path)) in EXTENSIONS]
        files += self._pictures(file for file in listed if not extension(_last(file.path)))
        if not files and beginnings == WHOLE:
            raise InputError(f"there are no pictures below {self.name.base}: correct the address")
        files.sort(key=lambda file: file.path)
        found = [ImageFile(file.path, file.size, file.mtime_ns) for file in files]
        return FolderScan(found, [], len(listed) - len(files))

    def _pictures(self, files: Iterable[StoredFile]) -> list[StoredFile]:
        """Return the files that begin like pictures."""

        def begins(file: StoredFile) -> bool:
            try:
                return file.size > 0 and sniff(self._store.read(file.path, 0, min(64, file.size))) is not None
            except (OSError, RuntimeError) as error:
                refused(error, f"cannot read {self._store.at(file.path)}")
                return False

        given = list(files)
        with ThreadPoolExecutor(READERS) as pool:
            return [file for file, good in zip(given, pool.map(begins, given), strict=True) if good]

    def contents(self, files: Sequence[ImageFile]) -> Iterator[Held]:
        """Fetch the files."""
        wanted = ((file, Part(self._store.at(file.path))) for file in files)
        return fetched(wanted, lambda _, part: read_part(part))

    def parts(self, files: Sequence[ImageFile], most: int) -> Iterator[Sequence[ImageFile]]:
        """Cut files into parts of a size."""
        return cut(files, most)

    def sees(self, file: ImageFile) -> bool:
        """Whether the file is there."""
        return self._store.find(file.path) is not None


def _last(path: str) -> str:
    return path.rpartition("/")[2]
