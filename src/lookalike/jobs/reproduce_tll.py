"""Do the experiment of "Learning an adaptation function to assess image visual similarities" again.

Risser-Maroix, Marzouki, Djeghim, Kurtz and Loménie, 2021.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.runs import record_run
from lookalike.core.workspace import Workspace
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_sets import FeatureSet, set_features
from lookalike.embedding.lens import Mirrored
from lookalike.encoders.tll37 import extractors
from lookalike.jobs.evaluate_pairs import pair_files
from lookalike.judgments.readers import read_pairs
from lookalike.metrics.asymmetric import asymmetric_recall_chance
from lookalike.reports.leaderboard import check_plot, draw_leaderboard
from lookalike.similarity.adaptation import AdaptationModel
from lookalike.similarity.held_out import HeldOut, held_out_pairs
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.model import SimilarityModel
from lookalike.similarity.prepared import need_torch
from lookalike.similarity.reduction import Reduction

__all__ = ["COMPONENTS", "TEST", "Reproduced", "reproduce_tll"]

COMPONENTS = 256
TEST = 0.25


@dataclass(frozen=True, slots=True)
class Reproduced:
    """What came out.

    Attributes
    ----------
    rows : dict of str to HeldOut
        By what was done: ``"features"`` as they are, their ``"components"``, ``"peterson"`` and ``"original"`` on the
        components, all after the published protocol; and ``"ours"``, with components from training images alone.
    encoders : tuple of str
    dim : int
        Length of their features.
    pairs, runs, epochs : int
    seconds : float
    """

    rows: dict[str, HeldOut]
    encoders: tuple[str, ...]
    dim: int
    pairs: int
    runs: int
    epochs: int
    seconds: float


def reproduce_tll(
    workspace: Path,
    images: Path,
    split_list: Path | None = None,
    encoders: Sequence[str] = (),
    weights: Path | None = None,
    runs: int = 20,
    epochs: int = 150,
    plot: Path | None = None,
    on_progress: OnProgress = silent,
) -> Reproduced:
    """Measure aR@1, aR@3 and aR@5 by the published protocol.

    Features are tapped from a frozen network, every tap that is a map scaled to length 1; 256 principal components of
    all pictures and their mirrored copies, those of test pairs among them; ``ReLU(W x)`` trained on three quarters of
    the pairs and their mirrored copies with all pairs at once, T = 15, Adam at 1e-3; measured on the other quarter, as
    they are, after the last pass; 20 times. (The published tables may show the best pass on the test pairs.)

    Parameters
    ----------
    workspace : Path
        Keeps the features.
    images : Path
        The folder with ``left/`` and ``right/``.
    split_list : Path, optional
        ``TLL_obj.csv``, the pairs of the published experiment; without it, all pairs.
    encoders : sequence of str
        Side by side; without any, CLIP RN50x4 with its five taps, which did best there.
    weights : Path, optional
        The file of the weights, of one encoder.
    runs, epochs : int
    plot : Path, optional
        Where to draw aR@1; the suffix chooses PNG, SVG or PDF.
    on_progress : callable

    Raises
    ------
    InputError
        The pairs or the list cannot be read, or PyTorch is missing.
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    started = time.perf_counter()
    need_torch()
    if plot is not None:
        check_plot(plot)
    held = Workspace(workspace)
    pairs = read_pairs("tll", images, split_list=split_list)
    files = pair_files(pairs)
    if weights is not None and len(encoders) > 1:
        raise InputError("--weights is the file of one encoder: write NAME@PATH for each of several")
    names = encoders or (extractors()[0].published,)
    chosen = FeatureSet("", tuple(load_encoder(name, weights).name for name in names))
    views = [set_features(held, chosen, files, lens, on_progress) for lens in (None, Mirrored())]
    components = _components(views)

    def do(label: str, make: Callable[[int], SimilarityModel], given: list[Features]) -> HeldOut:
        def told(step: Progress) -> None:
            on_progress(replace(step, stage=label))

        return held_out_pairs(make, pairs, given[0], given[1], runs=runs, test=TEST, on_progress=told)

    def published(form: str) -> Callable[[int], SimilarityModel]:
        return lambda run: AdaptationModel(form, reduce=0, epochs=epochs, seed=run)

    rows = {
        "features": do("features", lambda _: IdentityModel(), views),
        "components": do("components", lambda _: IdentityModel(), components),
        "peterson": do("peterson", published("peterson"), components),
        "original": do("original", published("original"), components),
        "ours": do("ours", lambda run: AdaptationModel(seed=run), views),
    }
    dim = views[0].vectors.shape[1]
    found = Reproduced(rows, chosen.encoders, dim, len(pairs), runs, epochs, time.perf_counter() - started)
    if plot is not None:
        _draw(plot, found)
    record_run(
        held.runs_folder,
        "reproduce-tll",
        {"images": str(images), "list": split_list and str(split_list), "encoders": list(chosen.encoders), "runs": runs,
         "epochs": epochs},
        {label: row.as_dict() for label, row in rows.items()},
    )  # fmt: skip
    return found


def _components(views: list[Features]) -> list[Features]:
    """Return the principal components of all pictures and their mirrored copies."""
    reduction = Reduction(COMPONENTS).fit(np.concatenate([view.vectors for view in views]))
    return [Features(view.ids, reduction.transform(view.vectors)) for view in views]


def _draw(plot: Path, found: Reproduced) -> None:
    order = sorted(found.rows.items(), key=lambda row: -row[1].model["aR@1"].value)
    shown = [(label, row.model["aR@1"]) for label, row in order]
    draw_leaderboard(
        plot,
        [(label, one.value, one.low, one.high) for label, one in shown],
        None,
        f"{found.pairs:,} pairs, {found.runs} runs",
        asymmetric_recall_chance(int(TEST * found.pairs), 1),
        "aR@1, % of pairs held out",
    )
