"""The format ``folders``: pairs of images with the same name in two folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lookalike.core.errors import InputError
from lookalike.judgments.problems import Problem
from lookalike.judgments.readers.image_files import SUFFIXES
from lookalike.judgments.readers.registry import PAIR_READERS, PairDraft

__all__ = ["match_folders", "read_folders"]

SIDES = (("left", "right"), ("source", "target"))


@PAIR_READERS.register("folders")
def read_folders(path: Path) -> PairDraft:
    """Pair the images of ``left/`` and ``right/``, or of ``source/`` and ``target/``; see ``docs/formats/folders.md``.

    Names relative to the two folders are matched whole first, then without their suffix. An image of the
    left side without a partner is a problem; the right, or target, side may hold more.

    Parameters
    ----------
    path : Path
        The folder that holds the two.
    """
    for left, right in SIDES:
        if (path / left).is_dir() and (path / right).is_dir():
            return match_folders(path, left, right)
    raise InputError(f"{path}: holds neither left/ and right/ nor source/ and target/")


def match_folders(path: Path, left: str, right: str) -> PairDraft:
    """Pair the images of two folders inside `path`; ids are ``left/NAME`` and ``right/NAME``, in order of names."""
    lefts, rights = _files(path / left), _files(path / right)
    stems: dict[str, list[str]] = {}
    for name in rights:
        stems.setdefault(_stem(name), []).append(name)
    problems: list[Problem] = []
    names: list[tuple[str, str]] = []
    for name in sorted(lefts):
        found = [name] if name in rights else stems.get(_stem(name), [])
        if len(found) == 1:
            names.append((name, found[0]))
        else:
            several = f"{len(found)} images of this name in {right}/: {', '.join(found[:3])}"
            problems.append(Problem(str(lefts[name]), None, several if found else f"no image of this name in {right}/"))
    images = {f"{left}/{one}": lefts[one] for one, _ in names} | {f"{right}/{two}": rights[two] for _, two in names}
    ids = np.array(sorted(images), np.str_)
    place = {name: number for number, name in enumerate(ids.tolist())}
    columns = (
        np.array([place[f"{left}/{one}"] for one, _ in names], np.int32),
        np.array([place[f"{right}/{two}"] for _, two in names], np.int32),
    )
    return PairDraft(ids, *columns, lambda rows: [(str(lefts[names[row][0]]), None) for row in rows], images, problems)


def _files(folder: Path) -> dict[str, Path]:
    files = (file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    return {file.relative_to(folder).as_posix(): file for file in files if not file.name.startswith(".")}


def _stem(name: str) -> str:
    return name.rpartition(".")[0]
