"""What pictures are indexed from, as people write it: a folder, an address, Parquet files or tar archives.

=============================================  ========================================================
``photos/``, ``s3://bucket/photos``            the picture files below it
``shards/train.tar``, ``data/train.parquet``   the pictures in that file
``shards-{000..009}.tar``, ``{a,b}.parquet``   those in each of these files
``data/*.tar``, ``s3://bucket/**/*.parquet``   those in all files that fit: ``*`` within a folder, ``**/`` below
=============================================  ========================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

from lookalike.core.errors import InputError
from lookalike.core.object_store import address_of

__all__ = ["SHARDS", "Kind", "SourceName", "source_name"]

Kind: TypeAlias = Literal["pictures", "parquet", "tar"]

SHARDS: tuple[Kind, Kind] = ("parquet", "tar")
"""Files that hold many pictures, by their ending."""

MOST_NAMES = 100_000
_PACKED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".zip", ".gz")


@dataclass(frozen=True)
class SourceName:
    """A source, parsed.

    Attributes
    ----------
    kind : {"pictures", "parquet", "tar"}
    base : str
        The folder, absolute, or the address that all paths are relative to.
    pattern : str
        Which files below `base` hold the pictures; empty where the files are the pictures.
    """

    kind: Kind
    base: str
    pattern: str = ""

    @property
    def text(self) -> str:
        """The source as one line, which `source_name` reads back."""
        return f"{self.base.rstrip('/')}/{self.pattern}" if self.pattern else self.base

    @property
    def folder(self) -> Path | None:
        """The folder of the picture files; None where the pictures are no files of this machine."""
        return Path(self.base) if self.kind == "pictures" and address_of(self.base) is None else None

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """The files that the pattern names one by one; None where they have to be looked for."""
        return None if "*" in self.pattern else _expanded(self.pattern)

    def fits(self, path: str) -> bool:
        """Whether a file below `base` holds pictures of this source.

        Examples
        --------
        >>> [source_name("/data/**/*-{0..1}.tar").fits(path) for path in ("a-0.tar", "in/a-1.tar", "a-2.tar")]
        [True, True, False]
        """
        return self._form.fullmatch(path) is not None

    @cached_property
    def _form(self) -> re.Pattern[str]:
        parts = {"**/": "(?:.*/)?", "*": "[^/]*"}
        forms = ["".join(parts.get(one, re.escape(one)) for one in _split(name)) for name in _expanded(self.pattern)]
        return re.compile("|".join(forms), re.DOTALL)


def source_name(text: str | Path) -> SourceName:
    """Parse a source. Nothing but this machine's folders is looked at.

    Raises
    ------
    InputError
        It is an address of another kind, or a packed archive.

    Examples
    --------
    >>> source_name("s3://bucket/shards-{000..009}.tar")
    SourceName(kind='tar', base='s3://bucket', pattern='shards-{000..009}.tar')
    >>> source_name("s3://bucket/photos").text
    's3://bucket/photos'
    """
    given = str(text) if isinstance(text, str) else text.as_posix()
    # Looked at before what is a pattern: an address has a bucket, and a folder may be called {a}.tar.
    where = address_of(given)
    if where is None and Path(given).is_dir():
        return SourceName("pictures", Path(given).resolve().as_posix())
    whole = where or Path(given).as_posix()
    base, pattern = _parted(whole, literal=where is None and Path(given).is_file())
    ending = whole.lower()
    kind: Kind = "tar" if ending.endswith(".tar") else "parquet" if ending.endswith(".parquet") else "pictures"
    if ending.endswith(_PACKED):
        raise InputError(f"{given} is packed, and pictures in it cannot be read one by one: unpack it to a .tar")
    if kind == "pictures":
        return SourceName(kind, where or Path(given).resolve().as_posix())
    if where is None:
        base = Path(base).resolve().as_posix()
    if not pattern:
        base, _, pattern = (where or Path(given).resolve().as_posix()).rpartition("/")
    return SourceName(kind, base, pattern)


def _parted(whole: str, literal: bool) -> tuple[str, str]:
    """Part a text before the first folder or file that is a pattern."""
    parts = whole.split("/")
    first = next((number for number, part in enumerate(parts) if re.search(r"[*{]", part)), None)
    if first is None or literal:
        return whole, ""
    return "/".join(parts[:first]) or ("/" if whole.startswith("/") else "."), "/".join(parts[first:])


def _split(name: str) -> list[str]:
    return [part for part in re.split(r"(\*\*/|\*)", name) if part]


def _expanded(pattern: str) -> tuple[str, ...]:
    """Write out ``{a,b}`` and ``{000..009}``, as shells do; sorted.

    Examples
    --------
    >>> _expanded("{a,b}-{08..10}.tar")
    ('a-08.tar', 'a-09.tar', 'a-10.tar', 'b-08.tar', 'b-09.tar', 'b-10.tar')
    """
    names = [""]
    for part in re.split(r"(\{[^{}]*\})", pattern):
        choices = _choices(part)
        if len(names) * len(choices) > MOST_NAMES:
            raise InputError(f"{pattern} names more than {MOST_NAMES:,} files: use *, or several workspaces")
        names = [name + choice for name in names for choice in choices]
    return tuple(sorted(set(names)))


def _choices(part: str) -> list[str]:
    if numbers := re.fullmatch(r"\{(\d+)\.\.(\d+)\}", part):
        first, last = sorted(numbers.groups(), key=int)
        if int(last) - int(first) >= MOST_NAMES:
            raise InputError(f"{part} names more than {MOST_NAMES:,} files: use *, or several workspaces")
        width = max(map(len, numbers.groups())) if any(one.startswith("0") for one in numbers.groups()) else 0
        return [f"{number:0{width}d}" for number in range(int(first), int(last) + 1)]
    return part[1:-1].split(",") if re.fullmatch(r"\{[^{}]*,[^{}]*\}", part) else [part]
