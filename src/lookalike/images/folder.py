"""What is in a folder of photos: the images, and what looked like one and why it is not."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from lookalike.core.errors import InputError
from lookalike.images.reading import os_reason
from lookalike.images.sniff import sniff

__all__ = [
    "EXTENSIONS",
    "UNKNOWN",
    "FolderScan",
    "ImageFile",
    "Rejected",
    "extension",
    "hidden",
    "printable",
    "scan",
]

UNKNOWN = -1
"""A size that is not known before the picture is read."""

EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .gif .bmp .tif .tiff .avif .heic .heif".split()  # noqa: SIM905 - readable
)
"""Endings, in lower case, of files that are taken for images."""

_SKIPPED = frozenset({"__MACOSX"})
_SPECIAL = {
    stat.S_IFIFO: "a named pipe, not a file",
    stat.S_IFSOCK: "a socket, not a file",
    stat.S_IFCHR: "a device, not a file",
    stat.S_IFBLK: "a device, not a file",
}


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file that is, by its name, an image; or a picture inside a file that holds many.

    Attributes
    ----------
    path : str
        Relative to the folder, with ``/`` between the parts; valid Unicode.
    size : int
        Bytes; `UNKNOWN` where that shows when it is read.
    mtime_ns : int
        When it was last changed, in nanoseconds since 1970.
    shard : str
        The path of the file that holds it; empty where it is a file of its own.
    place : int
        Where in that: its first byte, or its row.
    """

    path: str
    size: int
    mtime_ns: int
    shard: str = field(default="", repr=False)
    place: int = field(default=0, repr=False)

    def unchanged(self, size: int, mtime_ns: int) -> bool:
        """Whether it is as it was when it had this size and time.

        Examples
        --------
        >>> ImageFile("a.jpg", 10, 5).unchanged(10, 5), ImageFile("rows/1", UNKNOWN, 5).unchanged(10, 5)
        (True, True)
        """
        return self.mtime_ns == mtime_ns and self.size in (size, UNKNOWN)


@dataclass(frozen=True, slots=True)
class Rejected:
    r"""An input that was left out, and why.

    Attributes
    ----------
    path : str
        As in `ImageFile`; what is not Unicode in a name is written as ``\udcNN``.
    reason : str
        In a few words.
    """

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class FolderScan:
    """What a folder holds.

    Attributes
    ----------
    files : list of ImageFile
        Sorted by path.
    rejected : list of Rejected
        Sorted by path.
    ignored : int
        Files that are not named like images.
    """

    files: list[ImageFile]
    rejected: list[Rejected]
    ignored: int


@dataclass(slots=True)
class _Walk:
    """The state of one scan; folders wait in a list, so that depth costs no recursion."""

    root: str
    follow_links: bool
    files: list[ImageFile] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    ignored: int = 0
    waiting: list[str] = field(default_factory=lambda: [""])
    linked: list[str] = field(default_factory=list)
    seen: set[tuple[int, int]] = field(default_factory=set)


def scan(folder: str | Path, follow_links: bool = True) -> FolderScan:
    r"""Find the images in a folder and the folders below it.

    Files count by their ending; a file without one counts when its first bytes are those of an image. Names that
    start with a dot, and ``__MACOSX``, are skipped. A linked file is an image of its own, even when the original
    is in the folder too. A folder is visited once, however many links lead to it, and under its own name rather
    than a link's where it has one below `folder`. A name that is not valid Unicode cannot be stored in a table
    and is rejected.

    Parameters
    ----------
    folder : str or Path
        Where to look.
    follow_links : bool
        Follow links to files and folders; otherwise they are skipped.

    Returns
    -------
    FolderScan
        Images, rejected inputs, and how many other files there are.

    Raises
    ------
    InputError
        The folder does not exist, is a file, or may not be read.

    Examples
    --------
    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp())
    >>> for name in ("b.JPG", "a.png", "notes.txt", ".hidden.jpg"):
    ...     _ = (place / name).write_bytes(b"-")
    >>> found = scan(place)
    >>> [file.path for file in found.files], found.ignored
    (['a.png', 'b.JPG'], 1)
    """
    walk = _Walk(os.fspath(folder), follow_links)
    try:
        _enter(walk, "")
    except NotADirectoryError:
        raise InputError(f"{folder} is a file: give a folder of images") from None
    except FileNotFoundError:
        raise InputError(f"there is no folder {folder}") from None
    except (OSError, ValueError) as error:
        reason = os_reason(error, folder) if isinstance(error, OSError) else str(error)
        raise InputError(f"the folder {folder} cannot be read: {reason}") from error
    while walk.waiting or walk.linked:
        # Links last: a folder below the root is then known under its own name.
        path = walk.waiting.pop() if walk.waiting else walk.linked.pop(0)
        try:
            _enter(walk, path)
        except OSError as error:
            walk.rejected.append(Rejected(printable(path), f"folder: {os_reason(error, walk.root)}"))
    return FolderScan(
        sorted(walk.files, key=lambda file: file.path),
        sorted(walk.rejected, key=lambda item: item.path),
        walk.ignored,
    )


def _enter(walk: _Walk, path: str) -> None:
    """Sort the entries of one folder, given relative to the root."""
    folder = f"{walk.root}/{path}" if path else walk.root
    status = os.stat(folder)  # noqa: PTH116 - runs once per folder, a Path would cost more than the call
    if (status.st_dev, status.st_ino) in walk.seen:
        return
    with os.scandir(folder) as found:
        walk.seen.add((status.st_dev, status.st_ino))
        for entry in found:
            name = entry.name
            if name[0] == "." or name in _SKIPPED:
                continue
            below = f"{path}/{name}" if path else name
            if entry.is_dir(follow_symlinks=False):
                walk.waiting.append(below)
            elif walk.follow_links or not entry.is_symlink():
                _take(walk, entry, below)


def _take(walk: _Walk, entry: os.DirEntry[str], path: str) -> None:
    """Count one file, or what a link leads to, as an image, a reject or neither; linked folders wait."""
    ending = extension(entry.name)
    try:
        status = entry.stat()
    except OSError as error:
        if ending in EXTENSIONS:
            walk.rejected.append(Rejected(printable(path), os_reason(error, entry.path)))
        else:
            walk.ignored += 1
        return
    if stat.S_ISDIR(status.st_mode):
        walk.linked.append(path)
        return
    regular = stat.S_ISREG(status.st_mode)
    if ending not in EXTENSIONS and (ending or not regular or not _starts_like_image(entry.path)):
        walk.ignored += 1
    elif not regular:
        walk.rejected.append(Rejected(printable(path), _SPECIAL.get(stat.S_IFMT(status.st_mode), "not a file")))
    elif not path.isascii() and printable(path) != path:
        walk.rejected.append(Rejected(printable(path), "the name is not valid Unicode: rename the file"))
    else:
        walk.files.append(ImageFile(path, status.st_size, status.st_mtime_ns))


def extension(name: str) -> str:
    """Return the ending of a name in lower case, with its dot; empty when there is none.

    Examples
    --------
    >>> extension("a.JPG"), extension("README"), extension(".hidden")
    ('.jpg', '', '')
    """
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


def _starts_like_image(path: str) -> bool:
    """Look at the first bytes of a regular file."""
    try:
        with open(path, "rb", buffering=0) as handle:  # noqa: PTH123 - see above
            return sniff(handle.read(64)) is not None
    except OSError:
        return False


def hidden(path: str) -> bool:
    """Whether a file, or a folder above it, is one that nobody looks at.

    Examples
    --------
    >>> hidden("a/.cache/1.jpg"), hidden("a/1.jpg")
    (True, False)
    """
    return any(part.startswith(".") or part in _SKIPPED for part in path.split("/"))


def printable(path: str) -> str:
    r"""Return a name that UTF-8 can hold.

    Examples
    --------
    >>> printable("a\udcff")
    'a\\udcff'
    """
    return path.encode("utf-8", "backslashreplace").decode("utf-8")
