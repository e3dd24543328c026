"""From the ids of a data set to files in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from lookalike.core.errors import InputError

__all__ = ["SUFFIXES", "ImageFiles"]

SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "dib", "tif", "tiff"),
        *("ppm", "pgm", "pbm", "pnm", "heic", "heif", "avif", "jp2"),
    )
)
"""What a file that can be an image is called; whether it is one shows when it is decoded."""


class ImageFiles:
    """The image files of a folder, found by exact relative name or by stem. The folder is walked once.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    InputError
        There is no such folder.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "left").mkdir()
    >>> (folder / "left" / "cat.jpg").touch()
    >>> files = ImageFiles(folder)
    >>> [files.find(name).name for name in ("left/cat.jpg", "left/cat", "cat", "cat.png")]
    ['cat.jpg', 'cat.jpg', 'cat.jpg', 'cat.jpg']
    >>> files.find("dog")
    "no file in the folder has the name or the stem 'dog'"
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(f"{folder}: there is no such folder of images")
        self.folder = folder
        self._exact: dict[str, Path] = {}
        self._stems: dict[str, list[str]] = {}
        for place, folders, names in os.walk(folder, followlinks=True):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                    self._add(Path(place, name))

    def _add(self, path: Path) -> None:
        name = path.relative_to(self.folder).as_posix()
        self._exact[name] = path
        whole = name[: -len(path.suffix)]
        for stem in {whole, path.stem}:
            self._stems.setdefault(stem, []).append(name)

    def find(self, name: str) -> Path | str:
        """Return the file of an id, or why there is none.

        The exact name relative to the folder comes first, then the stem: the id itself, and the id without its suffix.
        A stem that several files share is refused.
        """
        posix = name.replace("\\", "/").removeprefix("./")
        exact = self._exact.get(posix)
        if exact is not None:
            return exact
        for stem in self._wanted(posix):
            found = self._stems.get(stem, [])
            if len(found) > 1:
                return f"the image '{name}' may be {found[0]} or {found[1]}: ids of this folder need their full name"
            if found:
                return self._exact[found[0]]
        return f"no file in the folder has the name or the stem '{name}'"

    @staticmethod
    def _wanted(name: str) -> Iterable[str]:
        yield name
        path = PurePosixPath(name)
        if path.suffix.lower() in SUFFIXES:
            yield name[: -len(path.suffix)]
            yield path.stem
