"""Do the experiment of "Image similarity" again (Le and others, 2023): photographs matched by file name among many.

A head over the class logits of frozen networks, trained by NT-Xent on all pictures of both sides without any labels.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.runs import record_run
from lookalike.core.types import Pixels, Rows
from lookalike.core.vectors import unit_rows
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import Encoder, load_encoder
from lookalike.embedding.feature_sets import FeatureSet, compute_set
from lookalike.embedding.view_features import ViewedSet, view_features
from lookalike.images.augmentation import AUGMENTATIONS
from lookalike.images.folder import Rejected, scan
from lookalike.jobs.leaderboard import short_name
from lookalike.metrics.checks import Floats
from lookalike.metrics.intervals import Estimate, bootstrap_share
from lookalike.metrics.named_partner import partner_hits
from lookalike.similarity.prepared import need_torch
from lookalike.similarity.projection import ProjectionModel
from lookalike.training.plan import Epoch

__all__ = ["DEPTH", "MEMBERS", "GreyLens", "MatchingRow", "ReproducedMatching", "reproduce_matching"]

DEPTH = 15
"""The published tables count hits among the first 1 to 15 targets."""
VIEWS = 8
HASHES = ("hash:ahash", "hash:dhash", "hash:phash", "hash:whash", "hash:crop-resistant")

MEMBERS: dict[str, dict[str, str]] = {
    "post": {
        "torchvision:vit_b_16.IMAGENET1K_SWAG_LINEAR_V1": "heads.head",
        "torchvision:convnext_small": "classifier.2",
        "torchvision:swin_t": "head",
    },
    "proposal": {"torchvision:vgg16": "classifier.6", "torchvision:resnet50": "fc", "torchvision:inception_v3": "fc"},
}
"""Networks of the two published ensembles, each with the layer that gives its class logits."""

Mode: TypeAlias = Literal["published", "corrected"]


@dataclass(frozen=True, slots=True)
class GreyLens:
    """The picture without its colour, as the published evaluation (and not the training) sees it."""

    @property
    def name(self) -> str:
        """Always ``"grey"``."""
        return "grey"

    def pixels(self, encoder: Encoder, path: str | Path) -> Pixels:
        """Return grey pixels, three equal channels; see `lookalike.embedding.lens.Lens`."""
        from PIL import Image

        return np.array(Image.fromarray(encoder.pixels(path)).convert("L").convert("RGB"))


@dataclass(frozen=True, slots=True)
class MatchingRow:
    """One line of the table.

    Attributes
    ----------
    model : str
        An encoder, or several with a plus between them; a head is named after them.
    hits : list of Estimate
        Share of sources whose target is among the first 1, 2, … `DEPTH`; intervals draw sources anew.
    """

    model: str
    hits: list[Estimate]


@dataclass(frozen=True, slots=True)
class ReproducedMatching:
    """What came out.

    Attributes
    ----------
    rows : list of MatchingRow
        In the order of the method: each network as it is and under its head, all together as they are and under one
        head, and the image hashes.
    mode : str
    grey : bool
        Whether it was measured on grey pictures.
    sources, targets : int
        Pictures; of the sources, those whose file name some target has.
    lonely : int
        Sources that were left out, for no target has their name.
    rejected : list of Rejected
        Files that cannot be read, and why.
    seconds : float
    """

    rows: list[MatchingRow]
    mode: str
    grey: bool
    sources: int
    targets: int
    lonely: int
    rejected: list[Rejected]
    seconds: float


def reproduce_matching(
    workspace: Path,
    source: Path,
    target: Path,
    encoders: Sequence[str] = (),
    members: str = "post",
    mode: Mode = "published",
    grey: bool | None = None,
    epochs: int | None = None,
    views: int = VIEWS,
    seed: int = 0,
    on_progress: OnProgress = silent,
) -> ReproducedMatching:
    """Count how often a source finds the target with its file name, before and after contrastive training.

    Published: class logits; a head 1000-1000-1000 for one network, 3000-2000-1000 for three; NT-Xent with temperature
    0.05, each picture against one view of it, the two defects of the views included; gradient descent at 1e-3 with
    momentum 0.9 and weight decay 1e-3, batches of 256, 15 passes; measured on grey pictures. Other than there, each
    picture has a number of stored views instead of a new one in every pass.

    Corrected: features before the classifier, our views, our head and its defaults, pictures as they are.

    Parameters
    ----------
    workspace : Path
        Keeps the features.
    source, target : Path
        Folders; a source matches the target whose file has the same name.
    encoders : sequence of str
        Instead of the published networks; taken as they are named.
    members : {"post", "proposal"}
        Which published ensemble.
    mode : {"published", "corrected"}
    grey : bool, optional
        Whether to measure on grey pictures; by default as the mode says.
    epochs : int, optional
        Passes of training.
    views : int
        Of each picture.
    seed : int
    on_progress : callable

    Raises
    ------
    InputError
        A folder has no images, no source has a target of its name, a choice is unknown, or PyTorch is missing.
    UnknownNameError, EncoderError, StorageError
    """
    started = time.perf_counter()
    need_torch()
    if members not in MEMBERS or mode not in AUGMENTATIONS:
        raise InputError(f"members are {' or '.join(MEMBERS)}, modes published or corrected: not {members}, {mode}")
    held = Workspace(workspace)
    rejected: list[Rejected] = []
    names = tuple(load_encoder(name).name for name in encoders or _published_names(members, mode))
    files = _files(source, "source", rejected) | _files(target, "target", rejected)
    viewed = view_features(held, FeatureSet("", names), files, AUGMENTATIONS[mode], views, seed, on_progress, rejected)
    by_grey = mode == "published" if grey is None else grey
    shown = viewed.plain
    if by_grey:
        usable = {name: files[name] for name in shown.ids.tolist()}
        shown = compute_set(held, FeatureSet("", names), usable, GreyLens(), on_progress).features
    sides = _Sides.of(shown.ids.tolist())
    rows: list[MatchingRow] = []
    for label, columns, hidden in _parts(viewed.dims):
        given = Features(shown.ids, shown.vectors[:, columns])
        rows.append(_row(label, sides, Features(given.ids, unit_rows(given.vectors))))
        model = _fitted(viewed, columns, hidden, mode, epochs, seed, label, on_progress)
        rows.append(_row(f"{label}, head", sides, Features(given.ids, model.transform(given))))
    for name in HASHES if find_spec("imagehash") is not None else ():
        usable = {image: files[image] for image in shown.ids.tolist()}
        rows.append(_row(name, sides, compute_set(held, FeatureSet("", (name,)), usable, None, on_progress).features))
    found = ReproducedMatching(
        rows,
        mode,
        by_grey,
        len(sides.sources),
        len(sides.targets),
        sides.lonely,
        rejected,
        time.perf_counter() - started,
    )
    config = {"source": str(source), "target": str(target), "encoders": list(names), "mode": mode, "grey": by_grey}
    hits = {row.model: [one.value for one in row.hits] for row in rows}
    record_run(held.runs_folder, "reproduce-matching", {**config, "views": views, "seed": seed}, hits)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Sides:
    """Sources and targets among the ids, and which targets have the name of each source."""

    sources: Rows
    targets: Rows
    partners: list[Rows]
    lonely: int

    @classmethod
    def of(cls, ids: Sequence[str]) -> _Sides:
        targets = np.array([row for row, name in enumerate(ids) if name.startswith("target/")], np.int64)
        by_name: dict[str, list[int]] = {}
        for place, row in enumerate(targets.tolist()):
            by_name.setdefault(PurePosixPath(ids[row]).name, []).append(place)
        asked = [row for row, name in enumerate(ids) if name.startswith("source/")]
        paired = [row for row in asked if PurePosixPath(ids[row]).name in by_name]
        if not paired:
            raise InputError("no source has the file name of a target: a match is told by the name")
        partners = [np.array(by_name[PurePosixPath(ids[row]).name], np.int64) for row in paired]
        return cls(np.array(paired, np.int64), targets, partners, len(asked) - len(paired))


def _published_names(members: str, mode: Mode) -> list[str]:
    """Return the networks: their class logits, or corrected, what comes before."""
    if mode == "corrected":
        return list(MEMBERS[members])
    return [f"{name}[{layer},norm=published]" for name, layer in MEMBERS[members].items()]


def _files(folder: Path, side: str, rejected: list[Rejected]) -> dict[str, Path]:
    found = scan(folder)
    rejected += [Rejected(f"{side}/{entry.path}", entry.reason) for entry in found.rejected]
    return {f"{side}/{file.path}": folder / file.path for file in found.files}


def _parts(dims: Mapping[str, int]) -> list[tuple[str, slice, int]]:
    """Return each encoder's name, columns and hidden numbers, and then those of all of them together."""
    ends = np.cumsum([0, *dims.values()]).tolist()
    alone = [(short_name(name), slice(ends[at], ends[at + 1]), 1000) for at, name in enumerate(dims)]
    whole = (" + ".join(label for label, _, _ in alone), slice(0, ends[-1]), 2000)
    return [*alone, whole] if len(alone) > 1 else alone


def _fitted(
    viewed: ViewedSet,
    columns: slice,
    hidden: int,
    mode: Mode,
    epochs: int | None,
    seed: int,
    label: str,
    on_progress: OnProgress,
) -> ProjectionModel:
    """Train a head on all pictures and their views."""
    features = Features(viewed.features.ids, viewed.features.vectors[:, columns])
    things = len(viewed.plain)
    model = ProjectionModel(epochs=epochs, seed=seed)
    if mode == "published":
        # Incomplete batches are skipped: of fewer pictures than a batch, nothing would be left.
        model = ProjectionModel(mode=mode, hidden=hidden, batch=min(256, things), epochs=epochs, seed=seed)

    def told(epoch: Epoch) -> None:
        on_progress(Progress(f"training {label}", epoch.epoch, epoch.epochs))

    return model.fit(viewed.pairs, features, on_epoch=told)


def _row(label: str, sides: _Sides, features: Features) -> MatchingRow:
    vectors = features.vectors
    depth = min(DEPTH, len(sides.targets))
    hits: Floats = partner_hits(vectors[sides.sources], vectors[sides.targets], sides.partners, depth)
    return MatchingRow(label, [bootstrap_share(column, np.ones(len(column))) for column in hits.T])
