"""Features of images and of their views side by side: what matching is learned from, without labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.progress import OnProgress, silent
from lookalike.core.workspace import Workspace
from lookalike.embedding.feature_sets import FeatureSet
from lookalike.embedding.lens import ViewLens
from lookalike.embedding.sights import Sight, sight_features
from lookalike.images.augmentation import Augmentation
from lookalike.images.folder import Rejected
from lookalike.judgments.pairs import Pairs

__all__ = ["ViewedSet", "view_features", "view_id"]


@dataclass(frozen=True, slots=True, eq=False)
class ViewedSet:
    """The features of a set, of images and of their views.

    Attributes
    ----------
    features : Features
        All images in their order, then the first view of each, then the second, and so on: float32
        ((1 + count) * N, D).
    pairs : Pairs
        Every image with each of its views; `Pairs.images` holds the files of the images.
    dims : dict of str to int
        How many columns each encoder has, in order.
    fingerprint : str
        Changes whenever the same picture could have other features.
    plain : Features
        Of the images alone, (N, D); shares the memory of `features`.
    """

    features: Features
    pairs: Pairs
    dims: dict[str, int]
    fingerprint: str
    plain: Features


def view_id(image: str, number: int) -> str:
    """Return the id of a view of an image, which is itself an image.

    Examples
    --------
    >>> view_id("cats/1.jpg", 2)
    'cats/1.jpg#view-2'
    """
    return image + _suffix(number)


def view_features(
    workspace: Workspace,
    feature_set: FeatureSet,
    files: Mapping[str, Path],
    augmentation: Augmentation,
    count: int,
    seed: int = 0,
    on_progress: OnProgress = silent,
    rejected: list[Rejected] | None = None,
) -> ViewedSet:
    """Encode images and views of them by every encoder of a set, one encoder in memory at a time.

    Features are scaled as by `lookalike.embedding.feature_sets.compute_set`.

    Parameters
    ----------
    workspace : Workspace
        Keeps the features by encoder and view: only what is new is encoded.
    feature_set : FeatureSet
    files : mapping of id to Path
    augmentation : Augmentation
    count : int
        Views of each image, 1 at least.
    seed : int
        Of the views; with a larger count, the first ones stay as they are.
    on_progress : callable
    rejected : list of Rejected, optional
        Takes the ids of images that some encoder cannot use, as they are or in a view, which are then left out;
        without it, the first is an error.

    Returns
    -------
    ViewedSet

    Raises
    ------
    InputError
        There are no views, or no images.
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    if count < 1:
        raise InputError(f"an image has one view at least, not {count}")
    plain = Sight(files)
    views = [Sight(files, ViewLens(augmentation, number, seed), _suffix(number)) for number in range(1, count + 1)]
    found = sight_features(workspace, feature_set, [plain, *views], on_progress, rejected)
    images = len(found.features) // (1 + count)
    if not images:
        raise InputError("there are no images that could be encoded")
    ids = found.features.ids[:images]
    return ViewedSet(
        features=found.features,
        pairs=_pairs({image: files[image] for image in ids.tolist()}, count),
        dims=found.dims,
        fingerprint=found.fingerprint,
        plain=Features(ids, found.features.vectors[:images]),
    )


def _suffix(number: int) -> str:
    return f"#view-{number}"


def _pairs(files: Mapping[str, Path], count: int) -> Pairs:
    ids = [image for image in files for _ in range(count)]
    views = [view_id(image, number) for image in files for number in range(1, count + 1)]
    return Pairs.from_ids(ids, views, dict(files))
