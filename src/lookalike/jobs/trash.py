"""Files of a collection go into a trash folder of the workspace, after a dry run that says exactly which; and back."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lookalike.core.errors import InputError, StorageError, UnknownNameError
from lookalike.core.files import read_json, write_json
from lookalike.core.workspace import Workspace
from lookalike.embedding.collection import Collection
from lookalike.search.store import ImageTable

__all__ = ["DryRun", "Going", "Trashed", "dry_run", "list_trash", "put_back", "trash"]

MANIFEST = "removed.json"


@dataclass(frozen=True, slots=True)
class Going:
    """A file that would go: its path in the collection, and how large it is."""

    image: str
    bytes: int


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would go, and what would not.

    Attributes
    ----------
    files : list of Going
    refused : dict of str to str
        Images that stay, and why.
    confirm : str
        What `trash` must be given: it stands for these files as they are now, and no others.
    """

    files: list[Going]
    refused: dict[str, str]
    confirm: str

    @property
    def bytes(self) -> int:
        """Of all of them."""
        return sum(file.bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Trashed:
    """Files that went together.

    Attributes
    ----------
    id : str
    removed_at : float
        Seconds since 1970, UTC.
    by : str
        Whose key it was; empty where no keys are asked for.
    files : list of Going
    """

    id: str
    removed_at: float
    by: str
    files: list[Going]


def dry_run(workspace: Path | str, images: Sequence[str]) -> DryRun:
    """Say which files of the collection would go. Nothing is changed.

    Raises
    ------
    InputError
        There are no images, or the collection has no folder of photographs.
    WorkspaceError, StorageError

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> photos = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (32, 32)).save(photos / "a.png")
    >>> _ = Collection.create(photos / ".lookalike", root=photos).sync()
    >>> planned = dry_run(photos / ".lookalike", ["a.png", "../secret"])
    >>> [file.image for file in planned.files], planned.refused
    (['a.png'], {'../secret': 'the collection holds no such image'})
    """
    held, wanted = Workspace(workspace), sorted(set(images))
    if not wanted:
        raise InputError("images: say which ones")
    root = _root(held)
    known = _known(ImageTable.open(held.collection_uri), wanted)
    files, refused, seen = [], {}, []
    for image in wanted:
        try:
            status = _checked(root, image, known)
        except InputError as error:
            refused[image] = str(error)
            continue
        files.append(Going(image, status.st_size))
        seen.append([image, status.st_size, status.st_mtime_ns, status.st_ino])
    confirm = hashlib.sha256(json.dumps([str(root), seen]).encode()).hexdigest()[:32]
    return DryRun(files, refused, confirm)


def trash(workspace: Path | str, images: Sequence[str], confirm: str, by: str = "") -> Trashed:
    """Move files into the trash folder of the workspace, and take them out of the collection.

    Parameters
    ----------
    workspace : Path or str
    images : sequence of str
    confirm : str
        What a dry run of the same images said.
    by : str
        Whose key it was.

    Raises
    ------
    InputError
        The files are not, or not any more, those that the dry run has listed: nothing is moved.
    WorkspaceError
        Another process is writing, or the workspace is read-only.
    StorageError
        A file cannot be moved; those that went before it can be put back.
    """
    held = Workspace(workspace)
    with held.lock():
        planned = dry_run(workspace, images)
        if planned.refused or not planned.files or not secrets.compare_digest(planned.confirm, confirm):
            raise InputError("these are not the files that the dry run has listed: make another one")
        root = _root(held)
        gone = Trashed(f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}", time.time(), by, planned.files)
        folder = _folder(held) / gone.id
        # First what goes, then the files: whatever happens, there is a list to put back by.
        write_json(folder / MANIFEST, {"root": str(root), **asdict(gone)})
        for file in gone.files:
            _move(root / file.image, folder / "files" / file.image)
        ImageTable.open(held.collection_uri).mark_removed([file.image for file in gone.files])
    return gone


def put_back(workspace: Path | str, id: str) -> list[str]:
    """Move files from the trash to where they were, and into the collection again; return their paths.

    Raises
    ------
    UnknownNameError
        There is no such.
    InputError
        Another file is in the place of one of them: nothing is moved.
    WorkspaceError, StorageError
    """
    held = Workspace(workspace)
    known = {one.id: one for one in list_trash(workspace)}
    if id not in known:
        raise UnknownNameError("removal", id[:80], known)
    root, folder = _root(held), _folder(held) / id
    with held.lock():
        waiting = [file.image for file in known[id].files if os.path.lexists(folder / "files" / file.image)]
        for image in waiting:
            if os.path.lexists(root / image):
                raise InputError(f"another file is at {image} now: move it away first")
        for image in waiting:
            _move(folder / "files" / image, root / image)
    Collection.open(workspace).add([root / image for image in waiting])
    shutil.rmtree(folder, ignore_errors=True)
    return waiting


def list_trash(workspace: Path | str) -> list[Trashed]:
    """Return what was removed and can be put back, the latest first."""
    found = []
    for file in _folder(Workspace(workspace)).glob(f"*/{MANIFEST}"):
        raw = read_json(file)
        try:
            files = [Going(**one) for one in raw["files"]]
            found.append(Trashed(file.parent.name, float(raw["removed_at"]), str(raw["by"]), files))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{file} is damaged: put the files beside it back by hand") from error
    return sorted(found, key=lambda one: one.removed_at, reverse=True)


def _folder(workspace: Workspace) -> Path:
    return workspace.path / "trash"


def _root(workspace: Workspace) -> Path:
    config = workspace.config()
    if config.folder is None:
        holds = f"photographs in {config.root}, not in a folder of this machine" if config.root else "vectors alone"
        raise InputError(f"{workspace.place} holds {holds}: there are no files to remove")
    return config.folder


def _known(table: ImageTable, images: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return size and modification time (ns) of the images that the collection holds, as they were indexed."""
    wanted = set(images)
    return {
        one["path"]: (one["size"], one["mtime_ns"]) for one in table.described().to_pylist() if one["path"] in wanted
    }


def _checked(root: Path, image: str, known: dict[str, tuple[int, int]]) -> os.stat_result:
    """Return the status of an image's file, or say why it stays."""
    if image not in known:
        raise InputError("the collection holds no such image")
    path = root / image
    try:
        status = path.stat()
        inside = path.parent.resolve().is_relative_to(root.resolve())
    except OSError as error:
        raise InputError("its file is not there any more") from error
    if not inside:
        raise InputError("its folder is a link that leads out of the collection")
    if not stat.S_ISREG(status.st_mode) or (status.st_size, status.st_mtime_ns) != known[image]:
        raise InputError("its file has changed since it was indexed")
    return status


def _move(path: Path, to: Path) -> None:
    """Move a file, or the link that it is; across disks too."""
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, to)
    except OSError as error:
        raise StorageError(f"cannot move {path}: {error.strerror or error}") from error
