"""Features of pictures through several lenses, in one table: each encoder is in memory once."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lookalike.core.features import Features
from lookalike.core.progress import OnProgress, silent
from lookalike.core.vectors import unit_rows
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_cache import cached_features
from lookalike.embedding.feature_sets import ComputedSet, FeatureSet, is_tapped, joint_fingerprint
from lookalike.embedding.lens import Lens
from lookalike.images.folder import Rejected

__all__ = ["Sight", "sight_features"]

ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Sight:
    """Pictures, and how they are looked at.

    Attributes
    ----------
    files : mapping of id to Path
    lens : Lens, optional
        None looks plainly.
    suffix : str
        What is added to the ids, so that a picture seen twice has two.
    """

    files: Mapping[str, Path]
    lens: Lens | None = None
    suffix: str = ""


def sight_features(
    workspace: Workspace,
    feature_set: FeatureSet,
    sights: Sequence[Sight],
    on_progress: OnProgress = silent,
    rejected: list[Rejected] | None = None,
) -> ComputedSet:
    """Encode pictures through several lenses by every encoder of a set.

    Features are scaled as by `lookalike.embedding.feature_sets.compute_set`.

    Parameters
    ----------
    workspace : Workspace
        Keeps the features by encoder and lens: only what is new is encoded.
    feature_set : FeatureSet
    sights : sequence of Sight
    on_progress : callable
    rejected : list of Rejected, optional
        Takes the ids, without suffix, of pictures that some encoder cannot use in some sight; they are then left out of
        all. Without it, the first is an error.

    Returns
    -------
    ComputedSet
        Rows sight by sight, each in the order of its files.

    Raises
    ------
    InputError
        Two rows would have one id.
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    refused: dict[str, str] = {}
    parts: dict[str, list[Features]] = {}
    tapped: set[str] = set()
    fingerprints: list[str] = []
    for name in feature_set.encoders:
        encoder = load_encoder(name)
        tapped |= {name} if is_tapped(encoder.name) else set()
        fingerprints.append(encoder.spec.fingerprint)
        parts[name] = []
        for sight in sights:
            usable = {image: path for image, path in sight.files.items() if image not in refused}
            found: list[Rejected] | None = None if rejected is None else []
            parts[name].append(cached_features(workspace, encoder, usable, on_progress, sight.lens, found))
            refused |= {entry.path: entry.reason for entry in found or ()}
    if rejected is not None:
        rejected += [Rejected(image, reason) for image, reason in refused.items()]
    dims = {name: part[0].vectors.shape[1] for name, part in parts.items()}
    return ComputedSet(_filled(parts, tapped, sights, refused), dims, joint_fingerprint(fingerprints))


def _filled(
    parts: Mapping[str, Sequence[Features]], tapped: Container[str], sights: Sequence[Sight], refused: Container[str]
) -> Features:
    """Put the parts in their places: encoders side by side, sights one below the other."""
    kept = [[image for image in sight.files if image not in refused] for sight in sights]
    width = sum(part[0].vectors.shape[1] for part in parts.values())
    whole = np.empty((sum(map(len, kept)), width), np.float32)
    left = 0
    for name, seen in parts.items():
        right, first = left + seen[0].vectors.shape[1], 0
        for part, ids in zip(seen, kept, strict=True):
            rows = part.rows(ids)
            for start in range(0, len(ids), ROWS_AT_ONCE):
                block = part.vectors[rows[start : start + ROWS_AT_ONCE]]
                at = slice(first + start, first + start + len(block))
                whole[at, left:right] = block if name in tapped else unit_rows(block)
            first += len(ids)
        left = right
    named = [image + sight.suffix for sight, ids in zip(sights, kept, strict=True) for image in ids]
    return Features(np.array(named, np.str_), whole)
