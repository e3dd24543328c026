"""A collection held open: what a server asks again and again, while other processes may write to it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Vectors
from lookalike.core.workspace import Workspace
from lookalike.embedding.collection import Hit
from lookalike.images.crop import Box
from lookalike.jobs.compare import Comparison
from lookalike.jobs.labelling_pictures import Pictures, large_picture
from lookalike.jobs.live_compare import Question, Verdict
from lookalike.jobs.live_models import Choice, LiveModels, NotReadyError
from lookalike.jobs.live_newest import Newest
from lookalike.jobs.live_search import FoundBy, asked_vector, explained_by, found_by
from lookalike.jobs.live_sheets import Sheet, Sheets, drawn
from lookalike.jobs.live_view import Cut, NotHeldError, Picture, Upload
from lookalike.jobs.search import Wanted
from lookalike.jobs.why import Why

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
    >>> from lookalike.embedding.collection import Collection
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
        self._newest = Newest(self._workspace, on_progress)
        self._pictures, self._sheets = Pictures(), Sheets()
        self._models = LiveModels(self._workspace, [self._newest.last.encoder])

    def __len__(self) -> int:
        return len(self._newest.view().paths)

    @property
    def workspace(self) -> Workspace:
        """Whose collection it is."""
        return self._workspace

    @property
    def version(self) -> int:
        """Of the table that is served."""
        return self._newest.view().table.version

    def holds(self, image: str) -> bool:
        """Whether the collection holds an image of that path."""
        return self._newest.view().holds(image)

    @property
    def encoder(self) -> str:
        """Name of the encoder whose vectors are searched."""
        return self._newest.last.encoder.name

    @property
    def lanes(self) -> int:
        """How many pictures are worth encoding at once."""
        return self._newest.last.encoder.lanes

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
        view = self._newest.view()
        return view.listed(view.collection.nearest(asked_vector(view, like, unlike), k, where, offset)[0])

    def search_each(
        self, pictures: Iterable[Upload | str], k: int = 10, where: str | None = None, offset: int = 0
    ) -> list[list[Hit]]:
        """Find the `k` images closest to each of several pictures, all in one version of the table.

        Raises as `search`.
        """
        view = self._newest.view()
        return view.collection.nearest(np.stack([view.vector(one) for one in pictures]), k, where, offset)

    def embed(self, pictures: Iterable[Upload | str]) -> Vectors:
        """Return the unit vectors of pictures, or of images of the collection, float32 (N, dim).

        Pictures are taken one by one, so that a generator need hold but one of them.

        Raises
        ------
        NotHeldError, ImageDecodeError
        """
        view = self._newest.view()
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
        return found_by(self._newest.view(), self._models, by, like, unlike, wanted or Wanted())

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
        return explained_by(self._newest.view(), self._models, like, unlike, image, by, than, grid)

    def compare(self, reference: Picture, a: Picture, b: Picture, by: str | None = None) -> Comparison:
        """Say which of two pictures is closer to a reference, by a model or an ensemble, or else by the encoder.

        Raises
        ------
        NotHeldError, ImageDecodeError
            One is not there, or cannot be read; the error carries its name.
        UnknownNameError, InputError, EncoderError
            There is no such model, or it cannot be used.
        """
        question = Question(self._newest.view(), self._models, [reference, a, b])
        return question.by_encoder() if by is None else question.by_model(by)

    def verdicts(self, reference: Picture, a: Picture, b: Picture) -> list[Verdict]:
        """Compare by the encoder, and by every model and ensemble of the workspace.

        Raises
        ------
        NotHeldError, ImageDecodeError
        """
        return Question(self._newest.view(), self._models, [reference, a, b]).by_all()

    def images(self, after: str, limit: int) -> tuple[list[str], int]:
        """Return up to `limit` paths that sort after `after`, and how many images there are in all."""
        view = self._newest.view()
        start = bisect_right(view.paths, after) if after else 0
        found = view.paths[start : start + limit]
        view.lists.append(found)
        return found, len(view.paths)

    def expect(self, images: list[str]) -> None:
        """Have the thumbnails of some images read together, once the first of them is asked for."""
        self._newest.view().lists.append(images)

    def thumbnail(self, image: str) -> bytes | None:
        """Return the stored thumbnail (JPEG) of an image, or None where the collection does not hold it."""
        return self._newest.view().thumbnail(image)

    def sheet(self, images: list[str], side: int) -> Sheet:
        """Return the middle squares of the thumbnails of some images as one JPEG; see `live_sheets.drawn`."""
        view = self._newest.view()

        def make() -> Sheet:
            view.lists.append(images)
            return drawn([view.thumbnail(image) for image in images], side)

        return self._sheets.get(view.table.version, images, side, make)

    def picture(self, image: str) -> bytes | None:
        """Return a JPEG of an image, large enough to look at, or None where the collection does not hold it."""
        view = self._newest.view()
        if not view.holds(image):
            return None
        found = self._pictures.get(view.table.version, image)
        if found is None:
            found = large_picture(view.collection.original(image), view.row(image))
            self._pictures.keep(view.table.version, image, found)
        return found
