"""The leaderboard of a workspace, kept: measured when somebody asks for it, and read as often as somebody looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lookalike.core.errors import InputError
from lookalike.core.files import finite, read_json, write_json
from lookalike.core.progress import OnProgress, silent
from lookalike.core.runs import record_run
from lookalike.core.workspace import Workspace
from lookalike.jobs.evaluate import chosen_judgments, judged_files
from lookalike.jobs.leaderboard import Row, leaderboard
from lookalike.jobs.measured_fairly import agreement_by_reference, measured_fairly
from lookalike.jobs.models import list_models, model_file
from lookalike.jobs.training import Folds

__all__ = ["is_out_of_date", "list_standings", "measure_models", "read_leaderboard"]

FORMAT = 1


def measure_models(
    workspace: Path,
    encoders: Sequence[str] = (),
    models: Sequence[str] = (),
    source: str | None = None,
    folds: Folds | None = None,
    on_progress: OnProgress = silent,
) -> dict[str, Any]:
    """Measure models side by side on answers that none was fitted on, and keep the leaderboard in the workspace.

    Parameters
    ----------
    workspace : Path
        The workspace folder, with judgments and models.
    encoders, models : sequence of str
        As in `lookalike.jobs.measured_fairly.measured_fairly`; without models, all of the workspace.
    source : str, optional
        Only judgments of one import.
    folds : Folds, optional
    on_progress : callable

    Returns
    -------
    dict
        What `read_leaderboard` returns.

    Raises
    ------
    InputError, ImageDecodeError, UnknownNameError, EncoderError, StorageError
    """
    held, folds = Workspace(workspace), folds or Folds()
    judgments = chosen_judgments(held, source)
    names = list(models or list_models(held.path))
    if not names:
        raise InputError(f"{workspace} has no models to measure: run `lookalike train context` first")
    images = judged_files(held, judgments)
    measured, _, how = measured_fairly(held, encoders, names, judgments, images, folds, on_progress)
    found = leaderboard(measured.judgments, measured.distances, measured.seen)
    order = [row.model for row in found.rows]
    references, agreement = agreement_by_reference(measured, order)
    kept: dict[str, Any] = {
        "format": FORMAT,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "how": how,
        "source": source,
        "judgments": found.judgments,
        "references": found.references,
        "ceiling": found.ceiling.value,
        "chance": found.chance,
        "rows": [{**_row(row), "kind": measured.kinds[row.model]} for row in found.rows],
        "by_reference": {"references": references.tolist(), "agreement": agreement.round(4).tolist()},
    }
    write_json(held.leaderboard_file, finite(kept))
    told = {name: value for name, value in kept.items() if name != "by_reference"}
    record_run(held.runs_folder, "evaluate", {"models": names, "source": source, "folds": asdict(folds)}, told)
    return kept


def read_leaderboard(workspace: Workspace) -> dict[str, Any] | None:
    """Return the leaderboard that was kept last; None where none was, or another version wrote it.

    ``rows`` are best first; ``by_reference`` has the references, and for each row the share of votes about each
    reference that it agrees with.
    """
    if not workspace.leaderboard_file.is_file():
        return None
    found = read_json(workspace.leaderboard_file)
    return found if isinstance(found, dict) and found.get("format") == FORMAT else None


def is_out_of_date(workspace: Workspace) -> bool:
    """Whether a model was made, or made anew, since the leaderboard was kept."""
    if not workspace.leaderboard_file.is_file():
        return False
    kept = workspace.leaderboard_file.stat().st_mtime_ns
    files = (model_file(workspace, name) for name in list_models(workspace.path))
    return any(file.stat().st_mtime_ns > kept for file in files if file.is_file())


def list_standings(workspace: Workspace) -> list[dict[str, Any]]:
    """Return every model of the workspace with what its card says: what it is, learned from, and came to.

    ``held_out`` is the first measure that was taken when it was made, on answers of its own that were held out: another
    model's may be on other answers.
    """
    return [_standing(name, card) for name, card in list_models(workspace.path).items()]


def _row(row: Row) -> dict[str, Any]:
    return {
        "model": row.model,
        "label": row.label,
        **_accuracy(row.accuracy),
        "seen": row.seen,
        "behind": None if row.behind is None else asdict(row.behind),
        "by_context": {context: _accuracy(one) for context, one in row.by_context.items()},
    }


def _accuracy(found: Any) -> dict[str, Any]:
    return {"accuracy": found.value, "low": found.low, "high": found.high, "n": found.n}


def _standing(name: str, card: dict[str, Any]) -> dict[str, Any]:
    about = card["about"]
    measured = about.get("measured") or {}
    measures = measured.get("model") or {}
    first = next(iter(measures), None)
    return {
        "name": name,
        "model": card["model"],
        "ensemble": "members" in card,
        "learned_from": about.get("learned_from"),
        "examples": about.get("examples"),
        "encoders": list(about.get("encoders") or ()),
        "members": about.get("members") or {},
        "context": (about.get("what") or {}).get("context"),
        "held_out": None if first is None else finite({"measure": first, **measures[first]}),
        "passes": len(about.get("history") or ()),
    }
