"""Feature sets: several encoders under one name, whose features stand side by side.

A workspace keeps one file per set, ``features/sets/NAME.json``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lookalike.core.errors import InputError, UnknownNameError, WorkspaceError
from lookalike.core.features import Features
from lookalike.core.files import read_json, write_json
from lookalike.core.names import check_name, is_name
from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Vectors
from lookalike.core.vectors import unit_rows
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import Encoder, ImageLike, load_encoder
from lookalike.embedding.feature_cache import cached_features, unit_features
from lookalike.embedding.lens import Lens
from lookalike.encoders.load import PLAIN
from lookalike.encoders.name import parse_name
from lookalike.images.folder import Rejected

__all__ = [
    "ComputedSet",
    "FeatureSet",
    "compute_set",
    "define",
    "encode_set",
    "fingerprint",
    "is_tapped",
    "joint_fingerprint",
    "names",
    "read",
    "set_features",
]

FORMAT = 1
VERSION = 1
"""Raised when the same encoders come to give other features of a set."""


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Encoders under one name.

    Attributes
    ----------
    name : str
        Letters, digits, ``.``, ``_`` and ``-``; at most 64.
    encoders : tuple of str
        Their full names, in the order in which their features are put side by side.
    """

    name: str
    encoders: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ComputedSet:
    """The features of a set.

    Attributes
    ----------
    features : Features
        Side by side.
    dims : dict of str to int
        How many columns each encoder has, in order.
    fingerprint : str
        Changes whenever the same picture could have other features.
    """

    features: Features
    dims: dict[str, int]
    fingerprint: str


def define(workspace: Workspace, name: str, encoders: Sequence[str], replace: bool = False) -> FeatureSet:
    """Put encoders under a name, and keep that in the workspace. Each is loaded once, to see that it can be.

    Parameters
    ----------
    workspace : Workspace
    name : str
        As in `FeatureSet`.
    encoders : sequence of str
        One at least, as in `lookalike.load_encoder`.
    replace : bool
        Whether a set of that name may give way; models that were trained on it no longer fit.

    Raises
    ------
    InputError
        The name cannot be used, there are no encoders, one stands twice, or other encoders have that name already.
    UnknownNameError, EncoderError
        An encoder cannot be loaded.

    Examples
    --------
    >>> import tempfile
    >>> workspace = Workspace(Path(tempfile.mkdtemp()))
    >>> define(workspace, "plain", ["classic"])
    FeatureSet(name='plain', encoders=('classic',))
    >>> names(workspace), read(workspace, "plain").encoders
    (['plain'], ('classic',))
    """
    path = _file(workspace, name)
    if not encoders:
        raise InputError(f"the feature set '{name}' needs at least one encoder")
    made = FeatureSet(name, tuple(load_encoder(encoder).name for encoder in encoders))
    for number, encoder in enumerate(made.encoders):
        if encoder in made.encoders[:number]:
            raise InputError(f"the feature set '{name}': {encoder} stands twice")
    if path.exists() and not replace and read(workspace, name) != made:
        raise InputError(f"there is a feature set '{name}' of other encoders: choose another name, or --replace it")
    write_json(path, {"format": FORMAT, "name": name, "encoders": list(made.encoders)})
    return made


def names(workspace: Workspace) -> list[str]:
    """Return the names of the sets of a workspace, sorted."""
    return sorted(path.stem for path in _folder(workspace).glob("*.json") if is_name(path.stem))


def read(workspace: Workspace, name: str) -> FeatureSet:
    """Read a set by name.

    Raises
    ------
    UnknownNameError
        There is none; near names are listed.
    WorkspaceError
        Its file is damaged, or of another version.
    """
    path = _file(workspace, name)
    if not path.is_file():
        known = names(workspace)
        if not known:
            raise InputError(f"{workspace.path} has no feature sets: run `lookalike features define {name}` first")
        raise UnknownNameError("feature set", name, known)
    try:
        raw = read_json(path)
        if raw["format"] != FORMAT:
            raise WorkspaceError(f"{path} has format {raw['format']}, this version reads {FORMAT}")
        encoders = raw["encoders"]
        if not encoders or not all(isinstance(encoder, str) for encoder in encoders):
            raise TypeError("encoders are names")
        return FeatureSet(name, tuple(encoders))
    except (InputError, KeyError, TypeError, OSError) as error:
        raise WorkspaceError(f"{path} is damaged ({error}): delete it and define the set again") from error


def set_features(
    workspace: Workspace,
    feature_set: FeatureSet,
    images: Mapping[str, Path],
    lens: Lens | None = None,
    on_progress: OnProgress = silent,
) -> Features:
    """Return the features of a set alone; see `compute_set`."""
    return compute_set(workspace, feature_set, images, lens, on_progress).features


def compute_set(
    workspace: Workspace,
    feature_set: FeatureSet,
    images: Mapping[str, Path],
    lens: Lens | None = None,
    on_progress: OnProgress = silent,
    rejected: list[Rejected] | None = None,
) -> ComputedSet:
    """Encode images by every encoder of a set, one encoder in memory at a time, and put the features side by side.

    What an encoder with taps gives stays as it is: its taps have norm 1 already, unless its name says otherwise. The
    feature of any other encoder is scaled to norm 1, and so counts as one tap; of different encoders none outweighs
    the rest by the size of its numbers.

    Parameters
    ----------
    workspace : Workspace
        Keeps the features of each encoder: only new and changed files are encoded.
    feature_set : FeatureSet
    images : mapping of id to Path
    lens : Lens, optional
        How the encoders see the pictures, if not plainly.
    on_progress : callable
    rejected : list of Rejected, optional
        Takes the ids of images that some encoder cannot use, which are then left out; without it, the first is an
        error.

    Returns
    -------
    ComputedSet
        Rows in the order of `images`.

    Raises
    ------
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    images = dict(images)
    parts: list[Features] = []
    fingerprints: list[str] = []
    for name in feature_set.encoders:
        encoder = load_encoder(name)
        features = cached_features if is_tapped(encoder.name) else unit_features
        refused: list[Rejected] | None = None if rejected is None else []
        parts.append(features(workspace, encoder, images, on_progress, lens, refused))
        fingerprints.append(encoder.spec.fingerprint)
        for entry in refused or ():
            del images[entry.path]  # the encoders that follow need not try
        if rejected is not None:
            rejected += refused or ()
    dims = {name: part.vectors.shape[1] for name, part in zip(feature_set.encoders, parts, strict=True)}
    return ComputedSet(_side_by_side(parts), dims, joint_fingerprint(fingerprints))


def encode_set(encoders: Sequence[Encoder], images: Sequence[ImageLike]) -> Vectors:
    """Encode a few pictures by several encoders and put the features side by side, as `compute_set` does; keep nothing.

    Returns
    -------
    float32 (N, D)

    Raises
    ------
    ImageDecodeError

    Examples
    --------
    >>> encode_set([load_encoder("classic")], [np.zeros((64, 64, 3), np.uint8)]).shape[0]
    1
    """
    parts = [(encoder.name, encoder.encode(images)) for encoder in encoders]
    return np.concatenate([part if is_tapped(name) else unit_rows(part) for name, part in parts], axis=1)


def fingerprint(feature_set: FeatureSet) -> str:
    """Return what changes whenever the same picture could have other features; loads the encoders one by one.

    Examples
    --------
    >>> fingerprint(FeatureSet("plain", ("classic",))) == fingerprint(FeatureSet("other", ("classic",)))
    True
    """
    return joint_fingerprint([load_encoder(name).spec.fingerprint for name in feature_set.encoders])


def joint_fingerprint(fingerprints: Sequence[str]) -> str:
    """Return the fingerprint of a set from those of its encoders, in order.

    Examples
    --------
    >>> joint_fingerprint(["a", "b"]) == joint_fingerprint(["b", "a"])
    False
    """
    return hashlib.sha256(repr((VERSION, *fingerprints)).encode()).hexdigest()


def is_tapped(name: str) -> bool:
    """Return whether the name of an encoder lists layers, so that it has scaled them itself as the name says.

    Examples
    --------
    >>> is_tapped("timm:resnet18[layer4]"), is_tapped("timm:resnet18"), is_tapped("classic")
    (True, False, False)
    """
    return name.partition(":")[0] not in PLAIN and bool(parse_name(name).layers)


def _side_by_side(parts: Sequence[Features]) -> Features:
    """Concatenate features of the images that the last part has: it lacks what any encoder could not use."""
    last = parts[-1]
    if len(parts) == 1:
        return last
    ends = np.cumsum([part.vectors.shape[1] for part in parts])
    whole = np.empty((len(last), ends[-1]), np.float32)
    for part, end in zip(parts, ends.tolist(), strict=True):
        columns = whole[:, end - part.vectors.shape[1] : end]
        # Row by row of the same images there is nothing to pick, and a mapped part need not be copied first.
        columns[:] = part.vectors if len(part) == len(last) else part.vectors[part.rows(last.ids)]
    return Features(last.ids, whole)


def _folder(workspace: Workspace) -> Path:
    return workspace.path / "features" / "sets"


def _file(workspace: Workspace, name: str) -> Path:
    return _folder(workspace) / f"{check_name('feature set', name)}.json"
