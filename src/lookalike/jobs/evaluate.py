"""Hold encoders and models of a workspace against people's judgments: one leaderboard, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.types import Distances
from lookalike.core.workspace import DEFAULT_ENCODER, Workspace
from lookalike.embedding.encoder import load_encoder
from lookalike.embedding.feature_cache import unit_features
from lookalike.jobs.models import model_features, open_model, plain_name
from lookalike.judgments.store import JudgmentStore
from lookalike.judgments.table import Judgments
from lookalike.metrics.ceilings import ceiling
from lookalike.metrics.two_afc import Accuracy, Difference, compare_accuracy, two_afc_accuracy
from lookalike.reports.leaderboard import check_plot, draw_leaderboard
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.model import SimilarityModel

__all__ = ["Evaluation", "Row", "evaluate_workspace", "leaderboard", "short_name", "workspace_encoders"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the leaderboard.

    Attributes
    ----------
    model : str
        The name of an encoder or a model.
    accuracy : Accuracy
        Share of votes it agrees with, interval clustered by reference.
    behind : Difference or None
        The best model's accuracy less this one's, on the same questions; None for the best.
    seen : float
        Share of the judgments with an image that the model was fitted on; 0 for an encoder.
    """

    model: str
    accuracy: Accuracy
    behind: Difference | None
    seen: float = 0.0

    @property
    def label(self) -> str:
        """The name for tables and plots."""
        return short_name(self.model)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A leaderboard, best first.

    Attributes
    ----------
    rows : list of Row
    ceiling : Accuracy
        The best that any model can reach, given how far people disagree: votes for the majority over all votes. 1
        where every question was answered once.
    chance : float
        What guessing reaches.
    judgments, references : int
        How many were used.
    """

    rows: list[Row]
    ceiling: Accuracy
    chance: float
    judgments: int
    references: int


def evaluate_workspace(
    workspace: Path,
    encoders: Sequence[str] = (),
    source: str | None = None,
    context: str | None = None,
    plot: Path | None = None,
    on_progress: OnProgress = silent,
    models: Sequence[str] = (),
) -> Evaluation:
    """Evaluate encoders and models on the judgments of a workspace.

    Parameters
    ----------
    workspace : Path
        The workspace folder, with imported or collected judgments.
    encoders : sequence of str
        Which; without any, and without models, all that the workspace has been indexed with, or the default one.
    source, context : str, optional
        Only judgments of one import, or of one context.
    plot : Path, optional
        Where to draw the leaderboard; the suffix chooses PNG, SVG or PDF.
    models : sequence of str
        Names of trained models, or paths of their files; each is held beside the features it takes, as they are.

    Raises
    ------
    InputError
        There are no such judgments or models, or no file is known for one of their images.
    ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    if plot is not None:
        check_plot(plot)
    held = Workspace(workspace)
    judgments = chosen_judgments(held, source, context)
    images = judged_files(held, judgments)
    distances: dict[str, tuple[Distances, Distances]] = {}
    seen: dict[str, float] = {}
    for name in encoders or (() if models else workspace_encoders(held)):
        encoder = load_encoder(name)
        features = unit_features(held, encoder, images, on_progress)
        distances[encoder.name] = IdentityModel().fit(judgments, features).distances(judgments, features)
    for name in models:
        named = open_model(held, name)
        features = model_features(held, named, images, on_progress)
        plain = IdentityModel().fit(judgments, features)
        distances[plain_name(named)] = plain.distances(judgments, features)
        distances[named.name] = named.model.distances(judgments, features)
        seen[named.name] = _seen(named.model, judgments)
    found = leaderboard(judgments, distances, seen)
    if plot is not None:
        draw_leaderboard(
            plot,
            [(row.label, row.accuracy.value, row.accuracy.low, row.accuracy.high) for row in found.rows],
            found.ceiling.value,
            f"{found.judgments:,} judgments of {found.references:,} references",
        )
    return found


def leaderboard(
    judgments: Judgments,
    distances: Mapping[str, tuple[Distances, Distances]],
    seen: Mapping[str, float] | None = None,
) -> Evaluation:
    """Rank models by how far they agree with judgments.

    Parameters
    ----------
    judgments : Judgments
    distances : mapping of model to (float (n,), float (n,))
        Of a and of b to the reference.
    seen : mapping of model to float, optional
        `Row.seen`.
    """
    votes = judgments.votes_a, judgments.votes_b
    accuracies = {
        model: two_afc_accuracy(*pair, *votes, clusters=judgments.reference) for model, pair in distances.items()
    }
    order = sorted(accuracies, key=lambda model: -accuracies[model].value)
    rows = [
        Row(
            model,
            accuracies[model],
            None
            if model == order[0]
            else compare_accuracy(distances[order[0]], distances[model], *votes, clusters=judgments.reference),
            (seen or {}).get(model, 0.0),
        )
        for model in order
    ]
    references = len(set(judgments.reference.tolist()))
    return Evaluation(rows, ceiling(*votes, clusters=judgments.reference), 0.5, len(judgments), references)


def short_name(model: str) -> str:
    """Write a model's name for tables and plots: of the paths of files, only the last part.

    Examples
    --------
    >>> short_name("onnx:/nets/small.onnx"), short_name("timm:resnet18[layer4]@/nets/r18.pth")
    ('onnx:small.onnx', 'timm:resnet18[layer4]@r18.pth')
    """
    names = []
    for one in model.split(" + "):
        before, mark, path = one.partition(":" if one.startswith("onnx:") else "@")
        names.append(before + mark + path.replace("\\", "/").rsplit("/", 1)[-1])
    return " + ".join(names)


def workspace_encoders(workspace: Workspace) -> tuple[str, ...]:
    """Return the encoders that a workspace was indexed with; the default one where there is no workspace.

    Examples
    --------
    >>> workspace_encoders(Workspace(Path("nowhere")))
    ('classic',)
    """
    return workspace.config().encoders if workspace.exists() else (DEFAULT_ENCODER,)


def _seen(model: SimilarityModel, judgments: Judgments) -> float:
    known = model.has_seen(judgments.ids)
    columns = judgments.reference, judgments.candidate_a, judgments.candidate_b
    return float(np.mean(np.any([known[column] for column in columns], axis=0)))


def chosen_judgments(workspace: Workspace, source: str | None = None, context: str | None = None) -> Judgments:
    """Return the judgments of a workspace, or those of one import or one context.

    Raises
    ------
    InputError
        There are none.
    """
    judgments = JudgmentStore(workspace.judgments_file).read(context=context, source=source)
    if not len(judgments):
        chosen = " of that source or context" if source or context else ""
        raise InputError(
            f"{workspace.path} has no judgments{chosen}: run `lookalike import FORMAT PATH --images DIR` first"
        )
    return judgments


def judged_files(workspace: Workspace, judgments: Judgments) -> dict[str, Path]:
    """Return the file of every image: where the import said, or under the collection's root.

    Raises
    ------
    InputError
        One is not known, or not there; the image is named.
    """
    root = Path(workspace.config().root) if workspace.exists() else None
    files = {}
    for image in judgments.ids.tolist():
        path = judgments.images.get(image) or (root / image if root is not None else None)
        if path is None or not path.is_file():
            raise InputError(f"no file is known for the image '{image}': import again with --images DIR")
        files[image] = path
    return files
