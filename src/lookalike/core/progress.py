"""How long work tells what it has done: one callback, whoever draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["OnProgress", "Progress", "silent"]


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of a long run.

    Attributes
    ----------
    stage : str
        What is being done, for people: ``"encoding"``, ``"building the index"``.
    done, total : int
        Units finished and units in all; ``total`` is 0 while it is unknown.
    rejected : int
        Inputs left out so far.
    """

    stage: str
    done: int
    total: int
    rejected: int = 0


OnProgress: TypeAlias = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """Take progress and show nothing.

    Examples
    --------
    >>> silent(Progress("encoding", 1, 2))
    """
