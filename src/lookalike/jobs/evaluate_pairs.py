"""Hold encoders and models against matched pairs: how often an image finds its partner among all, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.progress import OnProgress, silent
from lookalike.core.vectors import unit_rows
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_cache import unit_features
from lookalike.jobs.evaluate import workspace_encoders
from lookalike.jobs.leaderboard import short_name
from lookalike.jobs.models import model_features, open_model, plain_name
from lookalike.judgments.pairs import Pairs
from lookalike.judgments.readers import read_pairs
from lookalike.metrics.asymmetric import asymmetric_recall_chance, match_ranks_of_vectors
from lookalike.metrics.intervals import bootstrap_share
from lookalike.metrics.two_afc import Accuracy, Difference, paired_difference
from lookalike.reports.leaderboard import check_plot, draw_leaderboard

__all__ = ["DEPTHS", "PairEvaluation", "PairRow", "evaluate_pairs", "guess_format", "pair_files", "pair_leaderboard"]

DEPTHS = (1, 3, 5)
"""The k of the recalls."""


@dataclass(frozen=True, slots=True)
class PairRow:
    """One line of the leaderboard.

    Attributes
    ----------
    model : str
        The name of an encoder or a model.
    recalls : dict of int to Accuracy
        aR@k by k: the share of pairs of which one image or the other has its partner among its k nearest.
    behind : Difference or None
        The best model's aR@1 less this one's, on the same pairs; None for the best.
    seen : float
        Share of the pairs with an image that the model was fitted on; 0 for an encoder.
    """

    model: str
    recalls: dict[int, Accuracy]
    behind: Difference | None
    seen: float = 0.0

    @property
    def accuracy(self) -> Accuracy:
        """aR@1, by which the leaderboard is sorted."""
        return self.recalls[1]

    @property
    def label(self) -> str:
        """The name for tables and plots."""
        return short_name(self.model)


@dataclass(frozen=True, slots=True)
class PairEvaluation:
    """A leaderboard, best first.

    Attributes
    ----------
    rows : list of PairRow
    chance : dict of int to float
        What guessing reaches, by k.
    pairs : int
        How many there are; all their right images are the gallery of a left one, and the other way round.
    """

    rows: list[PairRow]
    chance: dict[int, float]
    pairs: int


def evaluate_pairs(
    workspace: Path,
    path: Path,
    pair_format: str | None = None,
    images: Path | None = None,
    encoders: Sequence[str] = (),
    plot: Path | None = None,
    on_progress: OnProgress = silent,
    models: Sequence[str] = (),
) -> PairEvaluation:
    """Evaluate encoders and models on matched pairs.

    Parameters
    ----------
    workspace : Path
        The workspace folder: keeps the features, and says which encoders where none are named.
    path : Path
        The file or folder of the pairs.
    pair_format : str, optional
        ``"tll"``, ``"folders"`` or ``"csv"``; guessed from the path without it.
    images : Path, optional
        The folder in which ids become files.
    encoders : sequence of str
        Which; without any, and without models, all that the workspace has been indexed with, or the default one.
    plot : Path, optional
        Where to draw the leaderboard; the suffix chooses PNG, SVG or PDF.
    models : sequence of str
        Names of trained models, or paths of their files; each is held beside the features it takes, as they are.

    Raises
    ------
    InputError
        The pairs cannot be read, there are fewer than two, or no file is known for one of their images.
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    if plot is not None:
        check_plot(plot)
    held = Workspace(workspace)
    pairs = read_pairs(pair_format or guess_format(path), path, images)
    files = pair_files(pairs)
    vectors: dict[str, Features] = {}
    seen: dict[str, float] = {}
    for name in encoders or (() if models else workspace_encoders(held)):
        encoder = load_encoder(name)
        vectors[encoder.name] = unit_features(held, encoder, files, on_progress)
    for name in models:
        named = open_model(held, name)
        features = model_features(held, named, files, on_progress)
        vectors[plain_name(named)] = Features(features.ids, unit_rows(features.vectors))
        vectors[named.name] = Features(features.ids, named.model.transform(features))
        known = named.model.has_seen(pairs.ids)
        seen[named.name] = float(np.mean(known[pairs.left_rows] | known[pairs.right_rows]))
    found = pair_leaderboard(pairs, vectors, seen)
    if plot is not None:
        draw_leaderboard(
            plot,
            [(row.label, row.accuracy.value, row.accuracy.low, row.accuracy.high) for row in found.rows],
            None,
            f"{found.pairs:,} pairs",
            found.chance[1],
            "aR@1, % of pairs",
        )
    return found


def pair_leaderboard(
    pairs: Pairs, vectors: Mapping[str, Features], seen: Mapping[str, float] | None = None
) -> PairEvaluation:
    """Rank models by how often a partner is found; intervals draw pairs anew, those that share images together.

    Parameters
    ----------
    pairs : Pairs
    vectors : mapping of model to Features
        Unit rows (or zeros) of all images of the pairs.
    seen : mapping of model to float, optional
        `PairRow.seen`.

    Raises
    ------
    InputError
        There are fewer than two pairs, or an image has no vector.

    Examples
    --------
    >>> pairs = Pairs.from_ids(["a", "b"], ["A", "B"])
    >>> good = Features(["a", "b", "A", "B"], np.eye(2)[[0, 1, 0, 1]])
    >>> found = pair_leaderboard(pairs, {"good": good, "blind": Features(good.ids, np.ones((4, 1)))})
    >>> [(row.model, row.accuracy.value) for row in found.rows], found.chance[3]
    ([('good', 1.0), ('blind', 0.75)], 1.0)
    """
    if len(pairs) < 2:
        raise InputError(f"{len(pairs)} pairs: at least two are needed, so that there is something to confuse")
    depths = {k: min(k, len(pairs)) for k in DEPTHS}
    clusters = pairs.groups()
    ones = np.ones(len(pairs))
    hits: dict[str, dict[int, NDArray[np.float64]]] = {}
    for model, features in vectors.items():
        left, right = (features.vectors[features.rows(ids)] for ids in (pairs.left, pairs.right))
        ranks = match_ranks_of_vectors(left, right)
        hits[model] = {k: ranks.hits(depth) for k, depth in depths.items()}
    order = sorted(hits, key=lambda model: -float(hits[model][1].mean()))
    rows = [
        PairRow(
            model,
            {k: _recall(found, clusters) for k, found in hits[model].items()},
            None if model == order[0] else paired_difference(hits[order[0]][1], hits[model][1], ones, clusters),
            (seen or {}).get(model, 0.0),
        )
        for model in order
    ]
    chance = {k: asymmetric_recall_chance(len(pairs), depth) for k, depth in depths.items()}
    return PairEvaluation(rows, chance, len(pairs))


def guess_format(path: Path) -> str:
    """Guess the format of pairs: a file is a table, a folder with ``left/`` and ``right/`` is like Totally Looks Like.

    Examples
    --------
    >>> guess_format(Path("pairs.csv"))
    'csv'
    """
    if not path.is_dir():
        return "csv"
    return "tll" if (path / "left").is_dir() and (path / "right").is_dir() else "folders"


def pair_files(pairs: Pairs) -> dict[str, Path]:
    """Return the file of every image of some pairs.

    Raises
    ------
    InputError
        One is not known, or not there; the image is named.
    """
    for image in pairs.ids.tolist():
        path = pairs.images.get(image)
        if path is None or not path.is_file():
            raise InputError(f"no file is known for the image '{image}': give --images DIR")
    return {image: pairs.images[image] for image in pairs.ids.tolist()}


def _recall(hits: NDArray[np.float64], clusters: NDArray[Any]) -> Accuracy:
    found = bootstrap_share(hits, np.ones(len(hits)), clusters)
    return Accuracy(found.value, found.low, found.high, found.n)
