"""How classifiers are trained: where they begin, which pictures are set aside, and how far they may be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lookalike.core.types import Rows, Vectors
from lookalike.core.vectors import unit_rows
from lookalike.similarity.classifier_settings import ClassifierSettings
from lookalike.similarity.forms import NUMPY
from lookalike.similarity.model import Arrays
from lookalike.similarity.open_set import Trials, top_two
from lookalike.similarity.prepared import need_torch
from lookalike.similarity.prepared_things import Base, Grouped, divided, whitened_base
from lookalike.similarity.projections import linear
from lookalike.training.plan import OnEpoch, Ops
from lookalike.training.things import Things

__all__ = ["Fitted", "embedded", "fit_classes", "scores_of", "set_aside", "tried"]

ENOUGH = 3
"""Pictures that a known thing has at least to set one aside; where too few things have, half of all do."""

FEWEST = 8


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A classifier.

    Attributes
    ----------
    base : Base or None
    weights : dict of str to float32 array
        Of the head and of the classes.
    history : list of dict
    passes : int
        Which pass the weights are of; 0 for where they began.
    """

    base: Base | None
    weights: Arrays
    history: list[dict[str, Any]]
    passes: int


def hidden(x: Any, weights: Mapping[str, Any], ops: Ops) -> Any:
    """Return ``ReLU(A x + a)``: of the published head, what its last layer is given."""
    return ops.relu(x @ weights["inner"].T + weights["bias"])


def embedded(settings: ClassifierSettings, base: Base | None, weights: Arrays, rows: Vectors) -> Vectors:
    """Return what a classifier makes of features (N, d), before it is scaled to length 1."""
    formula = hidden if settings.published else linear
    return np.asarray(formula(rows if base is None else base.apply(rows), weights, NUMPY), np.float32)


def scores_of(settings: ClassifierSettings, weights: Arrays, rows: Vectors) -> Vectors:
    """Return how well every class fits embeddings (N, D): cosines, or the published logits; float32 (N, K)."""
    if settings.published:
        return np.asarray(rows @ weights["classes"].T + weights["offsets"], np.float32)
    return np.asarray(unit_rows(rows) @ unit_rows(weights["classes"]).T, np.float32)


def set_aside(things: Things, settings: ClassifierSettings) -> tuple[Rows, Rows, Rows]:
    """Choose things that stay unknown, and pictures of the others that are not learned from.

    Returns
    -------
    known, unknown : int64
        Numbers of things; `unknown` is empty where these would be fewer than eight.
    aside : int64
        Rows of pictures of known things, one of each; never the first one.
    """
    known, unknown = divided(len(things), settings.unknown, settings.seed)
    counts = np.diff(things.starts)[known]
    chosen = known[counts >= ENOUGH]
    rng = np.random.default_rng([settings.seed, 5])
    if len(chosen) < FEWEST:
        chosen = np.sort(rng.permutation(known)[: len(known) // 2])
    first = things.anchors()[chosen]
    drawn = things.draw_one(chosen, rng)
    while (again := np.flatnonzero(drawn == first)).size:
        drawn[again] = things.draw_one(chosen[again], rng)
    return known, unknown, drawn


def fit_classes(
    settings: ClassifierSettings, group: Grouped, on_epoch: OnEpoch, epochs: int, aside: tuple[Rows, Rows] | None = None
) -> Fitted:
    """Train a classifier whose classes are the things of a group.

    Parameters
    ----------
    settings : ClassifierSettings
    group : Grouped
    on_epoch : callable
    epochs : int
        At most.
    aside : (int64 (n,), int64 (n,)), optional
        Rows of pictures that are not among those of the things, and what they show, to choose the pass by; without
        them, and as published, the last one is kept.
    """
    base, things = None, group.things
    if not settings.published or settings.reduce:
        base = whitened_base(group, np.arange(len(things)), settings.reduce, settings.shrinkage, settings.seed)
    prepared = group.rows if base is None else base.apply(group.rows)
    start = _begun(settings, prepared, things)
    if not epochs:
        return Fitted(base, start, [], 0)
    need_torch()
    from lookalike.training.contrastive import train_contrastive
    from lookalike.training.held_pictures import HeldPictures
    from lookalike.training.objectives import Classes

    formula = hidden if settings.published else linear
    none = np.zeros(0, np.int64), np.zeros(0, np.int64)
    held = HeldPictures(prepared, *(none if aside is None or settings.published else aside))
    plan = settings.plan(len(things), epochs)
    trained = train_contrastive(formula, start, prepared, things, Classes(), plan, held, on_epoch)
    losses = [held.loss(formula, start), *(one["validation_loss"] for one in trained.history)]
    passes = len(trained.history) if losses[0] is None else int(np.argmin(losses))
    return Fitted(base, trained.weights, trained.history, passes)


def tried(
    settings: ClassifierSettings, fitted: Fitted, group: Grouped, unknown: Rows, aside: tuple[Rows, Rows]
) -> Trials:
    """Show a classifier pictures that were set aside, and all those of unknown things.

    Parameters
    ----------
    settings : ClassifierSettings
    fitted : Fitted
    group : Grouped
        With all things.
    unknown : int64 (u,)
        Numbers of things in the group.
    aside : (int64 (n,), int64 (n,))
        Rows of pictures of known things, and their classes.
    """
    parts = [group.things.of_thing(number) for number in unknown]
    rows = np.concatenate([aside[0], *parts])
    classes = np.concatenate([aside[1], *(np.full(len(part), -1) for part in parts)])
    mapped = embedded(settings, fitted.base, fitted.weights, group.rows[rows])
    best, evidence = top_two(scores_of(settings, fitted.weights, mapped))
    thing = np.concatenate([aside[1], *(np.full(len(p), len(group.things) + n) for n, p in enumerate(parts))])
    return Trials(evidence, best == classes, classes < 0, thing)


def _begun(settings: ClassifierSettings, prepared: Vectors, things: Things) -> Arrays:
    """Return weights before training: the head leaves features as they are, a class is the mean of its pictures."""
    length, rng = prepared.shape[1], np.random.default_rng(settings.seed)
    if settings.published:
        first, second = 1 / np.sqrt(length), 1 / np.sqrt(settings.hidden)
        drawn = {
            "inner": rng.uniform(-first, first, (settings.hidden, length)),
            "bias": rng.uniform(-first, first, settings.hidden),
            "classes": rng.uniform(-second, second, (len(things), settings.hidden)),
            "offsets": rng.uniform(-second, second, len(things)),
        }
        return {name: value.astype(np.float32) for name, value in drawn.items()}
    means = np.add.reduceat(unit_rows(prepared[things.members]), things.starts[:-1], axis=0)
    return {
        "map": np.eye(length, dtype=np.float32),
        "classes": unit_rows(means),
        "log_scale": np.array(np.log(settings.scale), np.float32),
    }
