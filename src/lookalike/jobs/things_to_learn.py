"""What a matcher learns from: photographs and views of them, and pairs that show the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.progress import OnProgress
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_sets import FeatureSet, compute_set
from lookalike.embedding.lens import ViewLens
from lookalike.embedding.view_features import view_features
from lookalike.images.augmentation import chosen_augmentation
from lookalike.images.folder import Rejected
from lookalike.jobs.evaluate_pairs import guess_format, pair_files
from lookalike.jobs.matching_pictures import matching_pictures
from lookalike.judgments.pairs import Pairs
from lookalike.judgments.readers import read_pairs
from lookalike.reports.view_sheet import ViewRow, view_sheet

__all__ = ["LearnedFrom", "WhatThings", "about_things", "learned_from", "show_views"]

SHEET_ROWS, SHEET_VIEWS = 12, 8


@dataclass(frozen=True, slots=True)
class WhatThings:
    """What to learn from: `photos`, `pairs`, or both.

    Attributes
    ----------
    photos : Path, optional
        A folder, read with all its folders; each photograph is a thing of its own, unless pairs say otherwise.
    views : int
        Of each image; 0 for none, where there are pairs.
    augmentation : str
        What views look like, see `lookalike.images.augmentation.chosen_augmentation`.
    pairs : Path, optional
        A file or folder of pairs that show the same.
    pair_format : str, optional
        Guessed from the path without it.
    images : Path, optional
        The folder in which ids of pairs become files.
    """

    photos: Path | None = None
    views: int = 8
    augmentation: str = "corrected"
    pairs: Path | None = None
    pair_format: str | None = None
    images: Path | None = None

    @property
    def pairing(self) -> str:
        """How views are paired: with their original, or any two, as the augmentation says."""
        return "given" if chosen_augmentation(self.augmentation).plain_first else "any"


@dataclass(frozen=True, slots=True, eq=False)
class LearnedFrom:
    """Pairs and features of all their images.

    Attributes
    ----------
    pairs : Pairs
        Those that were given first, then every image with its views; `Pairs.images` holds the files.
    features : Features
        Of images and views.
    fingerprint : str
    images : int
        How many of them are images and not views.
    copies : int
        Files left out because another has the same content.
    rejected : list of Rejected
    """

    pairs: Pairs
    features: Features
    fingerprint: str
    images: int
    copies: int
    rejected: list[Rejected]


def learned_from(
    workspace: Workspace, chosen: FeatureSet, what: WhatThings, seed: int, on_progress: OnProgress
) -> LearnedFrom:
    """Read and encode what there is to learn from.

    Raises
    ------
    InputError
        There is nothing, or too little, to learn from; or no file is known for an image of a pair.
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    augmentation = chosen_augmentation(what.augmentation)
    given = None
    if what.pairs is not None:
        images = what.images or what.photos
        given = read_pairs(what.pair_format or guess_format(what.pairs), what.pairs, images)
    elif not what.views:
        raise InputError("without pairs there is nothing to learn from but views: ask for one at least")
    files, things, copies, rejected = _pictures(what.photos, given, on_progress)
    same = _paired(things)
    if what.views:
        viewed = view_features(workspace, chosen, files, augmentation, what.views, seed, on_progress, rejected)
        features, fingerprint, plain = viewed.features, viewed.fingerprint, viewed.plain
        views = viewed.pairs.left.tolist(), viewed.pairs.right.tolist()
    else:
        computed = compute_set(workspace, chosen, files, None, on_progress, rejected)
        features, fingerprint, plain = computed.features, computed.fingerprint, computed.features
        views = [], []
    usable = set(plain.ids.tolist())
    kept = [(left, right) for left, right in same if left in usable and right in usable]
    pairs = Pairs.from_ids(
        [left for left, _ in kept] + views[0],
        [right for _, right in kept] + views[1],
        {id_: path for id_, path in files.items() if id_ in usable},
    )
    if len(pairs) == 0 or len(np.unique(pairs.groups())) < 2:
        raise InputError("all that there is to learn from shows one thing: to tell things apart takes two at least")
    return LearnedFrom(pairs, features, fingerprint, len(usable), copies, rejected)


class _Report(Protocol):
    """What all reports of trainings on things say."""

    @property
    def pairs(self) -> int: ...
    @property
    def images(self) -> int: ...
    @property
    def encoders(self) -> tuple[str, ...]: ...
    @property
    def settings(self) -> dict[str, Any]: ...


def about_things(report: _Report, what: WhatThings, fingerprint: str) -> dict[str, Any]:
    """Return what stands on the card of every model that learned from things: where it comes from."""
    return {
        "learned_from": "pairs",
        "examples": report.pairs,
        "images": report.images,
        "what": {name: value if value is None else str(value) for name, value in asdict(what).items()},
        "encoders": list(report.encoders),
        "fingerprint": fingerprint,
        "settings": report.settings,
    }


def show_views(file: Path, chosen: FeatureSet, what: WhatThings, learned: LearnedFrom, seed: int) -> None:
    """Draw some of the images with views of them, as the first encoder is shown them."""
    encoder, count = load_encoder(chosen.encoders[0]), min(what.views, SHEET_VIEWS)
    augmentation = chosen_augmentation(what.augmentation)
    lenses = [ViewLens(augmentation, number, seed) for number in range(1, count + 1)]
    files = list(learned.pairs.images.items())
    rows = []
    for id_, path in files[:: -(-len(files) // SHEET_ROWS)]:
        rows.append(ViewRow(id_, [encoder.pixels(path), *(lens.pixels(encoder, path) for lens in lenses)]))
    columns = ["plain", *(f"view {number}" for number in range(1, count + 1))]
    view_sheet(file, f"views: {what.augmentation}", columns, rows)


def _pictures(
    photos: Path | None, given: Pairs | None, on_progress: OnProgress
) -> tuple[dict[str, Path], dict[str, int], int, list[Rejected]]:
    """Return the files by id, what they show, and how many were left out as copies, or cannot be read."""
    if photos is not None:
        found = matching_pictures(photos, given, on_progress)
        files = dict(zip(found.ids, found.files, strict=True))
        return files, dict(zip(found.ids, found.things.tolist(), strict=True)), found.copies, found.rejected
    if given is None:
        raise InputError("give a folder of photographs, or --pairs PATH")
    shown = dict(zip(given.ids.tolist(), given.things().tolist(), strict=True))
    return pair_files(given), shown, 0, []


def _paired(things: Mapping[str, int]) -> list[tuple[str, str]]:
    """Pair the first image of each thing with all others of it."""
    first: dict[int, str] = {}
    return [(first[thing], id_) for id_, thing in things.items() if first.setdefault(thing, id_) != id_]
