"""Read a file of judgments into the workspace."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.workspace import Workspace
from lookalike.judgments.columns import Labels
from lookalike.judgments.problems import OnProblem, Problem
from lookalike.judgments.readers.read import read_with_problems
from lookalike.judgments.store import JudgmentStore
from lookalike.judgments.table import Judgments

__all__ = ["Imported", "import_judgments"]


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did.

    Attributes
    ----------
    judgments, references, images : int
        In the file, after rows were left out.
    added : int
        Judgments new to the workspace; 0 where the same was imported before.
    earlier : int
        Judgments in the workspace from other content under the same file name.
    rejected : list of Problem
        Rows that were left out, and why.
    """

    judgments: int
    references: int
    images: int
    added: int
    earlier: int
    rejected: list[Problem]


def import_judgments(
    workspace: Path,
    format: str,
    path: Path,
    images: Path | None = None,
    on_problem: OnProblem = "stop",
    options: Mapping[str, str] | None = None,
    on_progress: OnProgress = silent,
) -> Imported:
    """Read judgments of any known format and keep them in the workspace; a second time adds nothing.

    Parameters
    ----------
    workspace : Path
        The workspace folder; made when it is not there.
    format, path, images, on_problem
        See `lookalike.read_judgments`.
    options : mapping of str to str, optional
        Of the format.

    Raises
    ------
    UnknownNameError, InputError, StorageError
    """
    reading = read_with_problems(format, path, images, on_problem, **dict(options or {}))
    judgments = reading.judgments
    if not len(judgments):
        raise InputError(f"{path}: no judgment is left ({len(reading.problems)} rows were left out)")
    held = Workspace(workspace)
    with held.lock():
        done = JudgmentStore(held.judgments_file).import_judgments(judgments, str(path), digest(judgments), on_progress)
    return Imported(
        judgments=len(judgments),
        references=len(np.unique(judgments.reference)),
        images=len(judgments.ids),
        added=done.added,
        earlier=done.earlier,
        rejected=reading.problems,
    )


def digest(judgments: Judgments) -> str:
    """Hash what judgments say (SHA-256, hexadecimal); where their files lie does not matter."""
    digest = hashlib.sha256()
    for name in judgments.__slots__:
        value = None if name == "images" else getattr(judgments, name)
        parts = [value.codes, value.names] if isinstance(value, Labels) else [value]
        for part in parts:
            digest.update(f"{name}:".encode())
            if part is not None:
                digest.update("\0".join(part.tolist()).encode() if part.dtype.kind == "U" else part.tobytes())
    return digest.hexdigest()
