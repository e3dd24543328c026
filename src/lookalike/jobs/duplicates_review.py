"""Groups of near-identical images for people to look through: found in the background, with a suggestion for each."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import threading
import time
from collections.abc import Collection as Some
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from filelock import FileLock, Timeout

from lookalike.core.errors import InputError, LookalikeError
from lookalike.core.files import read_json, write_json
from lookalike.core.progress import OnProgress, Progress
from lookalike.core.workspace import Workspace
from lookalike.embedding.collection import Collection
from lookalike.embedding.encoder import load_encoder
from lookalike.search.store import ImageTable

__all__ = ["Copy", "DuplicateReview", "Look", "Mark", "as_csv", "marked"]

Mark: TypeAlias = Literal["keep", "remove"]

KEPT = 8
"""Results that stay on the disk: thresholds that were tried last."""

TELL_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Copy:
    """One image of a group.

    Attributes
    ----------
    image : str
        Path relative to the collection root.
    distance : float
        To the first of the group, by its vector.
    width, height : int
        Pixels.
    bytes : int
        Of the file.
    modified : float
        Seconds since 1970, UTC.
    """

    image: str
    distance: float
    width: int
    height: int
    bytes: int
    modified: float


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of the duplicates at one threshold.

    Attributes
    ----------
    threshold : float
    ready : bool
    done, total : int
        How far the search for them is, in images.
    groups : list of list of Copy
        Once they are ready: the one to keep first.
    """

    threshold: float
    ready: bool
    done: int
    total: int
    groups: list[list[Copy]]


class _SupersededError(Exception):
    """Another threshold was asked for meanwhile."""


class DuplicateReview:
    """Finds groups in a thread of its own, and keeps them until the collection changes. Safe in several threads.

    Processes that share a workspace share the work: one looks, all read what it found.

    Parameters
    ----------
    workspace : Path or str
        The workspace folder, or an address.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> photos = Path(tempfile.mkdtemp())
    >>> ramp = Image.radial_gradient("L").convert("RGB")
    >>> for name, side in {"small": 128, "large": 256}.items():
    ...     ramp.resize((side, side)).save(photos / f"{name}.png")
    >>> _ = Collection.create(photos / ".lookalike", root=photos).sync()
    >>> review = DuplicateReview(photos / ".lookalike")
    >>> while not (look := review.look(0.2)).ready:
    ...     time.sleep(0.02)
    >>> [[copy.image for copy in group] for group in look.groups]
    [['large.png', 'small.png']]
    """

    def __init__(self, workspace: Path | str) -> None:
        self._workspace = Workspace(workspace)
        self._folder = self._workspace.path / "duplicates"
        self._lock = threading.Lock()
        self._running: tuple[str, threading.Thread] | None = None
        self._wanted = ""
        self._trouble: dict[str, LookalikeError] = {}
        self._read: tuple[str, list[list[Copy]]] | None = None

    @property
    def usual(self) -> float:
        """The threshold at which nearly all weakly changed copies are found, by the workspace's encoder."""
        return load_encoder(self._workspace.config().encoder).spec.copy_distance

    def look(self, threshold: float | None = None, mirrored: bool = False) -> Look:
        """Return the groups at a threshold, or how far the search for them is; it begins with the first question.

        Raises
        ------
        InputError
            The threshold is no distance.
        WorkspaceError, StorageError
        """
        at = self.usual if threshold is None else threshold
        if not 0 <= at <= 2:
            raise InputError(f"threshold is a distance between 0 and 2, not {at}")
        table = ImageTable.open(self._workspace.collection_uri)
        name = _name(table.state, self._workspace.config().encoder, at, mirrored)
        with self._lock:
            self._wanted = name
            groups = self._found(name)
            if groups is not None:
                return Look(at, True, 1, 1, groups)
            if name in self._trouble:
                raise self._trouble.pop(name)
            if self._running is None or not self._running[1].is_alive():
                thread = threading.Thread(target=self._seek, args=(name, at, mirrored), daemon=True)
                self._running = (name, thread)
                thread.start()
        done, total = self._progress(name)
        return Look(at, False, done, total, [])

    def _found(self, name: str) -> list[list[Copy]] | None:
        """Return the groups where somebody has found them."""
        if self._read is None or self._read[0] != name:
            file = self._folder / f"{name}.json"
            if not file.is_file():
                return None
            self._read = name, [[Copy(**copy) for copy in group] for group in read_json(file)["groups"]]
        return self._read[1]

    def _progress(self, name: str) -> tuple[int, int]:
        try:
            told = json.loads((self._folder / f"{name}.progress").read_text())
            return int(told[0]), int(told[1])
        except (OSError, ValueError, IndexError):
            return 0, 0

    def _seek(self, name: str, threshold: float, mirrored: bool) -> None:
        """Find the groups and write them down, unless another process is at it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        told = self._folder / f"{name}.progress"
        last = 0.0

        def tell(progress: Progress) -> None:
            nonlocal last
            if self._wanted != name:
                raise _SupersededError
            if time.monotonic() - last >= TELL_SECONDS:
                last = time.monotonic()
                told.write_text(json.dumps([progress.done, progress.total]))

        try:
            with FileLock(self._folder / f"{name}.lock", timeout=0):
                groups = _groups(Collection.open(self._workspace.place), threshold, mirrored, tell)
                write_json(self._folder / f"{name}.json", {"groups": [[asdict(one) for one in g] for g in groups]})
                self._forget(name)
        except (Timeout, _SupersededError):
            pass
        except LookalikeError as error:
            self._trouble[name] = error
        finally:
            told.unlink(missing_ok=True)

    def _forget(self, name: str) -> None:
        """Remove what was found at other times."""
        files = sorted(self._folder.glob("*.json"), key=lambda file: file.stat().st_mtime)
        for file in [file for file in files if file.stem != name][: max(0, len(files) - KEPT)]:
            for suffix in (".json", ".lock"):
                file.with_suffix(suffix).unlink(missing_ok=True)


def _groups(collection: Collection, threshold: float, mirrored: bool, tell: OnProgress) -> list[list[Copy]]:
    """Find groups, the one to keep first: the largest picture, of equal ones the oldest file."""
    found = collection.duplicates(threshold, mirrored, tell)
    wanted = {hit.image for group in found for hit in group}
    described = ImageTable.open(collection.workspace.collection_uri).described().to_pylist() if wanted else []
    known = {one["path"]: one for one in described if one["path"] in wanted}
    groups = []
    for group in found:
        copies = [_copy(hit.image, hit.distance, known[hit.image]) for hit in group if hit.image in known]
        groups.append(sorted(copies, key=lambda copy: (-copy.width * copy.height, copy.modified, copy.image)))
    return [group for group in groups if len(group) > 1]


def _copy(image: str, distance: float, known: dict[str, int]) -> Copy:
    return Copy(image, distance, known["width"], known["height"], known["size"], known["mtime_ns"] / 1e9)


def marked(groups: list[list[Copy]], keep: Some[str], remove: Some[str]) -> list[tuple[int, Copy, Mark]]:
    """Say of every image of every group whether to keep it: the first of each, where nobody has said otherwise.

    Examples
    --------
    >>> group = [Copy("large.png", 0.0, 20, 20, 9, 0.0), Copy("small.png", 0.1, 10, 10, 5, 0.0)]
    >>> [(copy.image, mark) for _, copy, mark in marked([group], keep=["small.png"], remove=["large.png"])]
    [('large.png', 'remove'), ('small.png', 'keep')]
    """
    keep, remove = set(keep), set(remove)
    found: list[tuple[int, Copy, Mark]] = []
    for number, group in enumerate(groups, 1):
        for place, copy in enumerate(group):
            kept = copy.image in keep or (place == 0 and copy.image not in remove)
            found.append((number, copy, "keep" if kept else "remove"))
    return found


def as_csv(rows: list[tuple[int, Copy, Mark]]) -> bytes:
    """Write marks as CSV: group, mark, image, distance, width, height, bytes.

    A spreadsheet takes what begins with one of ``= + - @`` for a formula: such a path gets an apostrophe before it.
    """
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["group", "mark", "image", "distance", "width", "height", "bytes"])
    for number, copy, mark in rows:
        image = f"'{copy.image}" if copy.image[:1] in "=+-@\t" else copy.image
        table.writerow([number, mark, image, f"{copy.distance:.5f}", copy.width, copy.height, copy.bytes])
    return out.getvalue().encode("utf-8", "surrogateescape")


def _name(state: str, encoder: str, threshold: float, mirrored: bool) -> str:
    return hashlib.sha256(json.dumps([state, encoder, round(threshold, 6), mirrored]).encode()).hexdigest()[:20]
