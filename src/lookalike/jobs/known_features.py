"""Features of images of the collection that are at hand: nothing is encoded for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lookalike.core.features import Features
from lookalike.core.types import Vectors
from lookalike.core.vectors import unit_rows
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_cache import known_features
from lookalike.embedding.feature_sets import is_tapped
from lookalike.encoders.spec import EncoderSpec
from lookalike.search.image_rows import vector_column
from lookalike.search.store import ImageTable

__all__ = ["KnownFeatures"]


class KnownFeatures:
    """What the collection's table and the workspace's cache of features hold. Not for several threads at once.

    Parameters
    ----------
    workspace : Workspace
        With a collection.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from lookalike.embedding.collection import Collection
    >>> photos = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (64, 64), (200, 0, 0)).save(photos / "red.png")
    >>> collection = Collection.create(photos / ".lookalike", root=photos)
    >>> _ = collection.sync()
    >>> KnownFeatures(collection.workspace).of(["compact"], ["red.png", "gone.png"]).ids.tolist()
    ['red.png']
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._cards: dict[str, EncoderSpec] = {}

    def card(self, name: str) -> EncoderSpec:
        """Return the card of an encoder, which is loaded for it once, and not kept in memory.

        Raises
        ------
        UnknownNameError, EncoderError
        """
        if name not in self._cards:
            self._cards[name] = load_encoder(name).spec
        return self._cards[name]

    def stored(self, name: str, images: Sequence[str]) -> Features:
        """Return the unit vectors of an encoder that the collection is searched by; images without one are left out.

        Raises
        ------
        UnknownNameError, EncoderError, StorageError
        """
        card = self.card(name)
        table, column = ImageTable.open(self._workspace.collection_uri), vector_column(name, card.fingerprint)
        if column not in table.columns or not len(images):
            return Features(np.zeros(0, np.str_), np.zeros((0, card.dim), np.float32))
        vectors = table.vectors_of(column, images)
        there = vectors.any(axis=1)
        return Features(np.asarray(images, np.str_)[there], vectors[there])

    def of(self, names: Sequence[str], images: Sequence[str]) -> Features:
        """Return features as a model takes them, those of several encoders side by side.

        Parameters
        ----------
        names : sequence of str
            Of encoders, in the order of the model's.
        images : sequence of str
            Distinct paths in the collection; one whose features an encoder lacks is left out.

        Raises
        ------
        UnknownNameError, EncoderError, StorageError
        """
        left = list(images)
        parts = []
        for name in names:
            parts.append(self._of_one(name, left))
            left = [image for image in left if image in parts[-1]]
        width = sum(self.card(name).dim for name in names)
        rows = [np.concatenate([part[image] for part in parts]) for image in left]
        return Features(np.array(left, np.str_), np.array(rows, np.float32).reshape(len(left), width))

    def _of_one(self, name: str, images: Sequence[str]) -> dict[str, Vectors]:
        """Return what is known by image, as `lookalike.embedding.feature_sets.compute_set` scales it."""
        card, found = self.card(name), {}
        if not is_tapped(card.name):  # then unit vectors are what models take, and the table has them
            stored = self.stored(name, images)
            found = dict(zip(stored.ids.tolist(), stored.vectors, strict=True))
        folder = self._workspace.config().folder
        if folder is None:
            return found
        files = {image: folder / image for image in images if image not in found}
        cached = known_features(self._workspace, card, files)
        vectors = cached.vectors if is_tapped(card.name) else unit_rows(cached.vectors)
        return found | dict(zip(cached.ids.tolist(), vectors, strict=True))
