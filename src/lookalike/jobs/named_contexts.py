"""Contexts that people named on the map: which images each has, in one CSV file of the workspace.

They count as if the judgments about these images had said so: `train context`, `evaluate`, `--context` and the
leaderboard take them, before what an import said.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from filelock import FileLock

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.core.files import write_aside
from lookalike.core.names import check_name
from lookalike.core.workspace import Workspace
from lookalike.judgments.columns import Labels
from lookalike.judgments.table import Judgments

__all__ = ["forget_context", "image_paths", "in_context", "name_context", "read_contexts", "with_named_contexts"]

COLUMNS = ["image", "context"]


def read_contexts(workspace: Workspace) -> dict[str, str]:
    """Return the context of each image that is in one, by its path in the collection.

    Raises
    ------
    InputError
        The file is damaged.

    Examples
    --------
    >>> read_contexts(Workspace(Path("nowhere")))
    {}
    """
    file = workspace.contexts_file
    if not file.is_file():
        return {}
    try:
        with file.open(newline="", encoding="utf-8") as text:
            rows = list(csv.reader(text, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not a CSV file of contexts ({error})") from error
    if not rows or rows[0] != COLUMNS or any(len(row) != 2 for row in rows):
        raise InputError(f"{file}: not a CSV file with the columns image,context")
    return {row[0]: row[1] for row in rows[1:]}


def name_context(workspace: Workspace, context: str, images: Sequence[str]) -> dict[str, str]:
    """Put images into a context, out of any that they were in, and return all contexts as `read_contexts` does.

    Parameters
    ----------
    context : str
        A name, as models have them.
    images : sequence of str
        Paths in the collection; at least one.

    Raises
    ------
    InputError
        It cannot be a name, or there are no images.
    WorkspaceError, StorageError
    """
    check_name("context", context)
    if not images:
        raise InputError("a context needs images: select some first")
    return _changed(workspace, lambda found: found | dict.fromkeys(images, context))


def forget_context(workspace: Workspace, context: str) -> dict[str, str]:
    """Take all images out of a context; what judgments said before counts again.

    Raises
    ------
    UnknownNameError
        There is no such context.
    WorkspaceError, StorageError
    """

    def without(found: dict[str, str]) -> dict[str, str]:
        if context not in found.values():
            raise UnknownNameError("context that was named on the map", context, set(found.values()))
        return {image: one for image, one in found.items() if one != context}

    return _changed(workspace, without)


def with_named_contexts(workspace: Workspace, judgments: Judgments) -> Judgments:
    """Give judgments about images of a named context that context."""
    contexts = read_contexts(workspace)
    if not contexts or not len(judgments):
        return judgments
    paths = image_paths(workspace, judgments.ids.tolist(), judgments.images)
    named = np.array([contexts.get(path, "") for path in paths])[judgments.reference]
    before = np.full(len(judgments), "") if judgments.context is None else judgments.context.values()
    labels = np.where(named != "", named, before)
    return replace(judgments, context=Labels.of(labels) if (labels != "").any() else None)


def in_context(judgments: Judgments, context: str) -> Judgments:
    """Return the judgments of a context; of those without one, where it is empty."""
    labels = np.full(len(judgments), "") if judgments.context is None else judgments.context.values()
    return judgments.take(labels == context)


def image_paths(workspace: Workspace, ids: Sequence[str], files: Mapping[str, Path]) -> list[str]:
    """Return the path in the collection of each image of judgments; where its file is elsewhere, the id itself.

    Examples
    --------
    >>> image_paths(Workspace(Path("nowhere")), ["a.jpg"], {})
    ['a.jpg']
    """
    root = workspace.config().folder if workspace.exists() else None
    found = []
    for id in ids:
        file = files.get(id)
        inside = root is not None and file is not None and file.is_relative_to(root)
        found.append(file.relative_to(root).as_posix() if inside and file is not None and root is not None else id)
    return found


def _changed(workspace: Workspace, change: Callable[[dict[str, str]], dict[str, str]]) -> dict[str, str]:
    """Read, change and write the file, alone."""
    workspace.check_writable()
    workspace.path.mkdir(parents=True, exist_ok=True)
    with FileLock(workspace.path / "contexts.lock"):
        contexts = change(read_contexts(workspace))
        with write_aside(workspace.contexts_file) as aside, aside.open("w", newline="", encoding="utf-8") as text:
            writer = csv.writer(text)
            writer.writerow(COLUMNS)
            writer.writerows(sorted(contexts.items()))
    return contexts
