"""A collection held open: what a server asks again and again, while other processes may write to it."""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_left, bisect_right
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lookalike.core.errors import ImageDecodeError, InputError, LookalikeError, WorkspaceError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Vectors
from lookalike.core.workspace import Workspace, WorkspaceConfig
from lookalike.embedding.collection import Collection, Hit
from lookalike.embedding.encoder import Encoder, load_encoder
from lookalike.jobs.compare import Comparison, compare_vectors
from lookalike.search.references import AGAINST, combine_references
from lookalike.search.store import ImageTable, vector_column

__all__ = ["Hit", "LiveCollection", "NotHeldError", "Upload"]

CHECK_SECONDS = 0.5
"""How long an answer may be given without looking whether the table has changed."""

PATIENCE_SECONDS = 1.0
"""How long a question waits for the changed table; after that it is answered from the one before."""

THUMBNAILS_KEPT = 2048
LISTS_KEPT = 64

log = logging.getLogger("lookalike")


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture that is no file here: its name, for messages, and the content of the file."""

    name: str
    content: bytes


class NotHeldError(InputError):
    """The collection holds no image of that path."""


class LiveCollection:
    """A workspace's collection, opened once; safe to ask from several threads.

    Every question is answered from one version of the table. A version that another process has written takes over
    within a second; where its index takes longer to build, the version before answers until it is ready.

    Parameters
    ----------
    workspace : Path
        The workspace folder.
    on_progress : callable, optional
        Told of building the first index.

    Raises
    ------
    WorkspaceError
        There is none.
    StorageError, EncoderError, UnknownNameError
        Its table cannot be read, or its encoder cannot be loaded.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> photos = Path(tempfile.mkdtemp())
    >>> for name, colour in {"red": (200, 0, 0), "rose": (210, 30, 30), "sea": (0, 60, 200)}.items():
    ...     Image.new("RGB", (64, 64), colour).save(photos / f"{name}.png")
    >>> _ = Collection.create(photos / ".lookalike", root=photos).sync()
    >>> live = LiveCollection(photos / ".lookalike")
    >>> [hit.image for hit in live.search(["red.png"], k=2)]
    ['red.png', 'rose.png']
    """

    def __init__(self, workspace: Path, on_progress: OnProgress = silent) -> None:
        self._workspace = Workspace(workspace)
        self._view = _open(self._workspace, None, on_progress)
        self._lock = threading.Lock()
        self._looked = time.monotonic()
        self._looking: threading.Thread | None = None
        self._trouble = ""

    def __len__(self) -> int:
        return len(self._current().paths)

    @property
    def encoder(self) -> str:
        """Name of the encoder whose vectors are searched."""
        return self._view.encoder.name

    @property
    def lanes(self) -> int:
        """How many pictures are worth encoding at once."""
        return self._view.encoder.lanes

    def search(
        self,
        like: Sequence[Upload | str],
        unlike: Sequence[Upload | str] = (),
        k: int = 10,
        where: str | None = None,
        offset: int = 0,
    ) -> list[Hit]:
        """Find the `k` images that look like some pictures, and not like others, closest first.

        Parameters
        ----------
        like, unlike : sequence of Upload or str
            Pictures, or paths of images of the collection, which find themselves.
        k : int
        where : str, optional
            Only images that fit this filter (`lookalike.search.filters.Filter`).
        offset : int
            How many of the closest are passed over.

        Raises
        ------
        NotHeldError
            The collection holds no image of a path.
        ImageDecodeError
            A picture cannot be read; the error carries its name.
        InputError
            Nothing is liked, the pictures cancel each other out, the filter is not understood, `k` is below 1, `offset`
            below 0, or the collection has no images.
        """
        view = self._current()
        vectors = np.stack([view.vector(one) for one in (*like, *unlike)])
        if len(vectors) > 1:
            ones = np.ones((len(vectors), 1))
            vectors = combine_references([vectors], ones, len(like), AGAINST)[0][0]
        return view.listed(view.collection.nearest(vectors, k, where, offset)[0])

    def compare(self, reference: Upload, a: Upload, b: Upload) -> Comparison:
        """Say which of two pictures is closer to a reference.

        Raises
        ------
        ImageDecodeError
            One cannot be read; the error carries its name.
        """
        encoder = self._current().encoder
        vectors = np.stack([_vector(encoder, picture) for picture in (reference, a, b)])
        return compare_vectors(vectors, encoder.spec.temperature)

    def images(self, after: str, limit: int) -> tuple[list[str], int]:
        """Return up to `limit` paths that sort after `after`, and how many images there are in all."""
        view = self._current()
        start = bisect_right(view.paths, after) if after else 0
        found = view.paths[start : start + limit]
        view.lists.append(found)
        return found, len(view.paths)

    def thumbnail(self, image: str) -> bytes | None:
        """Return the stored thumbnail (JPEG) of an image, or None where the collection does not hold it."""
        return self._current().thumbnail(image)

    def _current(self) -> _View:
        """Return the newest version that is ready; look for a newer one when it is time to."""
        with self._lock:
            if self._looking is None and time.monotonic() - self._looked >= CHECK_SECONDS:
                self._looked = time.monotonic()
                # A thread of its own, so that nobody waits for a large index; daemon, so that it holds up no exit.
                self._looking = threading.Thread(target=self._look, name="lookalike-refresh", daemon=True)
                self._looking.start()
            looking = self._looking
        if looking is not None:
            looking.join(max(0.0, self._looked + PATIENCE_SECONDS - time.monotonic()))
        return self._view

    def _look(self) -> None:
        """Open the table anew when it, or the workspace's configuration, has changed."""
        try:
            self._view = _open(self._workspace, self._view)
            self._trouble = ""
        except LookalikeError as error:
            # What was read before is still good; say once that nothing newer can be.
            if str(error) != self._trouble:
                self._trouble = str(error)
                log.warning("the collection is served as it was before: %s", error)
        finally:
            with self._lock:
                self._looked = time.monotonic()
                self._looking = None


@dataclass(eq=False)
class _View:
    """One version of the table, with what has been read of it."""

    config: WorkspaceConfig
    encoder: Encoder
    table: ImageTable
    column: str
    collection: Collection
    paths: list[str] = field(default_factory=list)
    lists: deque[list[str]] = field(default_factory=lambda: deque(maxlen=LISTS_KEPT))
    kept: OrderedDict[str, bytes] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def vector(self, picture: Upload | str) -> Vectors:
        """Return the unit vector of a picture, or of an image that is held."""
        if isinstance(picture, Upload):
            return _vector(self.encoder, picture)
        row = self.table.rows(self.column, [picture]).get(picture) if self.holds(picture) else None
        if row is None:
            raise NotHeldError(f"the collection holds no image {picture}")
        return row.vector

    def holds(self, image: str) -> bool:
        place = bisect_left(self.paths, image)
        return place < len(self.paths) and self.paths[place] == image

    def listed(self, hits: list[Hit]) -> list[Hit]:
        self.lists.append([hit.image for hit in hits])
        return hits

    def thumbnail(self, image: str) -> bytes | None:
        """Read a thumbnail, and with it those of the list it was shown in: a page asks for all, one scan gives all."""
        if not self.holds(image):
            return None
        with self.lock:
            if image not in self.kept:
                beside = next((shown for shown in reversed(list(self.lists)) if image in shown), [image])
                self.kept.update(self.table.thumbnails(beside))
                if image in self.kept:
                    self.kept.move_to_end(image)
                while len(self.kept) > THUMBNAILS_KEPT:
                    self.kept.popitem(last=False)
            return self.kept.get(image)


def _open(workspace: Workspace, before: _View | None, on_progress: OnProgress = silent) -> _View:
    """Open the newest version; return `before` where that is it."""
    config = workspace.config()
    if not config.root:
        raise WorkspaceError(f"{workspace.place} holds vectors alone: there are no photographs to show")
    same = before is not None and before.config.encoder == config.encoder
    encoder = before.encoder if before is not None and same else load_encoder(config.encoder)
    table = ImageTable.open(workspace.collection_uri)
    if before is not None and before.config == config and before.table.version == table.version:
        return before
    collection = Collection(workspace, table, Path(config.root), encoder)
    view = _View(config, encoder, table, vector_column(encoder.name, encoder.spec.fingerprint), collection)
    view.paths = collection.searchable(on_progress)[0]
    return view


def _vector(encoder: Encoder, picture: Upload) -> Vectors:
    """Encode an upload as a unit vector."""
    try:
        return encoder.vector(picture.content)
    except ImageDecodeError as error:
        raise ImageDecodeError(picture.name, error.reason) from error
