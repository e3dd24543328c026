"""Features of labelled photographs and of one view of each, for `quantizer.py`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lookalike import Features, Pairs
from lookalike.core.progress import Progress
from lookalike.core.workspace import Workspace
from lookalike.embedding.feature_sets import FeatureSet, set_features
from lookalike.embedding.view_features import view_features
from lookalike.images.augmentation import AUGMENTATIONS

SETS = ("scenes", "flowers")
NETWORKS = ("squeezenet_bn_places365.onnx", "mobilenetv2_gluon_imagenet.onnx")
QUERIES, SEED = 1000, 0


@dataclass(frozen=True)
class Labelled:
    """Photographs in classes, divided into queries and a gallery that codes are learned from.

    Attributes
    ----------
    queries, gallery : float32
        Features as they are.
    query_classes, gallery_classes : int
    pairs : Pairs
        Every image of the gallery with a view of it.
    features : Features
        Of these.
    """

    queries: np.ndarray
    gallery: np.ndarray
    query_classes: np.ndarray
    gallery_classes: np.ndarray
    pairs: Pairs
    features: Features


def tell(step: Progress) -> None:
    sys.stderr.write(f"\r{step.stage[-60:]} {step.done}/{step.total}   ")


def labelled(shared: Path, cache: Path, name: str) -> Labelled:
    """Read a set whose folders are its classes; features are kept in the cache."""
    files = sorted((shared / "data" / name).rglob("*.jpg"))
    ids = [file.relative_to(shared / "data" / name).as_posix() for file in files]
    classes = np.unique([file.parent.name for file in files], return_inverse=True)[1]
    order = np.random.default_rng(SEED).permutation(len(files))
    queries, gallery = np.sort(order[:QUERIES]), np.sort(order[QUERIES:])
    encoders = FeatureSet("", tuple(f"onnx:{shared / 'weights' / network}" for network in NETWORKS))
    workspace, images = Workspace(cache / "workspace"), dict(zip(ids, files, strict=True))
    plain = set_features(workspace, encoders, images, on_progress=tell).vectors
    known = {ids[row]: files[row] for row in gallery}
    viewed = view_features(workspace, encoders, known, AUGMENTATIONS["mild"], 1, SEED, tell)
    return Labelled(plain[queries], plain[gallery], classes[queries], classes[gallery], viewed.pairs, viewed.features)
