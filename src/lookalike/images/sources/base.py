"""What a source of pictures is: a list of them, and their contents in that order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from lookalike.core.errors import ImageDecodeError, InputError
from lookalike.core.progress import OnProgress
from lookalike.core.source_names import SourceName
from lookalike.images.folder import FolderScan, ImageFile

__all__ = ["LARGEST", "WHOLE", "Content", "Held", "ImageSource", "Part", "cut", "elsewhere", "relative"]

LARGEST = 128 * 2**20
"""Bytes of a picture that is no file of this machine: it is held in memory whole."""

WHOLE = ("",)
"""The beginnings of all paths."""


@dataclass(frozen=True, slots=True)
class Part:
    """Where the content of a picture has to be fetched from.

    Attributes
    ----------
    address : str
        A file: a path, or ``s3://bucket/key``.
    offset, size : int
        The part of it; a size of 0 is all of it.
    """

    address: str
    offset: int = 0
    size: int = 0


Content: TypeAlias = bytes | Path | Callable[[], bytes] | ImageDecodeError
"""What a picture holds; a file that does; who reads it, where it is large; or why it cannot be had."""

Held: TypeAlias = tuple[ImageFile, Content]


class ImageSource(Protocol):
    """Pictures of one kind in one place."""

    name: SourceName

    def inside(self, part: str | Path) -> tuple[str, ...]:
        """Return the beginnings of the paths of a part of the source; `WHOLE` for all of it.

        Raises
        ------
        InputError
            It is no part of it.
        """

    def look(self, beginnings: tuple[str, ...], keep: Path, on_progress: OnProgress) -> FolderScan:
        """List the pictures whose paths begin so, in the order in which they are best read.

        What takes long to find out is kept in the folder `keep`, and used again while the files are unchanged.

        Raises
        ------
        InputError
            The source is not there.
        StorageError
            It cannot be listed.
        """

    def contents(self, files: Sequence[ImageFile]) -> Iterator[Held]:
        """Give what files hold, in their order; a little is read ahead.

        Raises
        ------
        StorageError
            The object store does not answer, or does not let us in.
        """

    def parts(self, files: Sequence[ImageFile], most: int) -> Iterator[Sequence[ImageFile]]:
        """Cut files, in the order of the listing, into parts that are well read by one reader each.

        A part begins with a file of the listing that does not depend on `most`, or after a multiple of `most`.
        """

    def sees(self, file: ImageFile) -> bool:
        """Whether a picture, or the file that holds it, can be seen from this machine."""


def cut(files: Sequence[ImageFile], most: int) -> Iterator[Sequence[ImageFile]]:
    """Cut files into parts of a size.

    Examples
    --------
    >>> [len(part) for part in cut([ImageFile("a.jpg", 1, 1)] * 5, 2)]
    [2, 2, 1]
    """
    return (files[start : start + most] for start in range(0, len(files), most))


def relative(base: str, where: str) -> str | None:
    """Return where a folder or an address is below another, with a ``/`` at its end; None where it is elsewhere.

    Examples
    --------
    >>> relative("s3://bucket/a", "s3://bucket/a/b"), relative("/a", "/a"), relative("/a", "/ab")
    ('b/', '', None)
    """
    base, where = base.rstrip("/") + "/", where.rstrip("/") + "/"
    return where[len(base) :] if where.startswith(base) else None


def elsewhere(part: str | Path, name: SourceName) -> InputError:
    """Say that something is no part of a source.

    Examples
    --------
    >>> str(elsewhere("s3://b/x", SourceName("pictures", "s3://a")))[:52]
    's3://b/x is not inside s3://a, where the pictures of'
    """
    shown = re.sub(r"^s3:/+", "s3://", str(part))
    return InputError(
        f"{shown} is not inside {name.text}, where the pictures of this collection are: "
        "use another workspace (--workspace) for them"
    )
