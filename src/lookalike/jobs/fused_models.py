"""The fused vectors of a workspace's models: made once for a group of models, whatever ensemble asks for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.progress import OnProgress
from lookalike.core.types import Vectors
from lookalike.core.workspace import Workspace
from lookalike.embedding.features import file_stamp
from lookalike.embedding.fused_collection import FusedVectors
from lookalike.ensembles.base import Ensemble
from lookalike.images.folder import Rejected
from lookalike.jobs.models import NamedModel, list_models, model_features, open_model
from lookalike.search.disposable import EXACT_BELOW
from lookalike.search.fused_reduction import BUDGET, SAMPLE_AT_MOST, fit_layout
from lookalike.search.fused_table import FusedTable
from lookalike.similarity.model import SimilarityModel, describe
from lookalike.similarity.selected import SelectedModel

__all__ = ["Member", "Source", "fused_images", "source_of"]

PREFIX = "fused_models_"
ROWS_AT_ONCE = 16_384


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One model of what is searched by.

    Attributes
    ----------
    name : str
        As people know it.
    key : str
        A digest of all that its vectors depend on: the same model under another name, or in another ensemble, has the
        same; the same name after another training has not.
    model : SimilarityModel
    """

    name: str
    key: str
    model: SimilarityModel


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A model or an ensemble, and the models in it."""

    named: NamedModel
    members: list[Member]

    @property
    def keys(self) -> set[str]:
        """Of its models."""
        return {member.key for member in self.members}

    def vectors(self, features: Features | Vectors) -> dict[str, Vectors]:
        """Return the unit vectors of images by the key of each model."""
        return {member.key: member.model.transform(features) for member in self.members}


def source_of(named: NamedModel) -> Source:
    """Return a model alone, or an ensemble with the names of its models."""
    features = str(named.card["about"].get("fingerprint"))
    if not isinstance(named.model, Ensemble):
        return Source(named, [Member(named.name, _key(named.model, features), named.model)])
    names = list(named.card["about"].get("members") or ())
    models = named.model.models_
    if len(names) != len(models):
        names = [f"model {number}" for number in range(1, len(models) + 1)]
    members = [Member(name, _key(model, features), model) for name, model in zip(names, models, strict=True)]
    return Source(named, members)


def fused_images(
    workspace: Workspace, source: Source, files: Mapping[str, Path], on_progress: OnProgress
) -> FusedVectors:
    """Return the fused vectors of image files by all models of a source, and perhaps by more.

    Those of a group of models that holds these are used where there are any: only files that are new or have changed
    since are encoded, and those that are gone, or cannot be read, are taken out. Otherwise a group is made, and groups
    that no model of the workspace could fill any more are dropped. A read-only workspace has what writers have made.

    Raises
    ------
    InputError
        There are no images, or the model was trained on other features; or the workspace is read-only, and nobody has
        made vectors by these models.
    StorageError
        The workspace cannot be written.
    """
    if workspace.read_only:
        return _made_by_writers(workspace, source)
    stamps = {id_: stamp for id_, path in files.items() if (stamp := _stamp(path)) is not None}
    there = {id_: files[id_] for id_ in stamps}
    whole = len(stamps) < EXACT_BELOW
    for fused in _groups(workspace, source.keys, whole):
        held = fused.held()
        new = {id_: path for id_, path in there.items() if held.get(id_) != stamps[id_]}
        filler = _filler(workspace, source, fused) if new else source
        if filler is not None:
            fused.remove([id_ for id_ in held if id_ not in there])
            _fill(workspace, filler, fused, new, stamps, on_progress)
            return fused
    fused = _made(workspace, source, there, whole, on_progress)
    _fill(workspace, source, fused, there, stamps, on_progress)
    _drop_others(workspace, fused)
    return fused


def _made_by_writers(workspace: Workspace, source: Source) -> FusedVectors:
    for fused in _groups(workspace, source.keys, whole=True):
        return fused
    name = source.named.name
    raise InputError(
        f"{workspace.place} has no vectors by {name}, and is open read-only: "
        f"run `lookalike search PICTURE --ensemble {name}` once where it may be written to"
    )


def _groups(workspace: Workspace, needed: set[str], whole: bool) -> list[FusedVectors]:
    """Return groups that hold all models that are needed, the smallest first.

    Where there are so many images that an index is built, those within the budget alone.
    """
    names = [name for name in FusedTable.names(workspace.collection_uri) if name.startswith(PREFIX)]
    found = [FusedVectors(workspace.collection_uri, name, workspace.index_folder) for name in names]
    fit = [
        fused
        for fused in found
        if needed <= set(fused.dims) and (whole or sum(model.kept for model in fused.layout.models) <= BUDGET)
    ]
    return sorted(fit, key=lambda fused: fused.layout.width)


def _filler(workspace: Workspace, source: Source, fused: FusedVectors) -> Source | None:
    """Return who gives vectors for all models of a group: the source itself, or an ensemble of the workspace."""
    if set(fused.dims) <= source.keys:
        return source
    for name, card in list_models(workspace.path).items():
        if len(card.get("members", ())) >= len(fused.dims):
            other = source_of(open_model(workspace, name))
            if set(fused.dims) <= other.keys:
                return other
    return None


def _made(
    workspace: Workspace, source: Source, files: Mapping[str, Path], whole: bool, on_progress: OnProgress
) -> FusedVectors:
    """Make an empty group; with so many images that an index is built, its models are reduced to the budget."""
    named, budget = source.named, None if whole else BUDGET
    if not files:
        raise InputError(f"{workspace.place} has no images that {named.name} could be asked about")
    rows: Features | Vectors = np.zeros((0, named.model.n_features_in_), np.float32)
    if not whole:
        some = dict(list(files.items())[:: -(-len(files) // SAMPLE_AT_MOST)])
        rows = model_features(workspace, named, some, on_progress, [])
    layout = fit_layout(source.vectors(rows), budget)
    digest = hashlib.sha256(repr((sorted(layout.names), budget)).encode()).hexdigest()[:16]
    return FusedVectors.create(workspace.collection_uri, PREFIX + digest, workspace.index_folder, layout)


def _fill(
    workspace: Workspace,
    source: Source,
    fused: FusedVectors,
    files: Mapping[str, Path],
    stamps: Mapping[str, int],
    on_progress: OnProgress,
) -> None:
    """Add the vectors of files, some thousands at a time, and take out what cannot be read any more."""
    ids = list(files)
    for start in range(0, len(ids), ROWS_AT_ONCE):
        unreadable: list[Rejected] = []
        some = {id_: files[id_] for id_ in ids[start : start + ROWS_AT_ONCE]}
        features = model_features(workspace, source.named, some, on_progress, unreadable)
        if len(features):
            made_of = np.array([stamps[id_] for id_ in features.ids.tolist()], np.int64)
            vectors = {key: rows for key, rows in source.vectors(features).items() if key in fused.dims}
            fused.add(features.ids, vectors, made_of)
        fused.remove([entry.path for entry in unreadable])


def _drop_others(workspace: Workspace, kept: FusedVectors) -> None:
    """Drop groups of models that the workspace has no more, and those of the same models before they were reduced."""
    known = [source_of(open_model(workspace, name)).keys for name in list_models(workspace.path)]
    for fused in _groups(workspace, set(), whole=True):
        keys = set(fused.dims)
        fillable = keys != set(kept.dims) and any(keys <= own for own in known)
        if fused.name != kept.name and not fillable:
            FusedTable.drop(workspace.collection_uri, fused.name)


def _key(model: SimilarityModel, features: str) -> str:
    # In an ensemble a model stands on columns of the features of all; on all columns it is the model that it was alone.
    if isinstance(model, SelectedModel) and model.columns_ == (0, model.n_features_in_):
        return _key(model.model_, features)
    made = hashlib.sha256(json.dumps([features, describe(model)], sort_keys=True, default=str).encode())
    for name, array in sorted(model.arrays().items()):
        made.update(repr((name, array.dtype.str, array.shape)).encode())
        made.update(np.ascontiguousarray(array).tobytes())
    return made.hexdigest()[:16]


def _stamp(path: Path) -> int | None:
    """Return one number, below 2^63, of size and time of a file; None where there is none."""
    size, changed = file_stamp(path)
    return None if size < 0 else (size * 0x9E3779B97F4A7C15 + changed) % (1 << 63)
