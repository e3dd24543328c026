"""The format ``salmon``: the responses that the Salmon server for triplet questions exports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lookalike.core.errors import InputError
from lookalike.judgments.problems import Fault
from lookalike.judgments.readers.registry import JUDGMENT_READERS, Draft
from lookalike.judgments.readers.tables import TextTable
from lookalike.judgments.table import Judgments

__all__ = ["read_salmon"]

PLACES = ("head", "winner", "loser")


@JUDGMENT_READERS.register("salmon")
def read_salmon(path: Path, *, ids: Literal["auto", "number", "filename"] = "auto") -> Draft:
    """Read the CSV file that Salmon's page ``/responses`` gives; see ``docs/formats/salmon.md``.

    The head is the reference, the winner is candidate a, the loser candidate b.

    Parameters
    ----------
    path : Path
    ids : {"auto", "number", "filename"}
        Whether the ids are the numbers of the targets (columns ``head``, ``winner``, ``loser``) or their file names
        (``head_filename``, ...). ``"auto"`` takes the file names when the file has them.
    """
    if ids not in ("auto", "number", "filename"):
        raise InputError(f'ids is "auto", "number" or "filename", not {ids!r}')
    table = TextTable(path)
    names = tuple(f"{place}_filename" for place in PLACES)
    wanted = {"auto": (names, PLACES), "number": (PLACES,), "filename": (names,)}[ids]
    (reference, winner, loser), known = table.ids(*table.require(*wanted))
    count = len(table)
    votes = np.ones(count, np.float32)
    columns: dict[str, Any] = {"annotator": table.labels("puid")}
    faults: list[Fault] = []
    for attribute, name, kind in (
        ("answered_at", "time_received", np.float64),
        ("response_seconds", "response_time", np.float32),
    ):
        if name in table:
            values, fault = table.numbers(name, optional=True)
            columns[attribute] = values.astype(kind)
            faults.append(fault)
    made = replace(Judgments(known, reference, winner, loser, votes, np.zeros_like(votes)), **columns)
    return Draft(made, table.locate, faults, table.problems, single=True)
