"""The file-name table of CoSIS: numbers mean nothing without it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.judgments.columns import Codes

__all__ = ["CosisNames", "read_names"]


@dataclass(frozen=True, slots=True, eq=False)
class CosisNames:
    """Which photograph a number stands for.

    Attributes
    ----------
    stems : str (m,)
        File names without suffix, sorted.
    tables : dict of str to int32
        For ``"val"`` and ``"train"``: the position in `stems` of each number, -1 for numbers that are not listed.
    """

    stems: NDArray[np.str_]
    tables: dict[str, Codes]

    def codes(self, split: NDArray[np.str_] | str, numbers: NDArray[Any]) -> Codes:
        """Return positions in `stems`; -1 for numbers that the table does not list.

        Parameters
        ----------
        split : str, or str (n,)
            ``"val"`` or ``"train"``, of all numbers or of each.
        numbers : int (n,)
        """
        found = np.full(len(numbers), -1, np.int32)
        for name, table in self.tables.items():
            listed = (np.asarray(split) == name) & (numbers >= 0) & (numbers < len(table))
            found[listed] = table[numbers[listed]]
        return found

    def numbers(self, split: str, stems: NDArray[np.str_]) -> NDArray[np.int64]:
        """Return the numbers of photographs in a split; -1 for those of the other one."""
        number = np.full(len(self.stems) + 1, -1, np.int64)
        table = self.tables[split]
        number[table] = np.arange(len(table))
        number[-1] = -1
        place = np.searchsorted(self.stems, stems)
        known = self.stems[np.minimum(place, len(self.stems) - 1)] == stems
        return np.where(known, number[place], -1)


def read_names(path: Path) -> CosisNames:
    r"""Read ``filename_dict.txt``: lines of a number, ``val`` or ``train``, and a stem.

    Raises
    ------
    InputError
        The file cannot be read, a line is something else, or a number or stem is listed twice.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "filename_dict.txt"
    >>> _ = path.write_text("0 val h_b\n1 val h_c\n0 train h_a\n")
    >>> names = read_names(path)
    >>> names.stems[names.codes("val", np.array([1, 0]))].tolist(), names.codes("train", np.array([1])).tolist()
    (['h_c', 'h_b'], [-1])
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read ({error}); CoSIS labels are numbers that only this file explains"
        ) from error
    listed: dict[str, dict[int, str]] = {"val": {}, "train": {}}
    seen: dict[str, int] = {}
    for row, line in enumerate(lines, 1):
        cells = line.split()
        if not cells:
            continue
        if len(cells) != 3 or not cells[0].isdecimal() or cells[1] not in listed:
            raise InputError(f"{path}, row {row}: needs a number, val or train, and a file name: '{line}'")
        number, split, stem = int(cells[0]), cells[1], cells[2]
        if number in listed[split] or stem in seen:
            raise InputError(f"{path}, row {row}: '{line}' is listed twice")
        listed[split][number] = stem
        seen[stem] = row
    stems = np.array(sorted(seen), np.str_)
    return CosisNames(stems, {split: _table(numbers, stems) for split, numbers in listed.items()})


def _table(numbers: dict[int, str], stems: NDArray[np.str_]) -> Codes:
    table = np.full(max(numbers, default=-1) + 1, -1, np.int32)
    table[list(numbers)] = np.searchsorted(stems, np.array(list(numbers.values()), np.str_))
    return table
