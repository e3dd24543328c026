"""Do the experiment of "Image Similarity using an Ensemble of Context-Sensitive Models" again (Liao and Chen, 2024)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np

from lookalike.core.features import Features
from lookalike.core.lanes import cores, in_lanes
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.runs import record_run
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_sets import FeatureSet, compute_set
from lookalike.ensembles.base import Ensemble
from lookalike.ensembles.gate import GateEnsemble
from lookalike.ensembles.grid import GridEnsemble
from lookalike.ensembles.mlp import MLPEnsemble
from lookalike.ensembles.vote import VoteEnsemble
from lookalike.jobs.evaluate import judged_files
from lookalike.jobs.leaderboard import Both, Evaluation, leaderboard
from lookalike.judgments.joining import join
from lookalike.judgments.readers import read_judgments
from lookalike.judgments.readers.cosis import ANCHORS
from lookalike.judgments.readers.cosis_splits import published_cluster_split, published_reference_parts
from lookalike.judgments.table import Judgments
from lookalike.metrics.two_afc import Accuracy, two_afc_accuracy
from lookalike.similarity.context import ContextModel
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.model import SimilarityModel
from lookalike.similarity.prepared import need_torch

__all__ = ["Local", "ReproducedCosis", "reproduce_cosis"]


@dataclass(frozen=True, slots=True)
class Local:
    """What a context model came to on the last third of its own cluster.

    Attributes
    ----------
    head, embedding : Accuracy
        By the ranking head, and by the distances of embeddings.
    plain : Accuracy
        Of the features as they are.
    """

    head: Accuracy
    embedding: Accuracy
    plain: Accuracy


@dataclass(frozen=True, slots=True)
class ReproducedCosis:
    """What came out.

    Attributes
    ----------
    local : dict of str to Local
        By cluster.
    published : Evaluation
        On the 10,002 test judgments: the features as they are, a global model, the eight context models, and their
        vote, grid and mlp, all as published.
    ours : Evaluation
        On the same: the corrected models and ensembles, a gate, and the published ones that are best of theirs.
    encoders : tuple of str
    dim : int
        Length of their features.
    seconds : float
    """

    local: dict[str, Local]
    published: Evaluation
    ours: Evaluation
    encoders: tuple[str, ...]
    dim: int
    seconds: float


def reproduce_cosis(
    workspace: Path,
    labels: Path,
    images: Path,
    encoders: Sequence[str] = (),
    weights: Path | None = None,
    seed: int = 0,
    on_progress: OnProgress = silent,
) -> ReproducedCosis:
    """Train eight context models, combine them, and test them on other references.

    Their protocol, on frozen features: a model per cluster on the first two thirds of its judgments and their flips,
    25 passes in batches of 8; ensembles fitted on the judgments of the 1,320 validation references, principal
    components on 320 of these and the 8 anchors; tested on the judgments of 1,010 other references. Then the same with
    everything corrected, the global model as where context models start from, and a gate.

    Parameters
    ----------
    workspace : Path
        Keeps the features.
    labels : Path
        The folder with ``filename_dict.txt``, ``txt_labels/`` and ``npy_labels/``.
    images : Path
        The folder of photographs: files with the names of the dictionary, anywhere in it.
    encoders : sequence of str
        Whose features stand side by side; ResNet-50 of torchvision by default.
    weights : Path, optional
        The file of the weights of one encoder.
    seed : int
    on_progress : callable

    Raises
    ------
    InputError
        Labels or photographs are missing, or PyTorch is.
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    started = time.perf_counter()
    need_torch()
    held = Workspace(workspace)
    names = tuple(load_encoder(name, weights).name for name in encoders or ("torchvision:resnet50",))
    data = {mode: _read(labels, images, mode) for mode in ("published", "corrected")}
    whole = reduce(join, [part for parts in data.values() for part in parts.values()])
    files = judged_files(held, whole)
    features = compute_set(held, FeatureSet("", names), files, on_progress=on_progress).features
    published, local = _published(data["published"], features, labels, seed, on_progress)
    ours = _ours(data["corrected"], data["published"]["test"], features, seed, on_progress)
    test = data["published"]["test"]
    found = ReproducedCosis(
        local=local,
        published=leaderboard(test, published),
        ours=leaderboard(test, {**ours, **_best(test, published)}),
        encoders=names,
        dim=features.vectors.shape[1],
        seconds=time.perf_counter() - started,
    )
    record_run(
        held.runs_folder,
        "reproduce-cosis",
        {"labels": str(labels), "images": str(images), "encoders": list(names), "seed": seed},
        {row.model: row.accuracy.value for row in (*found.published.rows, *found.ours.rows)},
    )
    return found


def _read(labels: Path, images: Path, mode: str) -> dict[str, Judgments]:
    parts = ("clusters", "validation", "test")
    return {part: read_judgments("cosis", labels, images, mode=mode, part=part) for part in parts}


def _published(
    data: Mapping[str, Judgments], features: Features, labels: Path, seed: int, on_progress: OnProgress
) -> tuple[dict[str, Both], dict[str, Local]]:
    """Return distances of the test judgments as the published program has them, and accuracies in the clusters."""
    clusters, validation, test = data["clusters"], data["validation"], data["test"]
    parts = {anchor: published_cluster_split(clusters, anchor) for anchor in ANCHORS}
    # The models append the flips, which the training side has as its second half.
    jobs = {f"context {anchor}": part.train.take(np.arange(len(part.train) // 2)) for anchor, part in parts.items()}
    jobs["global"] = reduce(join, jobs.values())
    fitted = _fit_all(
        {name: ContextModel(mode="published", seed=seed) for name in jobs}, jobs, features, "published", on_progress
    )
    local = {anchor: _local(fitted[f"context {anchor}"], part.test, features) for anchor, part in parts.items()}
    placed = [*published_reference_parts(validation, labels).train.references.tolist(), *clusters.references.tolist()]
    members = [fitted[f"context {anchor}"] for anchor in ANCHORS]
    ensembles: dict[str, Ensemble] = {
        "vote": VoteEnsemble(members),
        "grid": GridEnsemble(members, mode="published", pca_ids=placed),
        "mlp": MLPEnsemble(members, mode="published", pca_ids=placed, seed=seed),
    }
    return _distances({**fitted, **_fit_ensembles(ensembles, validation, features)}, test, features), local


def _ours(
    data: Mapping[str, Judgments], test: Judgments, features: Features, seed: int, on_progress: OnProgress
) -> dict[str, Both]:
    """Return distances of the test judgments by corrected models and ensembles, and by a gate."""
    clusters, validation = data["clusters"], data["validation"]
    context = clusters.context
    if context is None:
        raise AssertionError("the judgments of clusters have contexts")
    whole = _fit_all({"global": ContextModel(seed=seed)}, {"global": clusters}, features, "corrected", on_progress)
    jobs = {f"context {anchor}": clusters.take(context.values() == anchor) for anchor in ANCHORS}
    makers = {name: ContextModel(start=whole["global"], seed=seed) for name in jobs}
    fitted = {**_fit_all(makers, jobs, features, "corrected", on_progress), **whole}
    plain = IdentityModel().fit(clusters, features)
    members = [*fitted.values(), plain]
    ensembles: dict[str, Ensemble] = {
        "vote": VoteEnsemble(members),
        "grid": GridEnsemble(members),
        "mlp": MLPEnsemble(members, seed=seed),
        "gate": GateEnsemble(members, seed=seed),
    }
    found = _distances({**fitted, **_fit_ensembles(ensembles, validation, features)}, test, features)
    return {f"ours: {name}": both for name, both in found.items()}


def _fit_all(
    models: Mapping[str, ContextModel],
    jobs: Mapping[str, Judgments],
    features: Features,
    stage: str,
    on_progress: OnProgress,
) -> dict[str, ContextModel]:
    def work(name: str) -> str:
        models[name].fit(jobs[name], features)
        return name

    lanes = in_lanes(work, jobs, min(len(jobs), cores()))
    for done, _ in enumerate(lanes, 1):
        on_progress(Progress(f"training models, {stage}", done, len(jobs)))
    return dict(models)


def _fit_ensembles(ensembles: Mapping[str, Ensemble], judgments: Judgments, features: Features) -> dict[str, Ensemble]:
    return {name: ensemble.fit(judgments, features) for name, ensemble in ensembles.items()}


def _distances(
    models: Mapping[str, SimilarityModel | Ensemble], test: Judgments, features: Features
) -> dict[str, Both]:
    plain = IdentityModel().fit(test, features)
    return {"features": plain.distances(test, features)} | {
        name: model.distances(test, features) for name, model in models.items()
    }


def _local(model: ContextModel, test: Judgments, features: Features) -> Local:
    """Measure a context model in its own cluster; one reference, so that intervals draw judgments."""
    votes, rows = (test.votes_a, test.votes_b), np.arange(len(test))
    chance = model.choose(test, features)
    plain = IdentityModel().fit(test, features)
    return Local(
        head=two_afc_accuracy(1 - chance, chance, *votes, clusters=rows),
        embedding=two_afc_accuracy(*model.distances(test, features), *votes, clusters=rows),
        plain=two_afc_accuracy(*plain.distances(test, features), *votes, clusters=rows),
    )


def _best(test: Judgments, found: Mapping[str, Both]) -> dict[str, Both]:
    """Return what is best of the published: of context models, and of ensembles; and the features."""
    order = [row.model for row in leaderboard(test, found).rows]
    context = next(name for name in order if name.startswith("context"))
    ensemble = next(name for name in order if name in ("vote", "grid", "mlp"))
    return {"features": found["features"]} | {
        f"published: {name}": found[name] for name in ("global", context, ensemble)
    }
