"""What pictures are matched by: an encoder, a trained model, or an ensemble that weighs its models for each picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np

from lookalike.core.features import Features
from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Vectors
from lookalike.core.vectors import unit_rows
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_sets import FeatureSet, compute_set
from lookalike.embedding.lens import Lens
from lookalike.embedding.matching import Queries
from lookalike.embedding.sights import Sight, sight_features
from lookalike.ensembles.base import Ensemble
from lookalike.images.folder import Rejected
from lookalike.jobs.compare import default_encoder
from lookalike.jobs.models import NamedModel, model_features, open_model
from lookalike.similarity.model import SimilarityModel

__all__ = ["Matcher", "open_matcher"]


@dataclass(frozen=True, slots=True, eq=False)
class Matcher:
    """Made by `open_matcher`.

    Attributes
    ----------
    name : str
        Of the encoder or the model.
    encoders : FeatureSet
        Whose features it takes.
    """

    name: str
    encoders: FeatureSet
    _workspace: Workspace
    _named: NamedModel | None = None

    def see(
        self,
        images: Mapping[str, Path],
        lens: Lens | None = None,
        on_progress: OnProgress = silent,
        rejected: list[Rejected] | None = None,
    ) -> Features:
        """Return the features of image files; only what is new or changed is encoded. See `compute_set`.

        Raises
        ------
        InputError
            An encoder gives other features than when the model was trained.
        ImageDecodeError, EncoderError, StorageError
        """
        if self._named is not None and lens is None:
            return model_features(self._workspace, self._named, images, on_progress, rejected)
        return compute_set(self._workspace, self.encoders, images, lens, on_progress, rejected).features

    def see_through(
        self, images: Mapping[str, Path], lenses: Sequence[Lens], on_progress: OnProgress = silent
    ) -> Features:
        """Return the features of images through several lenses, lens by lens, each in the order of the images."""
        sights = [Sight(images, lens, f"#{lens.name}") for lens in lenses]
        return sight_features(self._workspace, self.encoders, sights, on_progress).features

    def targets(self, features: Features) -> Vectors:
        """Return what is searched, float32 (N, D), rows of one norm."""
        return self._model.transform(features) if self._model is not None else unit_rows(features.vectors)

    def queries(self, features: Features) -> Queries:
        """Return what it is searched with."""
        model = self._model
        if isinstance(model, Ensemble):
            return Queries(model.query(features), (model.offset(features) - 1).astype(np.float32))
        return Queries.of(self.targets(features))

    @property
    def weighs_by_query(self) -> bool:
        """Whether the distance of two images depends on which of them is asked about."""
        return isinstance(self._model, Ensemble)

    def digest(self, ids: Mapping[str, Path], vectors: Vectors) -> str:
        """Return what changes when the targets do, or what is made of them."""
        card = self._named.card if self._named is not None else self.encoders.encoders
        hashed = blake2b(json.dumps([card, list(ids)], sort_keys=True, default=str).encode(), digest_size=16)
        hashed.update(np.ascontiguousarray(vectors).data)
        return hashed.hexdigest()

    @property
    def _model(self) -> SimilarityModel | Ensemble | None:
        return self._named.model if self._named is not None else None


def open_matcher(workspace: Workspace, encoder: str | None = None, model: str | None = None) -> Matcher:
    """Load a model, or an encoder; by default the encoder of the workspace.

    Raises
    ------
    UnknownNameError, EncoderError, InputError
        There is no such model or encoder, or it cannot be used.

    Examples
    --------
    >>> open_matcher(Workspace(Path("nowhere"))).name
    'compact'
    """
    if model is not None:
        named = open_model(workspace, model)
        return Matcher(named.name, named.features, workspace, named)
    name = load_encoder(encoder or default_encoder(workspace.place)).name
    return Matcher(name, FeatureSet("", (name,)), workspace)
