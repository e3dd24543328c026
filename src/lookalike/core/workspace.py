"""The workspace: the folder ``.lookalike/`` that holds a collection, judgments, models and reports.

A collection may also be at an address, ``s3://bucket/prefix``: then the database of its tables and its settings are
there, and all else is in a folder on this machine (`lookalike.core.object_store.local_half`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lookalike.core.conditional_writes import require_conditional_writes
from lookalike.core.errors import InputError, WorkspaceError
from lookalike.core.files import read_json, write_json
from lookalike.core.object_store import address_of, local_half
from lookalike.core.shared_settings import make_settings, read_settings, write_settings
from lookalike.core.source_names import source_name

__all__ = ["DEFAULT_ENCODER", "Workspace", "WorkspaceConfig"]

DEFAULT_ENCODER = "compact"
"""What a new workspace encodes with, unless told otherwise."""

FORMAT = 1


@dataclass(frozen=True, slots=True)
class WorkspaceConfig:
    """What a workspace remembers between commands.

    Attributes
    ----------
    root : str
        Where the photographs are (`lookalike.core.source_names`): mostly the absolute path of their folder. Image paths
        are relative to it. Empty where there are none.
    encoder : str
        The encoder that commands use unless told otherwise.
    encoders : tuple of str
        All that the collection was indexed with.
    """

    root: str
    encoder: str
    encoders: tuple[str, ...] = ()

    def using(self, root: str, encoder: str) -> WorkspaceConfig:
        """Return the configuration after indexing `root` with `encoder`; earlier encoders stay listed."""
        return WorkspaceConfig(root, encoder, (*(name for name in self.encoders if name != encoder), encoder))

    @property
    def folder(self) -> Path | None:
        """The folder of the photographs; None where they are no files of this machine."""
        return source_name(self.root).folder if self.root else None


class Workspace:
    """The files of one workspace.

    Parameters
    ----------
    place : Path or str
        The folder itself, usually ``.lookalike``; or the address of the collection.
    read_only : bool
        Whether writing to the collection is refused. ``LOOKALIKE_READ_ONLY=1`` in the environment does the same.

    Attributes
    ----------
    path : Path
        The folder of what is kept on this machine.
    place : str
        Of the collection, as people know it: the folder, or the address.
    address : str or None
        Where the collection is not in the folder.
    read_only : bool

    Examples
    --------
    >>> import tempfile
    >>> workspace = Workspace(Path(tempfile.mkdtemp()) / ".lookalike")
    >>> workspace.exists()
    False
    >>> workspace.configure(WorkspaceConfig(root="/photos", encoder="classic"))
    >>> workspace.config().encoder
    'classic'
    """

    def __init__(self, place: Path | str, read_only: bool = False) -> None:
        self.address = address_of(place)
        self.path = Path(place) if self.address is None else local_half(self.address)
        self.place = self.address or str(self.path)
        self.read_only = read_only or os.environ.get("LOOKALIKE_READ_ONLY", "0") not in ("", "0")

    @property
    def collection_uri(self) -> str:
        """Where the collection's table is."""
        return self.address or str(self.path / "collection")

    @property
    def listings_folder(self) -> Path:
        """What was found in archives and tables of pictures, so that unchanged ones are not looked through again."""
        return self.path / "listings"

    @property
    def index_folder(self) -> Path:
        """Disposable index files."""
        return self.path / "index"

    @property
    def rejected_file(self) -> Path:
        """The inputs that the last run could not read, with reasons."""
        return self.path / "rejected.json"

    @property
    def runs_folder(self) -> Path:
        """One record per run."""
        return self.path / "runs"

    @property
    def jobs_folder(self) -> Path:
        """One folder per job that a server started."""
        return self.path / "jobs"

    @property
    def leaderboard_file(self) -> Path:
        """What its models came to when they were last measured side by side."""
        return self.path / "leaderboard.json"

    @property
    def map_file(self) -> Path:
        """Where images of the collection stand on a map."""
        return self.path / "map.json"

    @property
    def contexts_file(self) -> Path:
        """The images of contexts that people named on the map."""
        return self.path / "contexts.csv"

    @property
    def models_folder(self) -> Path:
        """Models by name: numbers and a card each."""
        return self.path / "models"

    @property
    def judgments_file(self) -> Path:
        """The store of judgments."""
        return self.path / "judgments.sqlite"

    @property
    def keys_file(self) -> Path:
        """Hashes of the keys that open a server."""
        return self.path / "keys.json"

    @property
    def config_file(self) -> Path:
        """The configuration."""
        return self.path / "workspace.json"

    def exists(self) -> bool:
        """Whether this folder is a workspace, or the address has a collection."""
        return self.config_file.is_file() if self.address is None else read_settings(self.address) is not None

    def config(self) -> WorkspaceConfig:
        """Read the configuration.

        Raises
        ------
        WorkspaceError
            There is no workspace here, or its configuration cannot be used.
        """
        try:
            raw = self._settings()
            if raw is None:
                where = "workspace" if self.address is None else "collection"
                raise WorkspaceError(f"there is no {where} at {self.place}: run `lookalike index PHOTOS` first")
            if raw["format"] != FORMAT:
                raise WorkspaceError(f"{self.place} has format {raw['format']}, this version reads {FORMAT}")
            encoders = tuple(str(name) for name in raw["encoders"])
            return WorkspaceConfig(str(raw["root"]), str(raw["encoder"]), encoders)
        except (InputError, KeyError, TypeError, OSError) as error:
            raise WorkspaceError(
                f"{self.config_file} is damaged ({error}): delete that file and index again; vectors are kept"
            ) from error

    def source(self) -> str:
        """Return where the photographs are (`lookalike.core.source_names`).

        Raises
        ------
        WorkspaceError
            There is no collection, or it holds vectors alone.
        """
        root = self.config().root
        if not root:
            raise WorkspaceError(f"{self.place} holds vectors alone: there are no photographs to work on")
        return root

    def photographs(self) -> Path:
        """Return the folder of the photographs, for what needs their files.

        Raises
        ------
        WorkspaceError
            As `source`, or the photographs are not in a folder of this machine.
        """
        root = self.source()
        folder = source_name(root).folder
        if folder is None:
            raise WorkspaceError(
                f"the photographs of {self.place} are in {root}, and this needs them as files: "
                "copy them into a folder, and index that with another --workspace"
            )
        return folder

    def configure(self, config: WorkspaceConfig) -> None:
        """Write the configuration, making the folder if needed.

        Raises
        ------
        WorkspaceError
            The workspace is read-only, or another process has just made a collection at the address.
        StorageError
            It cannot be written, or the server does not know conditional writes.
        """
        self._before_writing()
        settings = {"format": FORMAT, **asdict(config), "encoders": list(config.encoders)}
        if self.address is None:
            write_json(self.config_file, settings)
        elif (before := read_settings(self.address)) is None:
            make_settings(self.address, settings)
        elif before != settings:
            write_settings(self.address, settings)

    def check_writable(self) -> None:
        """Raise a `WorkspaceError` where the collection was opened to be read alone."""
        if self.read_only:
            raise WorkspaceError(
                f"{self.place} is open read-only, and this would write to it: open it without read_only, "
                "--read-only and LOOKALIKE_READ_ONLY"
            )

    def _before_writing(self) -> None:
        self.check_writable()
        if self.address is not None:
            require_conditional_writes(self.address)

    def _settings(self) -> Any:
        if self.address is not None:
            return read_settings(self.address)
        return read_json(self.config_file) if self.exists() else None

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the workspace for writing; a killed process lets go by itself.

        At an address this keeps apart the processes of this machine alone; machines are kept apart by the commits of
        the tables.

        Raises
        ------
        WorkspaceError
            Another process holds it, or it is read-only.
        StorageError
            The server of the address does not know conditional writes.
        """
        from filelock import FileLock, Timeout

        self._before_writing()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / "write.lock", timeout=0)
            lock.acquire()
        except Timeout:
            raise WorkspaceError(
                f"another lookalike is writing to {self.place}: wait for it, or use --workspace"
            ) from None
        except (OSError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or error
            raise WorkspaceError(f"cannot write to {self.path}: {reason}") from error
        try:
            yield
        finally:
            lock.release()
