"""The workspace: the folder ``.lookalike/`` that holds a collection, judgments, models and reports."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lookalike.core.errors import InputError, WorkspaceError
from lookalike.core.files import read_json, write_json

__all__ = ["DEFAULT_ENCODER", "Workspace", "WorkspaceConfig"]

DEFAULT_ENCODER = "classic"
"""What a new workspace encodes with, unless told otherwise."""

FORMAT = 1


@dataclass(frozen=True, slots=True)
class WorkspaceConfig:
    """What a workspace remembers between commands.

    Attributes
    ----------
    root : str
        Absolute path of the folder of photographs; image paths are relative to it.
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


class Workspace:
    """The files of one workspace.

    Parameters
    ----------
    path : Path
        The folder itself, usually ``.lookalike``.

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

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def collection_uri(self) -> str:
        """Where the collection's table is."""
        return str(self.path / "collection")

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
        """Whether this folder is a workspace."""
        return self.config_file.is_file()

    def config(self) -> WorkspaceConfig:
        """Read the configuration.

        Raises
        ------
        WorkspaceError
            There is no workspace here, or its configuration cannot be used.
        """
        if not self.exists():
            raise WorkspaceError(f"there is no workspace at {self.path}: run `lookalike index PHOTOS` first")
        try:
            raw = read_json(self.config_file)
            if raw["format"] != FORMAT:
                raise WorkspaceError(f"{self.path} has format {raw['format']}, this version reads {FORMAT}")
            encoders = tuple(str(name) for name in raw["encoders"])
            return WorkspaceConfig(str(raw["root"]), str(raw["encoder"]), encoders)
        except (InputError, KeyError, TypeError, OSError) as error:
            raise WorkspaceError(
                f"{self.config_file} is damaged ({error}): delete that file and index again; vectors are kept"
            ) from error

    def configure(self, config: WorkspaceConfig) -> None:
        """Write the configuration, making the folder if needed."""
        write_json(self.config_file, {"format": FORMAT, **asdict(config)})

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the workspace for writing; a killed process lets go by itself.

        Raises
        ------
        WorkspaceError
            Another process holds it.
        """
        from filelock import FileLock, Timeout

        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / "write.lock", timeout=0)
            lock.acquire()
        except Timeout:
            raise WorkspaceError(
                f"another lookalike is writing to {self.path}: wait for it, or use --workspace"
            ) from None
        except (OSError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or error
            raise WorkspaceError(f"cannot write to {self.path}: {reason}") from error
        try:
            yield
        finally:
            lock.release()
