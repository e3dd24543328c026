"""The format ``bapps``: the 2AFC part of the Berkeley-Adobe perceptual patch similarity data set."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from lookalike.core.errors import InputError
from lookalike.judgments.problems import Problem
from lookalike.judgments.readers.image_files import SUFFIXES
from lookalike.judgments.readers.registry import JUDGMENT_READERS, Draft
from lookalike.judgments.table import Judgments

__all__ = ["read_bapps"]

PARTS = ("ref", "p0", "p1")


@JUDGMENT_READERS.register("bapps")
def read_bapps(path: Path, *, people: float = 1) -> Draft:
    """Read every folder under `path` that holds ``ref/``, ``p0/``, ``p1/``, ``judge/``; see ``docs/formats/bapps.md``.

    ``judge/NAME.npy`` holds the share of people, 0 to 1, who found ``p1/NAME`` closer to ``ref/NAME``. Patch p0 is
    candidate a, p1 is candidate b; ids are paths relative to `path`, and the files are known.

    Parameters
    ----------
    path : Path
    people : float
        How many people answered each question: votes are shares times this. 5 for the published validation set, 2 for
        the training set; with 1 the votes are the shares.
    """
    if not people > 0:
        raise InputError(f"people is a positive number, not {people}")
    folders = sorted(Path(place) for place, names, _ in os.walk(path) if "judge" in names)
    if not folders:
        raise InputError(f"{path}: no folder in it holds judge/, with ref/, p0/ and p1/ beside it")
    problems: list[Problem] = []
    rows: list[tuple[str, str, str]] = []
    shares: list[float] = []
    places: list[Path] = []
    images: dict[str, Path] = {}
    for folder in folders:
        stems = [_stems(folder / part) for part in PARTS]
        for judge in sorted((folder / "judge").glob("*.npy")):
            missing = [part for part, known in zip(PARTS, stems, strict=True) if judge.stem not in known]
            share = _share(judge)
            if missing or isinstance(share, str):
                absent = f"no image of this name in {' and '.join(missing)}"
                problems.append(Problem(str(judge), None, absent if missing else str(share)))
                continue
            files = [known[judge.stem] for known in stems]
            reference, p0, p1 = (file.relative_to(path).as_posix() for file in files)
            images.update(zip((reference, p0, p1), files, strict=True))
            rows.append((reference, p0, p1))
            shares.append(share)
            places.append(judge)
    ids, codes = np.unique(np.array(rows, np.str_).reshape(-1, 3), return_inverse=True)
    reference_of, a, b = codes.reshape(-1, 3).T.astype(np.int32)
    share_b = np.array(shares, np.float64)
    votes_a, votes_b = ((share * people).astype(np.float32) for share in (1 - share_b, share_b))
    made = Judgments(ids, reference_of, a, b, votes_a, votes_b, images=images)
    return Draft(made, lambda some: [(str(places[row]), None) for row in some], problems=problems)


def _stems(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    return {file.stem: file for file in sorted(folder.iterdir()) if file.suffix.lower() in SUFFIXES}


def _share(judge: Path) -> float | str:
    """Return the share of people for p1, or what is wrong with the file."""
    try:
        values = np.load(judge, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return "not a NumPy file of one number"
    if not isinstance(values, np.ndarray) or values.size != 1 or values.dtype.kind not in "fiu":
        return "not a NumPy file of one number"
    share = float(values.reshape(()))
    return share if 0 <= share <= 1 else f"the share of people for p1 is 0 to 1, not {share:g}"
