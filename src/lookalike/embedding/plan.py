"""What a run has to do: the folder as it is, held against the table as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from lookalike.images.folder import ImageFile, Rejected
from lookalike.search.image_rows import StoredImage

__all__ = ["IndexReport", "Plan", "make_plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Files by what has to be done with them.

    Attributes
    ----------
    to_encode : list of ImageFile
        New files, changed ones, and ones without a vector of this encoder.
    back : list of ImageFile
        Files that were marked as gone and are there again, unchanged.
    removed : list of str
        Paths in the table whose files are gone.
    unchanged : int
        How many files need nothing.
    """

    to_encode: list[ImageFile] = field(default_factory=list)
    back: list[ImageFile] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0


@dataclass(slots=True)
class IndexReport:
    """What a run of `Collection.sync` or `Collection.add` did.

    Attributes
    ----------
    images : int
        Images in the collection that can be searched by this encoder now.
    without_vectors : int
        Images in the collection that this encoder has not encoded: they lie outside the folder that was looked at.
    added, updated, reused, removed, unchanged : int
        New files encoded; changed files encoded again; files whose content was encoded before, under another name
        or date; files that are gone; files left alone.
    ignored : int
        Files in the folder that are not named like images.
    rejected : list of Rejected
        Files that cannot be read, and why.
    seconds : float
        Wall time.
    """

    images: int = 0
    without_vectors: int = 0
    added: int = 0
    updated: int = 0
    reused: int = 0
    removed: int = 0
    unchanged: int = 0
    ignored: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def images_per_second(self) -> float:
        """Images encoded per second of this run."""
        return (self.added + self.updated) / self.seconds if self.seconds > 0 else 0.0


def make_plan(files: Sequence[ImageFile], stored: Mapping[str, StoredImage], within: tuple[str, ...] | None) -> Plan:
    """Compare files with what the table holds.

    Parameters
    ----------
    files : sequence of ImageFile
    stored : mapping of path to StoredImage
    within : tuple of str, optional
        What was looked at: paths that begin with one of these; those that are not among `files` are gone. None when
        only single files were looked at: then nothing is gone.

    Examples
    --------
    >>> stored = {"a.jpg": StoredImage("9f", 10, 5, removed=False, has_vector=True)}
    >>> make_plan([ImageFile("b.jpg", 10, 5)], stored, within=("",))
    Plan(to_encode=[ImageFile(path='b.jpg', size=10, mtime_ns=5)], back=[], removed=['a.jpg'], unchanged=0)
    """
    plan = Plan()
    unchanged = 0
    for file in files:
        row = stored.get(file.path)
        if row is None or not file.unchanged(row.size, row.mtime_ns) or not row.has_vector:
            plan.to_encode.append(file)
        elif row.removed:
            plan.back.append(file)
        else:
            unchanged += 1
    seen = {file.path for file in files}
    if within is not None:
        plan.removed.extend(
            path for path, row in stored.items() if path.startswith(within) and path not in seen and not row.removed
        )
    return replace(plan, unchanged=unchanged)
