"""A map with what is known about its images: contexts, and how far models agree with people there."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from lookalike.core.workspace import Workspace
from lookalike.jobs.kept_leaderboard import read_leaderboard
from lookalike.jobs.map_places import read_map
from lookalike.jobs.measured import ENCODER
from lookalike.jobs.named_contexts import read_contexts, with_named_contexts
from lookalike.judgments.store import JudgmentStore

__all__ = ["context_counts", "view_map"]


def view_map(workspace: Workspace, version: int) -> dict[str, Any] | None:
    """Return the map of a workspace for a page; None where none was made.

    Parameters
    ----------
    version : int
        Of the table that is served now: a map of another one is out of date.

    Returns
    -------
    dict
        ``images``, ``x``, ``y``, and by position: ``contexts`` (null without one), ``agreement`` of each model with the
        answers about the image (null where there are none), ``ensembles`` with the weights of their members.
    """
    found = read_map(workspace)
    if found is None:
        return None
    by_reference, named = _by_reference(workspace), read_contexts(workspace)
    judged = [by_reference.get(reference) if reference is not None else None for reference in found["references"]]
    agreement, kinds = _agreement(workspace, found["references"])
    return {
        **{name: found[name] for name in ("at", "encoder", "total", "images", "x", "y", "ensembles")},
        "out_of_date": found["version"] != version,
        "judged": [reference is not None for reference in found["references"]],
        "contexts": [named.get(image, one) for image, one in zip(found["images"], judged, strict=True)],
        "agreement": agreement,
        "kinds": kinds,
    }


def context_counts(workspace: Workspace) -> dict[str, int]:
    """Return how many images each context has that was named on the map."""
    return dict(sorted(Counter(read_contexts(workspace).values()).items()))


def _by_reference(workspace: Workspace) -> dict[str, str]:
    """Return the context that most judgments about each reference name, by the id of the reference."""
    judgments = with_named_contexts(workspace, JudgmentStore(workspace.judgments_file).read())
    if judgments.context is None:
        return {}
    width = len(judgments.context.names) + 1
    pairs, counts = np.unique(
        judgments.reference.astype(np.int64) * width + judgments.context.codes + 1, return_counts=True
    )
    found: dict[str, str] = {}
    for place in np.argsort(counts, kind="stable").tolist():  # the most frequent one is written last
        reference, code = divmod(int(pairs[place]), width)
        if code:
            found[str(judgments.ids[reference])] = str(judgments.context.names[code - 1])
    return found


def _agreement(
    workspace: Workspace, references: list[str | None]
) -> tuple[dict[str, list[float | None]], dict[str, str]]:
    """Return by model the share of votes about each image that it agrees with, and what each model is."""
    kept = read_leaderboard(workspace)
    if kept is None:
        return {}, {}
    places = {reference: place for place, reference in enumerate(kept["by_reference"]["references"])}
    at = [places.get(reference) if reference is not None else None for reference in references]
    rows = zip(kept["rows"], kept["by_reference"]["agreement"], strict=True)
    agreement = {row["label"]: [None if place is None else shares[place] for place in at] for row, shares in rows}
    return agreement, {row["label"]: "encoder" if row["kind"] == ENCODER else row["kind"] for row in kept["rows"]}
