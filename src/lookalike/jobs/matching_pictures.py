"""The pictures that a network learns to match: those of a folder that can be read, each once, by thing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import ImageDecodeError, InputError
from lookalike.core.lanes import cores
from lookalike.core.progress import OnProgress, Progress
from lookalike.images.decode import decode
from lookalike.images.folder import Rejected, scan
from lookalike.judgments.pairs import Pairs

__all__ = ["MatchingPictures", "matching_pictures", "without_known"]

SMALL = 64
"""Pixels of the shorter side at which pictures are tried."""


@dataclass(frozen=True, slots=True, eq=False)
class MatchingPictures:
    """Pictures to learn from.

    Attributes
    ----------
    ids : list of str
    files : list of Path
    things : int64 (n,)
        What each shows.
    copies : int
        Files left out because another has the same content.
    rejected : list of Rejected
        Files that cannot be read, and why.
    """

    ids: list[str]
    files: list[Path]
    things: NDArray[np.int64]
    copies: int
    rejected: list[Rejected]


def matching_pictures(photos: Path, pairs: Pairs | None, on_progress: OnProgress) -> MatchingPictures:
    """Read the pictures of a folder, and those of pairs that lie elsewhere.

    Parameters
    ----------
    photos : Path
        Read with all its folders. Each picture shows a thing of its own, unless pairs say otherwise.
    pairs : Pairs, optional
        Pictures of the same things.
    on_progress : callable

    Raises
    ------
    InputError
        There is no such folder, it has no pictures, or no file is known for one of a pair.
    """
    found = scan(photos)
    files = {entry.path: photos / entry.path for entry in found.files}
    things = dict(zip(files, range(len(files)), strict=True))
    if pairs is not None:
        _join(files, things, pairs)
    if not files:
        raise InputError(f"{photos} has no images")
    rejected, first, copies = list(found.rejected), {}, 0
    with ThreadPoolExecutor(cores() + 1, thread_name_prefix="lookalike-trying") as pool:
        tried = pool.map(_content, files.values())
        for done, ((id_, path), (content, reason)) in enumerate(zip(files.items(), tried, strict=True), 1):
            on_progress(Progress("reading pictures", done, len(files)))
            if reason:
                rejected.append(Rejected(id_, reason))
            elif content in first:
                copies += 1
            else:
                first[content] = (id_, path)
    kept = [id_ for id_, _ in first.values()]
    shown = np.array([things[id_] for id_ in kept], np.int64)
    return MatchingPictures(kept, [path for _, path in first.values()], shown, copies, rejected)


def without_known(
    pictures: MatchingPictures, apart: Sequence[Path], on_progress: OnProgress
) -> tuple[MatchingPictures, int]:
    """Leave out pictures whose content is also in some folders, such as those that will be measured on.

    Returns
    -------
    MatchingPictures
    int
        How many were left out.

    Raises
    ------
    InputError
        There is no such folder, or nothing remains.
    """
    known = {_digest(folder / entry.path) for folder in apart for entry in scan(folder).files}
    if not known:
        return pictures, 0
    kept = []
    for row, file in enumerate(pictures.files):
        on_progress(Progress("looking for pictures to keep apart", row + 1, len(pictures.files)))
        if _digest(file) not in known:
            kept.append(row)
    if not kept:
        raise InputError("all pictures are among those to be kept apart: nothing is left to learn from")
    left_out = len(pictures.ids) - len(kept)
    ids, files = [pictures.ids[row] for row in kept], [pictures.files[row] for row in kept]
    return replace(pictures, ids=ids, files=files, things=pictures.things[kept]), left_out


def _digest(path: Path) -> bytes:
    """Return the hash of a file; nothing for one that cannot be read, which cannot be learned from either."""
    try:
        return _hashed(path)
    except OSError:
        return b""


def _hashed(path: Path) -> bytes:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").digest()


def _join(files: dict[str, Path], things: dict[str, int], pairs: Pairs) -> None:
    """Give pictures of a pair one number; those that are not in the folder are added."""
    known: Mapping[Path, str] = {path.resolve(): id_ for id_, path in files.items()}
    for image, thing in zip(pairs.ids.tolist(), pairs.things().tolist(), strict=True):
        path = pairs.images.get(image)
        if path is None or not path.is_file():
            raise InputError(f"no file is known for the image '{image}' of a pair: it is not among the photographs")
        id_ = known.get(path.resolve(), image)
        files[id_] = path
        things[id_] = -1 - thing


def _content(path: Path) -> tuple[bytes, str]:
    """Return the hash of a file, and why it is no picture that can be read."""
    try:
        decode(path, min_side=SMALL)
        return _hashed(path), ""
    except ImageDecodeError as error:
        return b"", error.reason
    except OSError as error:
        return b"", error.strerror or str(error)
