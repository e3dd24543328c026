"""The newest version of a collection's table that is ready: looked for now and then, in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time

from lookalike.core.errors import LookalikeError, WorkspaceError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.workspace import Workspace
from lookalike.embedding.collection import Collection
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.image_filter import ImageFilter
from lookalike.images.sources.opening import open_source
from lookalike.jobs.live_view import View
from lookalike.search.image_rows import vector_column
from lookalike.search.store import ImageTable

__all__ = ["Newest"]

CHECK_SECONDS = 0.5
"""How long an answer may be given without looking whether the table has changed."""

PATIENCE_SECONDS = 1.0
"""How long a question waits for the changed table; after that it is answered from the one before."""

log = logging.getLogger("lookalike")


class Newest:
    """Holds a view, and another one once the table or the configuration has changed. Safe for several threads.

    Parameters
    ----------
    workspace : Workspace
    on_progress : callable, optional
        Told of building the first index.

    Attributes
    ----------
    last : View
        The one that answers.

    Raises
    ------
    WorkspaceError, StorageError, EncoderError, UnknownNameError
        There is no collection, or it cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = Path(tempfile.mkdtemp())
    >>> collection = Collection.create(folder / ".lookalike", root=folder)
    >>> newest = Newest(collection.workspace)
    >>> newest.view() is newest.last
    True
    """

    def __init__(self, workspace: Workspace, on_progress: OnProgress = silent) -> None:
        self._workspace = workspace
        self.last = _open(workspace, None, on_progress)
        self._lock = threading.Lock()
        self._looked = time.monotonic()
        self._looking: threading.Thread | None = None
        self._trouble = ""

    def view(self) -> View:
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
        return self.last

    def _look(self) -> None:
        """Open the table anew when it, or the workspace's configuration, has changed."""
        try:
            self.last = _open(self._workspace, self.last)
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


def _open(workspace: Workspace, before: View | None, on_progress: OnProgress = silent) -> View:
    """Open the newest version; return `before` where that is it."""
    config = workspace.config()
    if not config.root:
        raise WorkspaceError(f"{workspace.place} holds vectors alone: there are no photographs to show")
    same = before is not None and before.config.encoder == config.encoder
    encoder = before.encoder if before is not None and same else load_encoder(config.encoder)
    table = ImageTable.open(workspace.collection_uri)
    if before is not None and before.config == config and before.table.version == table.version:
        return before
    collection = Collection(workspace, table, open_source(config.root), encoder)
    column, images = vector_column(encoder.name, encoder.spec.fingerprint), ImageFilter(workspace.collection_uri)
    view = View(config, encoder, table, column, collection, images)
    view.paths = collection.searchable(on_progress)[0]
    return view
