"""Links of a graph to vectors that nobody links to: so that every vector can be found.

Malkov and Yashunin's graph links a vector to near ones in many directions. Nothing sees to it that somebody links to
each: of a million, 200 are linked to by none even where all places for links are taken, and no search finds them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["with_ways_back"]

TURNS = 3
"""How often all its links are tried for a vector that is lost: two exchanges at once can make another one lost."""

Links = NDArray[np.int32]


def with_ways_back(links: Links) -> Links:
    """Let each vector that nobody links to be linked to by one that it links to itself.

    The link takes an empty place, or that of a link to the vector that most others link to.

    Parameters
    ----------
    links : int32 (N, L)
        Of each vector, from the left; -1 where there is none.

    Returns
    -------
    int32 (N, L)

    Examples
    --------
    >>> with_ways_back(np.array([[1, -1], [-1, -1], [1, 0]], np.int32)).tolist()
    [[1, -1], [2, -1], [1, 0]]
    """
    links, width = links.copy(), links.shape[1]
    for turn in range(TURNS * width):
        column = turn % width
        towards = np.bincount(links[links >= 0], minlength=len(links))
        lost = np.flatnonzero((towards == 0) & (links[:, column] >= 0))
        if towards.all():
            break
        if len(lost):
            targets, first = np.unique(links[lost, column], return_index=True)
            _link(links, targets, lost[first], towards)
    return links


def _link(links: Links, sources: NDArray[np.int32], lost: NDArray[np.int64], towards: NDArray[np.int64]) -> None:
    """Link each source to a vector that is lost; no source comes twice."""
    theirs, rows = links[sources], np.arange(len(sources))
    spared = np.where(theirs >= 0, towards[theirs], 0)
    room = (theirs < 0).any(1)
    place = np.where(room, (theirs < 0).argmax(1), spared.argmax(1))
    # Who is linked to once would be lost in turn.
    good = room | (spared[rows, place] > 1)
    links[sources[good], place[good]] = lost[good]
