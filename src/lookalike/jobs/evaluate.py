"""Hold encoders and models of a workspace against people's judgments: one leaderboard, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lookalike.core.errors import InputError
from lookalike.core.progress import OnProgress, silent
from lookalike.core.workspace import DEFAULT_ENCODER, Workspace
from lookalike.jobs.leaderboard import Evaluation, leaderboard
from lookalike.jobs.measured import as_they_are
from lookalike.jobs.named_contexts import in_context, with_named_contexts
from lookalike.judgments.store import JudgmentStore
from lookalike.judgments.table import Judgments
from lookalike.reports.leaderboard import check_plot, draw_leaderboard

__all__ = ["chosen_judgments", "evaluate_workspace", "judged_files", "workspace_encoders"]


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
    chosen = encoders or (() if models else workspace_encoders(held))
    measured = as_they_are(held, judgments, images, chosen, models, on_progress)
    found = leaderboard(judgments, measured.distances, measured.seen)
    if plot is not None:
        draw_leaderboard(
            plot,
            [(row.label, row.accuracy.value, row.accuracy.low, row.accuracy.high) for row in found.rows],
            found.ceiling.value,
            f"{found.judgments:,} judgments of {found.references:,} references",
        )
    return found


def workspace_encoders(workspace: Workspace) -> tuple[str, ...]:
    """Return the encoders that a workspace was indexed with; the default one where there is no workspace.

    Examples
    --------
    >>> workspace_encoders(Workspace(Path("nowhere")))
    ('compact',)
    """
    return workspace.config().encoders if workspace.exists() else (DEFAULT_ENCODER,)


def chosen_judgments(workspace: Workspace, source: str | None = None, context: str | None = None) -> Judgments:
    """Return the judgments of a workspace, or of one import or one context; contexts named on the map go first.

    Raises
    ------
    InputError
        There are none.
    """
    store = JudgmentStore(workspace.judgments_file)
    if context is None or not workspace.contexts_file.is_file():
        judgments = with_named_contexts(workspace, store.read(context=context, source=source))
    else:  # which ones these are is not in the store alone
        judgments = in_context(with_named_contexts(workspace, store.read(source=source)), context)
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
    root = workspace.config().folder if workspace.exists() else None
    files = {}
    for image in judgments.ids.tolist():
        path = judgments.images.get(image) or (root / image if root is not None else None)
        if path is None or not path.is_file():
            raise InputError(f"no file is known for the image '{image}': import again with --images DIR")
        files[image] = path
    return files
