"""What a context model is trained on, and where its weights begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.lanes import cores, in_lanes
from lookalike.core.types import Rows, Vectors
from lookalike.judgments.joining import join
from lookalike.judgments.table import Judgments
from lookalike.similarity.context_settings import ContextSettings
from lookalike.similarity.forms import residual
from lookalike.similarity.heads import HEADS
from lookalike.similarity.prepared import grade_steps
from lookalike.training.plan import OnEpoch, Plan, untold

if TYPE_CHECKING:
    from lookalike.training.adaptation import Trained
    from lookalike.training.ranking import RankingTask

__all__ = ["MOST", "Beginning", "as_asked", "first_weights", "suited_epochs", "train_members"]

MOST, WAIT = 24, 3
"""Passes that are tried at most, and passes without a lower loss before the trial ends."""

TRIALS, MANY, SHARE = 4, 4096, 0.2
"""How often images are set aside to find the number of passes (half as often with many judgments), and how many."""

ENOUGH = 4096
"""Judgments that one trial learns from at most."""

UNTRIED = 6
"""Passes where too few judgments are left to try on."""

Beginning: TypeAlias = tuple[Mapping[str, NDArray[Any]], float]
"""The weights and the scale that a member begins with."""


def as_asked(judgments: Judgments, settings: ContextSettings) -> Judgments:
    """Return what to learn from: published, hard answers; for a head that tells a from b, flips as well.

    Examples
    --------
    >>> answers = Judgments.from_ids(["r", "r"], ["x", "y"], ["y", "z"], [3, 1], [1, 1])
    >>> found = as_asked(answers, ContextSettings(mode="published", head="concatenated"))
    >>> found.votes_a.tolist(), found.votes_b.tolist()
    ([1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0])
    """
    if settings.published:
        a = judgments.votes_a >= judgments.votes_b
        judgments = replace(judgments, votes_a=a.astype(np.float32), votes_b=(~a).astype(np.float32))
    return judgments if HEADS[settings.head].symmetric else join(judgments, judgments.flipped())


def first_weights(settings: ContextSettings, length: int) -> list[Beginning]:
    """Return where each member begins, for features of that length: a correction of nothing, and an untrained head.

    Examples
    --------
    >>> [(weights, scale)] = first_weights(ContextSettings(members=1, width=5), 3)
    >>> {name: value.shape for name, value in weights.items()}, scale
    ({'inner': (5, 3), 'bias': (5,), 'outer': (3, 5), 'head': (3,)}, 5.0)
    """
    begins: list[Beginning] = []
    for member in range(settings.members):
        rng = np.random.default_rng(settings.seed * settings.members + member)
        # With zeros for the bias, all hidden numbers would turn on and off at hyperplanes through the mean alone.
        drawn = rng.uniform(-1, 1, (settings.width, length + 1)) / np.sqrt(length)
        weights = {
            "inner": (3 * drawn[:, :-1]).astype(np.float32),
            "bias": drawn[:, -1].astype(np.float32),
            "outer": np.zeros((length, settings.width), np.float32),
            **HEADS[settings.head].start(length, rng),
        }
        if settings.triplet_on == "layer":
            weights |= {"gain": np.ones(length, np.float32), "shift": np.zeros(length, np.float32)}
        begins.append((weights, settings.scale))
    return begins


def train_members(
    settings: ContextSettings,
    asked: Judgments,
    places: Sequence[NDArray[np.int64]],
    views: Sequence[Vectors],
    begins: Sequence[Beginning],
    on_epoch: OnEpoch,
) -> list[Trained]:
    """Train every member from a seed of its own, side by side.

    Parameters
    ----------
    settings : ContextSettings
    asked : Judgments, n
    places : sequence of int64 (n,)
        Rows of the references, candidates a and candidates b in each view.
    views : sequence of float32 (N, d)
    begins : sequence of (weights, scale)
        Of each member.
    on_epoch : callable

    Raises
    ------
    InputError
        Too many judgments would be set aside.
    """
    from lookalike.training.adaptation import train_adaptation

    task = _task(settings, asked, places)

    def train(member: int) -> tuple[int, Trained]:
        weights, scale = begins[member]
        seed = settings.seed * len(begins) + member
        plan = _plan(settings, *_set_aside(settings, asked, seed), scale, seed)
        return member, train_adaptation(residual, weights, views, task, plan, on_epoch, member)

    done = dict(in_lanes(train, range(len(begins)), min(len(begins), cores())))
    return [done[member] for member in range(len(begins))]


def suited_epochs(
    settings: ContextSettings,
    asked: Judgments,
    places: Sequence[NDArray[np.int64]],
    views: Sequence[Vectors],
    beginning: Beginning,
) -> int:
    """Return after how many passes a member predicts held-out answers best.

    A fifth of the images is set aside by chance, several times: a member is trained on the judgments that have none of
    them, and tried on those whose reference is one. These are half of the judgments or fewer; training on all of them
    needs fewer passes but more steps: the mean over the trials of the best number of passes, times the square root of
    the share that was trained on.

    Parameters
    ----------
    settings, asked, places, views
        As for `train_members`; the number of passes does not count.
    beginning : (weights, scale)

    Returns
    -------
    int
        1 to `MOST`.
    """
    from lookalike.training.adaptation import train_adaptation

    task, triplets = _task(settings, asked, places), np.stack(places)
    count = int(triplets.max()) + 1
    trial = replace(settings, epochs=MOST, patience=WAIT, keep="best")

    def work(number: int) -> float:
        rng = np.random.default_rng([settings.seed, number])
        aside = np.zeros(count, np.bool_)
        aside[rng.permutation(count)[: max(1, round(SHARE * count))]] = True
        train, held = np.flatnonzero(~aside[triplets].any(axis=0)), np.flatnonzero(aside[triplets[0]])
        if not (len(train) and len(held)):
            return float("nan")
        if len(train) > ENOUGH:
            train = np.sort(rng.choice(train, ENOUGH, replace=False))
        plan = _plan(trial, train, held, beginning[1], settings.seed)
        found = train_adaptation(residual, beginning[0], views, task, plan, untold)
        losses = [epoch["validation_loss"] for epoch in found.history]
        return float((1 + np.argmin(losses)) * np.sqrt(len(train) / len(asked)))

    trials = TRIALS if len(asked) <= MANY else TRIALS // 2
    found = np.array(sorted(in_lanes(work, range(trials), min(trials, cores()))))
    return UNTRIED if np.isnan(found).all() else int(np.clip(np.ceil(np.nanmean(found)), 1, MOST))


def _task(settings: ContextSettings, asked: Judgments, places: Sequence[NDArray[np.int64]]) -> RankingTask:
    from lookalike.training.ranking import RankingTask

    margin = settings.triplet_margin + settings.grade_margin * grade_steps(asked)
    head = HEADS[settings.head].formula
    votes = asked.votes_a, asked.votes_b
    return RankingTask(places, *votes, margin, head, settings.triplet_weight, settings.triplet_on)


def _set_aside(settings: ContextSettings, asked: Judgments, seed: int) -> tuple[Rows, Rows]:
    """Return the judgments to train on, and those for early stopping, of which no image is trained on."""
    every = np.arange(len(asked))
    if not settings.validation:
        return every, every[:0]
    first = asked.split("image", folds=max(2, round(1 / settings.validation)), seed=seed)[0]
    if not len(first.train_rows):
        raise InputError(f"validation={settings.validation} of {len(every)} judgments leaves nothing to train on")
    return first.train_rows, first.test_rows


def _plan(settings: ContextSettings, train: Rows, held: Rows, scale: float, seed: int) -> Plan:
    return Plan(
        epochs=settings.epochs,
        batch=settings.batch,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        scale=scale,
        learn_scale=settings.learn_scale,
        dropout=settings.dropout,
        train_rows=train,
        validation_rows=held,
        patience=settings.patience,
        seed=seed,
        pull=settings.pull,
        keep=settings.keep,
    )
