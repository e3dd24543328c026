"""The gallery of a test bench: the photographs of some folders, byte-identical ones once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lookalike.core.errors import ImageDecodeError, InputError
from lookalike.images.folder import Rejected, scan
from lookalike.images.reading import hash_file

__all__ = ["Gallery", "gallery_of"]


@dataclass(frozen=True, slots=True)
class Gallery:
    """What is searched.

    Attributes
    ----------
    files : dict of id to Path
        Of the first folder by their path in it, of the others with the folder before it.
    photographs : tuple of str
        The ids of the first folder, of which queries can be made; those that turned out unusable among them.
    copies : int
        How many files were left out because another has the very same content.
    rejected : tuple of Rejected
        What cannot be used, and why.
    """

    files: dict[str, Path]
    photographs: tuple[str, ...]
    copies: int
    rejected: tuple[Rejected, ...] = ()

    def without(self, refused: Sequence[Rejected]) -> Gallery:
        """Return the gallery without some images."""
        names = {entry.path for entry in refused}
        files = {image: path for image, path in self.files.items() if image not in names}
        return replace(self, files=files, rejected=(*self.rejected, *refused))

    def draw(self, count: int, seed: int) -> list[str]:
        """Draw photographs to make queries of, at most `count`.

        Which are drawn depends on the seed and the folder; one that cannot be used is replaced, and no other changes.

        Raises
        ------
        InputError
            There is none, or nothing to confuse it with.

        Examples
        --------
        >>> files = {name: Path(name) for name in "abcde"}
        >>> Gallery(files, ("a", "b", "c"), 0).draw(2, seed=0)
        ['c', 'a']
        """
        order = np.random.default_rng([seed, 0]).permutation(len(self.photographs))
        drawn = [self.photographs[at] for at in order.tolist() if self.photographs[at] in self.files][:count]
        if not drawn or len(self.files) < 2:
            raise InputError("a test bench needs a photograph to edit, and another one that it could be taken for")
        return drawn


def gallery_of(photos: Path, distractors: Sequence[Path] = ()) -> Gallery:
    """Look through folders; of files with the same content, the first one counts.

    Raises
    ------
    InputError
        A folder is not there, or has no images.
    """
    files: dict[str, Path] = {}
    sizes: dict[str, int] = {}
    rejected: list[Rejected] = []
    first = 0
    for number, folder in enumerate((photos, *distractors)):
        before = f"{folder}/" if number else ""
        found = scan(folder)
        if not found.files:
            raise InputError(f"{folder} has no images")
        rejected += [Rejected(before + entry.path, entry.reason) for entry in found.rejected]
        for file in found.files:
            files.setdefault(before + file.path, folder / file.path)
            sizes[before + file.path] = file.size
        first = first or len(files)
    photographs = list(files)[:first]
    kept, refused = _distinct(files, sizes)
    return Gallery(
        files={image: files[image] for image in kept},
        photographs=tuple(image for image in photographs if image in kept),
        copies=len(files) - len(kept) - len(refused),
        rejected=(*rejected, *refused),
    )


def _distinct(files: dict[str, Path], sizes: dict[str, int]) -> tuple[dict[str, None], list[Rejected]]:
    """Return the images whose content no earlier one has, and what cannot be read."""
    frequent = Counter(sizes.values())
    contents: set[tuple[int, str]] = set()
    kept: dict[str, None] = {}
    refused: list[Rejected] = []
    for image, path in files.items():
        content = sizes[image], ""
        if frequent[sizes[image]] > 1:  # a file of a size of its own need not be read
            try:
                content = sizes[image], hash_file(path)
            except ImageDecodeError as error:
                refused.append(Rejected(image, error.reason))
                continue
        if content not in contents:
            contents.add(content)
            kept[image] = None
    return kept, refused
