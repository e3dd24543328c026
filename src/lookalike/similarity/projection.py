"""Projection models: a head over frozen features under which pictures of one thing are found among those of others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import UnknownNameError
from lookalike.core.features import Features
from lookalike.core.types import Vectors
from lookalike.similarity.forms import NUMPY, identity
from lookalike.similarity.model import MODELS, Arrays, Examples, SimilarityModel
from lookalike.similarity.prepared import need_torch
from lookalike.similarity.prepared_things import Base, Grouped, divided, grouped, whitened_base
from lookalike.similarity.projection_settings import ProjectionSettings, resolve_projection
from lookalike.similarity.projections import PROJECTIONS, Sizes
from lookalike.training.contrastive_plan import ContrastivePlan
from lookalike.training.plan import OnEpoch

if TYPE_CHECKING:
    from lookalike.training.objectives import Objective

__all__ = ["ProjectionModel"]

SAMPLED = 1024
"""Things whose pairs tell how far apart pictures are, for the bounds of a curriculum."""


@MODELS.register("projection")
class ProjectionModel(SimilarityModel):
    """A head trained by contrast: the pictures of a thing come together, those of all others go apart.

    Features of several encoders side by side are a concatenated ensemble under one head. By default the head is linear
    and starts where a closed form puts it: principal components, whitened by how pictures of one thing differ. That
    alone does most; passes of NT-Xent go on from there. They end where things that are held out are found best, which
    may be at the start; and where these are found better by the features as they are, these are kept.

    Parameters that are None take what suits the mode; `settings_` tells what that was.

    Parameters
    ----------
    mode : {"corrected", "published"}
        ``"published"``: the program of the source system (Le, Image similarity, 2023): features as they are under a
        head of two layers (of class logits, 1,000 numbers a network), gradient descent with momentum and a fixed rate,
        incomplete batches skipped, the weights of the last pass. For its three networks side by side, say
        ``hidden=2000``.
    loss : {"nt-xent", "semi-hard", "curriculum"}
        NT-Xent (SimCLR); semi-hard triplets (Identical Image Retrieval); or the contrastive loss of pairs that are
        mined from easy to hard (SimNet).
    head : {"linear", "residual", "mlp"}, optional
        ``W x``; ``x + B ReLU(A x + c)``; the published ``B ReLU(A x + a) + b``.
    reduce : int, optional
        Principal components before the head; 0 for all features, of which the published head takes no mean away.
    shrinkage : float, optional
        Of the whitening within things, below 1; 0 for ``d / (d + 7 n)`` with n pairs in d directions. The published
        head has none.
    hidden, length : int, optional
        Numbers between the layers, and numbers out; the latter for ``"mlp"`` alone.
    temperature : float, optional
        Of NT-Xent.
    margin : float, optional
        Of the other losses.
    stages : int, optional
        Of the curriculum.
    pairing : {"any", "given"}, optional
        A step takes any two pictures of each thing, or one of its pairs as it stands: an original and a view of it.
    epochs : int, optional
        Passes over all things, at most; at 0 the head stays where it starts, and PyTorch is not needed.
    batch : int, optional
        Things a step.
    optimiser : {"adamw", "sgd"}, optional
    learning_rate, weight_decay : float, optional
    pull : float, optional
        Strength that holds the weights where they start, see `lookalike.training.contrastive_plan.ContrastivePlan`.
    validation : float, optional
        Share of the things held out to choose the pass; none where that are fewer than eight.
    patience : int, optional
        Passes without a better one before it stops.
    seed : int

    Attributes
    ----------
    settings_ : dict
        All parameters as they were used.
    kept_ : {"features", "start", "trained"}
        What the held-out things were found best by.
    history_ : list of dict
        Per pass: ``epoch``, ``loss`` and, where things are held out, ``validation_loss``: the cross-entropy of finding
        their originals, see `lookalike.training.contrastive.finding_loss`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> shared, noise = rng.normal(size=(40, 3)), rng.normal(size=(2, 40, 5))
    >>> vectors = np.concatenate([np.hstack([shared, side]) for side in noise])
    >>> features = Features([f"{side}{n}" for side in "lr" for n in range(40)], vectors)
    >>> from lookalike import Pairs
    >>> pairs = Pairs.from_ids([f"l{n}" for n in range(40)], [f"r{n}" for n in range(40)])
    >>> model = ProjectionModel(epochs=0).fit(pairs, features)
    >>> model.transform(features).shape, model.kept_
    ((80, 8), 'start')
    """

    settings_: dict[str, Any]
    kept_: str
    base_: Base | None
    head_: list[NDArray[Any]]
    history_: list[dict[str, Any]]

    def __init__(
        self,
        mode: str = "corrected",
        loss: str = "nt-xent",
        head: str | None = None,
        reduce: int | None = None,
        shrinkage: float | None = None,
        hidden: int | None = None,
        length: int | None = None,
        temperature: float | None = None,
        margin: float | None = None,
        stages: int | None = None,
        pairing: str | None = None,
        epochs: int | None = None,
        batch: int | None = None,
        optimiser: str | None = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        pull: float | None = None,
        validation: float | None = None,
        patience: int | None = None,
        seed: int = 0,
    ) -> None:
        self.mode = mode
        self.loss = loss
        self.head = head
        self.reduce = reduce
        self.shrinkage = shrinkage
        self.hidden = hidden
        self.length = length
        self.temperature = temperature
        self.margin = margin
        self.stages = stages
        self.pairing = pairing
        self.epochs = epochs
        self.batch = batch
        self.optimiser = optimiser
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.pull = pull
        self.validation = validation
        self.patience = patience
        self.seed = seed

    def _fit(self, examples: Examples, features: Features, flipped: Features | None, on_epoch: OnEpoch) -> None:
        """Whiten within things, and train the head from there."""
        settings = resolve_projection(self.get_params())
        group = grouped(examples, features, flipped)
        train, held = divided(len(group.things), settings.validation, settings.seed)
        base = None
        if not settings.published or settings.reduce:
            base = whitened_base(group, train, settings.reduce, settings.shrinkage, settings.seed)
        prepared = Grouped(group.rows if base is None else base.apply(group.rows), group.things)
        sizes = Sizes(prepared.rows.shape[1], settings.hidden, settings.length)
        head = PROJECTIONS[settings.head].start(sizes, np.random.default_rng(settings.seed))
        self.history_, self.kept_ = [], "start"
        if settings.epochs:
            head = self._train(settings, group, prepared, head, settings.plan(train, held), on_epoch)
        self.settings_, self.base_ = settings.as_dict(), base
        self.head_ = [head[name] for name in PROJECTIONS[settings.head].names]
        if self.kept_ == "features":
            self.base_, self.head_ = None, []

    def _train(
        self,
        settings: ProjectionSettings,
        group: Grouped,
        prepared: Grouped,
        start: Arrays,
        plan: ContrastivePlan,
        on_epoch: OnEpoch,
    ) -> Arrays:
        """Train, and see what the things that were held out are found best by."""
        need_torch()
        from lookalike.training.contrastive import HeldThings, train_contrastive

        formula, objective = PROJECTIONS[settings.head].formula, _objective(settings, prepared, plan)
        held = HeldThings(prepared.rows, group.things, plan)
        trained = train_contrastive(formula, start, prepared.rows, group.things, objective, plan, held, on_epoch)
        self.history_ = trained.history
        same = all(np.array_equal(value, start[name]) for name, value in trained.weights.items())
        self.kept_ = "start" if same else "trained"
        plain = HeldThings(group.rows, group.things, plan).loss(identity, {})
        ours = held.loss(formula, trained.weights)
        if plain is not None and ours is not None and plain < ours:
            self.kept_ = "features"
        return trained.weights

    def _map(self, rows: Vectors) -> Vectors:
        """Whiten, and project."""
        if self.kept_ == "features":
            return rows
        prepared = rows if self.base_ is None else self.base_.apply(rows)
        head = PROJECTIONS[self.settings_["head"]]
        weights = dict(zip(head.names, self.head_, strict=True))
        return np.asarray(head.formula(prepared, weights, NUMPY), np.float32)

    def arrays(self) -> Arrays:
        """Return the settings and what was kept (as JSON), where the head starts, and its weights."""
        self._need_fit()
        told = json.dumps({"settings": self.settings_, "kept": self.kept_}).encode()
        held: Arrays = {"told": np.frombuffer(told, np.uint8), "n_features_in": np.array([self.n_features_in_])}
        if self.base_ is not None:
            held |= {"base.mean": self.base_.mean, "base.turn": self.base_.turn}
        return held | {f"head.{number}": value for number, value in enumerate(self.head_)}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `arrays` returned."""
        told = json.loads(arrays["told"].tobytes())
        head = told["settings"]["head"]
        if head not in PROJECTIONS:
            raise UnknownNameError("head", head, PROJECTIONS)
        count = 0 if told["kept"] == "features" else len(PROJECTIONS[head].names)
        self.head_ = [arrays[f"head.{number}"] for number in range(count)]
        self.base_ = Base(arrays["base.mean"], arrays["base.turn"]) if "base.mean" in arrays else None
        self.settings_, self.kept_ = told["settings"], told["kept"]
        self.n_features_in_, self.history_ = int(arrays["n_features_in"][0]), []


def _objective(settings: ProjectionSettings, prepared: Grouped, plan: ContrastivePlan) -> Objective:
    """Return what the loop minimises."""
    import torch

    from lookalike.training.objectives import Curriculum, NTXent, SemiHard

    if settings.loss == "nt-xent":
        return NTXent(settings.temperature)
    if settings.loss == "semi-hard":
        return SemiHard(settings.margin)
    rng = np.random.default_rng([settings.seed, 4])
    some = rng.permutation(plan.train_things)[:SAMPLED]
    sides = prepared.things.draw(some, settings.pairing, rng)
    left, right = (torch.from_numpy(prepared.rows[rows]) for rows in sides)
    return Curriculum(left, right, settings.stages, settings.margin)
