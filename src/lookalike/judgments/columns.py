"""A column of labels as integers: tens of millions of rows without a Python object per row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Codes", "Labels", "encode_labels"]

Codes: TypeAlias = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Labels by code.

    Attributes
    ----------
    codes : int32 (n,)
        Positions in `names`; -1 where there is no label.
    names : str (m,)
        The distinct labels.

    Examples
    --------
    >>> column = Labels.of(["sea", "city", "sea", ""])
    >>> column.codes.tolist(), column.names.tolist()
    ([1, 0, 1, -1], ['city', 'sea'])
    >>> column.values().tolist()
    ['sea', 'city', 'sea', '']
    """

    codes: Codes
    names: NDArray[np.str_]

    @classmethod
    def of(cls, labels: Sequence[str] | NDArray[Any]) -> Labels:
        """Code labels; the empty string stands for none."""
        (codes,), names = encode_labels(labels)
        return cls(codes, names)

    @classmethod
    def one(cls, label: str, count: int) -> Labels:
        """Give every one of `count` rows the same label."""
        return cls(np.zeros(count, np.int32), np.array([label]))

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: NDArray[Any]) -> Labels:
        """Return some rows, by position or by mask."""
        return Labels(self.codes[rows], self.names)

    def values(self) -> NDArray[np.str_]:
        """Return the labels, one per row; empty where there is none."""
        return np.append(self.names, "")[self.codes]

    def joined(self, other: Labels) -> Labels:
        """Append another column."""
        names, places = np.unique(np.concatenate([self.names, other.names]), return_inverse=True)
        places = np.append(places, -1).astype(np.int32)
        theirs = np.where(other.codes < 0, -1, other.codes + len(self.names))
        return Labels(places[np.concatenate([self.codes, theirs])], names)


def encode_labels(*columns: Sequence[str] | NDArray[Any]) -> tuple[list[Codes], NDArray[np.str_]]:
    """Code several columns by one list of names.

    Parameters
    ----------
    *columns : sequences of str, each (n,)
        The empty string stands for no label.

    Returns
    -------
    codes : list of int32 (n,)
        Per column; -1 for no label.
    names : str (m,)
        Distinct, sorted.

    Examples
    --------
    >>> (left, right), names = encode_labels(["b", "a"], ["c", ""])
    >>> left.tolist(), right.tolist(), names.tolist()
    ([1, 0], [2, -1], ['a', 'b', 'c'])
    """
    arrays = [np.asarray(column, dtype=np.str_) for column in columns]
    names, places = np.unique(np.concatenate(arrays), return_inverse=True)
    places = places.astype(np.int32)
    if len(names) and names[0] == "":
        names, places = names[1:], places - 1
    ends = np.cumsum([len(array) for array in arrays])[:-1]
    return list(np.split(places, ends)), names
