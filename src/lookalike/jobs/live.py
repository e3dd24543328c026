"""A collection held open: what a server asks again and again, while other processes may write to it."""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lookalike.core.errors import LookalikeError, StorageError, WorkspaceError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Vectors
from lookalike.core.workspace import Workspace
from lookalike.embedding.collection import Collection, Hit
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_sets import encode_set
from lookalike.embedding.fused_collection import FusedVectors
from lookalike.embedding.image_filter import ImageFilter
from lookalike.images.crop import Box
from lookalike.jobs.codes import check_codes, coded_hits
from lookalike.jobs.compare import Comparison
from lookalike.jobs.labelling_pictures import Pictures, large_picture
from lookalike.jobs.live_compare import Question, Verdict
from lookalike.jobs.live_models import Choice, LiveModels, NotReadyError
from lookalike.jobs.live_sheets import Sheet, Sheets, drawn
from lookalike.jobs.live_view import Cut, NotHeldError, Picture, Upload, View, smallest_side
from lookalike.jobs.search import Wanted
from lookalike.jobs.weighed import Explained, asked_by, explained, fused_hits
from lookalike.jobs.why import Seen, Why, encoder_source, temperature_here, why
from lookalike.search.references import AGAINST, combine_references
from lookalike.search.store import ImageTable, vector_column
from lookalike.similarity.quantizer import QuantizerModel

__all__ = [
    "Box",
    "Choice",
    "Cut",
    "FoundBy",
    "Hit",
    "LiveCollection",
    "NotHeldError",
    "NotReadyError",
    "Picture",
    "Upload",
    "Verdict",
    "Why",
]

CHECK_SECONDS = 0.5
"""How long an answer may be given without looking whether the table has changed."""

PATIENCE_SECONDS = 1.0
"""How long a question waits for the changed table; after that it is answered from the one before."""

log = logging.getLogger("lookalike")


@dataclass(frozen=True, slots=True)
class FoundBy:
    """What a model or an ensemble found, and why, where that was asked."""

    hits: list[Hit]
    why: Explained | None = None


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
        self._pictures, self._sheets = Pictures(), Sheets()
        self._models = LiveModels(self._workspace, [self._view.encoder])
        self._lock = threading.Lock()
        self._looked = time.monotonic()
        self._looking: threading.Thread | None = None
        self._trouble = ""

    def __len__(self) -> int:
        return len(self._current().paths)

    @property
    def workspace(self) -> Workspace:
        """Whose collection it is."""
        return self._workspace

    @property
    def version(self) -> int:
        """Of the table that is served."""
        return self._current().table.version

    def holds(self, image: str) -> bool:
        """Whether the collection holds an image of that path."""
        return self._current().holds(image)

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
        like: Sequence[Picture],
        unlike: Sequence[Picture] = (),
        k: int = 10,
        where: str | None = None,
        offset: int = 0,
    ) -> list[Hit]:
        """Find the `k` images that look like some pictures, and not like others, closest first.

        Parameters
        ----------
        like, unlike : sequence of Upload, str or Cut
            Pictures, paths of images of the collection, which find themselves, or parts of either.
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

    def search_each(
        self, pictures: Iterable[Upload | str], k: int = 10, where: str | None = None, offset: int = 0
    ) -> list[list[Hit]]:
        """Find the `k` images closest to each of several pictures, all in one version of the table.

        Raises as `search`.
        """
        view = self._current()
        return view.collection.nearest(np.stack([view.vector(one) for one in pictures]), k, where, offset)

    def embed(self, pictures: Iterable[Upload | str]) -> Vectors:
        """Return the unit vectors of pictures, or of images of the collection, float32 (N, dim).

        Pictures are taken one by one, so that a generator need hold but one of them.

        Raises
        ------
        NotHeldError, ImageDecodeError
        """
        view = self._current()
        return np.stack([view.vector(one) for one in pictures])

    def models(self) -> list[Choice]:
        """Return what there is to search and to compare by: the encoder, then models and ensembles by name."""
        return [Choice(self.encoder, "encoder"), *self._models.listed()]

    def search_by(
        self, by: str, like: Sequence[Picture], unlike: Sequence[Picture] = (), wanted: Wanted | None = None
    ) -> FoundBy:
        """Find images as `search` does, by a model or an ensemble of the workspace.

        Parameters
        ----------
        by : str
            Its name.
        like, unlike : sequence of Upload, str or Cut
        wanted : Wanted, optional
            How many, where, and whether to say why; nothing is drawn.

        Raises
        ------
        NotReadyError
            Nobody has searched by it yet: what it searches is being made.
        UnknownNameError
            There is no such model.
        NotHeldError, ImageDecodeError, InputError, StorageError
            As `search`; or it cannot search, or not by several pictures.
        """
        wanted, view, model = wanted or Wanted(), self._current(), self._models.open(by)
        held = self._models.ready(model, view.table.version)
        fitting = view.fitting(wanted.where)
        features = np.concatenate([view.features(model.encoders, one) for one in (*like, *unlike)])
        try:
            if not isinstance(held, FusedVectors):
                check_codes(by, len(features), wanted.explain)
                hits = coded_hits(held, model.named, features, wanted.k, wanted.offset, fitting)[0]
                return FoundBy(view.listed(view.present(hits)))
            asked = asked_by(model.source, features, [(np.arange(len(features)), len(like))], wanted.against)
            hits = fused_hits(held, model.source, asked, wanted.k, wanted.offset, fitting)[0]
            hits = view.listed(view.present(hits))
            why = explained(held, model.source, asked[0], [hit.image for hit in hits]) if wanted.explain else None
        except StorageError:
            self._models.forget(by)
            raise
        return FoundBy(hits, why)

    def explain(
        self,
        like: Sequence[Picture],
        unlike: Sequence[Picture],
        image: str,
        by: str | None = None,
        than: str | None = None,
        grid: int = 0,
    ) -> Why:
        """Say why an image was found; see `lookalike.jobs.why.why`.

        Parameters
        ----------
        like, unlike : sequence of Upload, str or Cut
            As they were searched for.
        image : str
            What was found.
        by : str, optional
            The model or the ensemble; without it, the encoder.
        than : str, optional
            Another image: how likely people find `image` closer than that.
        grid : int
            Cells across and down of the maps; 0 makes none.

        Raises
        ------
        NotHeldError, UnknownNameError, ImageDecodeError, InputError
            As `search_by`.
        """
        view = self._current()
        encoders, source = [view.encoder], encoder_source(view.encoder)
        temperature: float | None = view.encoder.spec.temperature
        if by is not None:
            model = self._models.open(by)
            check_codes(by, 1, isinstance(model.named.model, QuantizerModel))
            encoders, source, temperature = model.encoders, model.source, temperature_here(model.named)
        side = smallest_side(encoders)
        pictures = [view.decoded(one, side) for one in (*like, *unlike, image)]
        other = None if than is None else view.decoded(than, side)
        seen = Seen(pictures[: len(like)], pictures[len(like) : -1], pictures[-1], other)
        return why(source, lambda some: encode_set(encoders, some), seen, temperature, side, grid)

    def compare(self, reference: Picture, a: Picture, b: Picture, by: str | None = None) -> Comparison:
        """Say which of two pictures is closer to a reference, by a model or an ensemble, or else by the encoder.

        Raises
        ------
        NotHeldError, ImageDecodeError
            One is not there, or cannot be read; the error carries its name.
        UnknownNameError, InputError, EncoderError
            There is no such model, or it cannot be used.
        """
        question = Question(self._current(), self._models, [reference, a, b])
        return question.by_encoder() if by is None else question.by_model(by)

    def verdicts(self, reference: Picture, a: Picture, b: Picture) -> list[Verdict]:
        """Compare by the encoder, and by every model and ensemble of the workspace.

        Raises
        ------
        NotHeldError, ImageDecodeError
        """
        return Question(self._current(), self._models, [reference, a, b]).by_all()

    def images(self, after: str, limit: int) -> tuple[list[str], int]:
        """Return up to `limit` paths that sort after `after`, and how many images there are in all."""
        view = self._current()
        start = bisect_right(view.paths, after) if after else 0
        found = view.paths[start : start + limit]
        view.lists.append(found)
        return found, len(view.paths)

    def expect(self, images: list[str]) -> None:
        """Have the thumbnails of some images read together, once the first of them is asked for."""
        self._current().lists.append(images)

    def thumbnail(self, image: str) -> bytes | None:
        """Return the stored thumbnail (JPEG) of an image, or None where the collection does not hold it."""
        return self._current().thumbnail(image)

    def sheet(self, images: list[str], side: int) -> Sheet:
        """Return the middle squares of the thumbnails of some images as one JPEG; see `live_sheets.drawn`."""
        view = self._current()

        def make() -> Sheet:
            view.lists.append(images)
            return drawn([view.thumbnail(image) for image in images], side)

        return self._sheets.get(view.table.version, images, side, make)

    def picture(self, image: str) -> bytes | None:
        """Return a JPEG of an image, large enough to look at, or None where the collection does not hold it."""
        view = self._current()
        if not view.holds(image):
            return None
        found = self._pictures.get(view.table.version, image)
        if found is None:
            found = large_picture(view.collection.root / image, view.row(image))
            self._pictures.keep(view.table.version, image, found)
        return found

    def _current(self) -> View:
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
    collection = Collection(workspace, table, Path(config.root), encoder)
    column, images = vector_column(encoder.name, encoder.spec.fingerprint), ImageFilter(workspace.collection_uri)
    view = View(config, encoder, table, column, collection, images)
    view.paths = collection.searchable(on_progress)[0]
    return view
