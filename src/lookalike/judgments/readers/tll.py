"""The format ``tll``: Totally Looks Like."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from lookalike.core.errors import InputError
from lookalike.judgments.problems import Problem
from lookalike.judgments.readers.csv_files import read_pair_csv
from lookalike.judgments.readers.folders import match_folders
from lookalike.judgments.readers.image_files import ImageFiles
from lookalike.judgments.readers.registry import PAIR_READERS, PairDraft
from lookalike.judgments.readers.tables import TextTable

__all__ = ["published_names", "read_tll"]


@PAIR_READERS.register("tll")
def read_tll(path: Path, *, split_list: str | Path | None = None) -> PairDraft:
    """Read Totally Looks Like; see ``docs/formats/tll.md``.

    Ids are ``left/NAME`` and ``right/NAME``, the pairs in order of the left names.

    Parameters
    ----------
    path : Path
        The folder with ``left/`` and ``right/``. With a file ``pairs.csv`` (columns ``left``, ``right``) the pairs
        are its rows; without it, images of the same name.
    split_list : path, optional
        ``TLL_obj.csv``, the names of the published experiment: only these pairs, in the order of that list. It lists
        every name twice, originals and flips; the second time does not count. A name that is not in the folder is a
        problem.

    Raises
    ------
    InputError
        There is no ``left/`` and ``right/``, or a list cannot be read.
    """
    for side in ("left", "right"):
        if not (path / side).is_dir():
            raise InputError(f"{path}: holds no folder {side}/")
    draft = _listed(path) if (path / "pairs.csv").is_file() else match_folders(path, "left", "right")
    order = np.argsort(draft.ids[draft.left], kind="stable")
    if split_list is None:
        return _taken(draft, order)
    wanted = published_names(Path(split_list))
    row_of = {_name(draft.ids[draft.left[row]]): int(row) for row in order}
    absent = [
        Problem(str(split_list), line, f"there is no pair '{name}' in {path}")
        for name, line in wanted.items()
        if Path(name).stem not in row_of
    ]
    rows = np.array([row_of[Path(name).stem] for name in wanted if Path(name).stem in row_of], np.int64)
    return _taken(replace(draft, problems=[*draft.problems, *absent]), rows)


def published_names(split_list: Path) -> dict[str, int]:
    r"""Return the distinct names of ``TLL_obj.csv`` in order, with the line where each stands first.

    Raises
    ------
    InputError
        The file has no column ``TLL_obj``.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "TLL_obj.csv"
    >>> _ = path.write_text(",TLL_obj\n0,00001.jpg\n1,00004.jpg\n2,00001.jpg\n3,00004.jpg\n")
    >>> published_names(path)
    {'00001.jpg': 2, '00004.jpg': 3}
    """
    table = TextTable(split_list)
    table.require(("tll_obj",))
    names = table.labels("tll_obj")
    assert names is not None
    first: dict[str, int] = {}
    for row, name in enumerate(names.values().tolist()):
        first.setdefault(name, row + 2)
    return first


def _listed(path: Path) -> PairDraft:
    """Read ``pairs.csv``, its names resolved inside the two folders."""
    draft = read_pair_csv(path / "pairs.csv")
    sides = {"left": draft.left, "right": draft.right}
    ids: list[str] = []
    images: dict[str, Path] = {}
    columns: dict[str, np.ndarray[tuple[int], np.dtype[np.int32]]] = {}
    for side, codes in sides.items():
        files = ImageFiles(path / side)
        start = len(ids)
        for name in draft.ids.tolist():
            found = files.find(name)
            if isinstance(found, Path):
                images[f"{side}/{found.name}"] = found
            ids.append(f"{side}/{found.name if isinstance(found, Path) else name}")
        columns[side] = np.where(codes < 0, -1, codes + start).astype(np.int32)
    known, places = np.unique(np.array(ids, np.str_), return_inverse=True)
    moved = {side: np.append(places, -1).astype(np.int32)[codes] for side, codes in columns.items()}
    return replace(draft, ids=known, images=images, left=moved["left"], right=moved["right"])


def _taken(draft: PairDraft, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> PairDraft:
    return replace(draft, left=draft.left[rows], right=draft.right[rows], locate=lambda some: draft.locate(rows[some]))


def _name(left: str) -> str:
    return Path(left).stem
