"""Adaptation functions: a small learned map over frozen features, fitted on matched pairs or on judgments."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.core.features import Features
from lookalike.core.lanes import cores, in_lanes
from lookalike.core.types import Vectors
from lookalike.core.vectors import unit_rows
from lookalike.judgments.pairs import Pairs
from lookalike.similarity.forms import FORMS, NUMPY
from lookalike.similarity.model import MODELS, Arrays, Examples, SimilarityModel, judged_rows, paired_rows
from lookalike.similarity.prepared import grade_steps, in_order_of_ids, need_torch, prepared
from lookalike.similarity.reduction import Reduction
from lookalike.similarity.settings import Settings, resolve
from lookalike.similarity.within import within_pair_whitening
from lookalike.training.plan import OnEpoch, Plan

__all__ = ["AdaptationModel"]


@MODELS.register("adaptation")
class AdaptationModel(SimilarityModel):
    """Principal components, then a learned map; its distance agrees with people better than that of the features.

    Parameters that are None take what suits the form; `settings_` tells what that was.

    Parameters
    ----------
    form : {"auto", "original", "peterson", "identity", "residual", "within"}
        ``"original"``: ``ReLU(W x)`` (Risser-Maroix et al., 2021), with their parameters. ``"peterson"``: a weight of
        at least 0 per feature. ``"identity"``: principal components alone, the baseline. ``"residual"``: the features
        and a learned correction, ``x + B ReLU(A x + c)``. ``"within"``: within-pair whitening in closed form, for pairs
        alone, which needs neither PyTorch nor epochs. ``"auto"`` takes ``"within"`` for pairs and ``"residual"`` for
        judgments, which are the best by our measurements.
    reduce : int, optional
        Principal components to keep; 0 for all features as they are.
    whiten : bool
        Scale the components to variance 1.
    transductive : bool
        Fit the components on all features that are given, those of test images and of mirrored pictures among them, as
        the published experiment did; by default only on the images of the examples as they are.
    width : int, optional
        Length of the hidden layer; of the output, for ``"original"``.
    scale : float, optional
        What cosines, or differences of distances, are multiplied by in the loss (the paper's T).
    learn_scale : bool, optional
        Whether `scale` is only where learning starts.
    shrinkage : float, optional
        Of ``"within"``: above 0 and up to 1.
    dropout : float, optional
        Of the hidden layer (of the input, where there is none), in [0, 1).
    members : int, optional
        Maps that are trained from different seeds and stand side by side.
    epochs : int, optional
    batch : int, optional
        Pairs or judgments a step; 0 for all at once.
    learning_rate, weight_decay : float, optional
        Of AdamW.
    validation : float
        Share of the pairs kept for early stopping; 0 for none. Of judgments, one of ``round(1 / validation)`` folds by
        image: fewer rows than that share, and no image of them is trained on.
    patience : int
        Epochs without a lower validation loss before it stops; the best weights are kept.
    grade_margin : float
        Judgments with grades: gap of distances that is asked for, per step of grade difference.
    seed : int

    Attributes
    ----------
    settings_ : dict
        All parameters as they were used.
    history_ : list of dict
        Per epoch: ``member``, ``epoch``, ``loss``, ``scale`` and, with `validation`, ``validation_loss``.
    scale_ : float
        The scale after learning.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> shared, noise = rng.normal(size=(40, 3)), rng.normal(size=(2, 40, 5))
    >>> vectors = np.concatenate([np.hstack([shared, side]) for side in noise])
    >>> features = Features([f"{side}{n}" for side in "lr" for n in range(40)], vectors)
    >>> pairs = Pairs.from_ids([f"l{n}" for n in range(40)], [f"r{n}" for n in range(40)])
    >>> model = AdaptationModel(form="within").fit(pairs, features)
    >>> model.transform(features).shape
    (80, 8)
    """

    settings_: dict[str, Any]
    members_: list[Arrays]
    reduction_: Reduction | None
    gain_: float
    history_: list[dict[str, Any]]
    scale_: float

    def __init__(
        self,
        form: str = "auto",
        reduce: int | None = None,
        whiten: bool = False,
        transductive: bool = False,
        width: int | None = None,
        scale: float | None = None,
        learn_scale: bool | None = None,
        shrinkage: float | None = None,
        dropout: float | None = None,
        members: int | None = None,
        epochs: int | None = None,
        batch: int | None = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        validation: float = 0.0,
        patience: int = 10,
        grade_margin: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.form = form
        self.reduce = reduce
        self.whiten = whiten
        self.transductive = transductive
        self.width = width
        self.scale = scale
        self.learn_scale = learn_scale
        self.shrinkage = shrinkage
        self.dropout = dropout
        self.members = members
        self.epochs = epochs
        self.batch = batch
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.validation = validation
        self.patience = patience
        self.grade_margin = grade_margin
        self.seed = seed

    def _fit(self, examples: Examples, features: Features, flipped: Features | None, on_epoch: OnEpoch) -> None:
        """Reduce, and train what the form says."""
        settings = resolve(self.get_params(), "pairs" if isinstance(examples, Pairs) else "judgments")
        columns = paired_rows(examples, features) if isinstance(examples, Pairs) else judged_rows(examples, features)
        used, places = in_order_of_ids(columns, features.ids)
        given = [features] if flipped is None else [features, flipped]
        views = [one.vectors[one.rows(features.ids[used])] for one in given]
        reduction = self._reduction(settings, [one.vectors for one in given] if settings.transductive else views[:1])
        gain, reduced = prepared(views, reduction)
        self.members_, self.history_, self.scale_ = [{}], [], float(settings.scale)
        if settings.form == "within":
            self.members_ = [{"turn": _whitening(reduced, places, settings.shrinkage)}]
        elif FORMS[settings.form].shapes:
            self._train(settings, reduced, examples, places, on_epoch)
        self.settings_, self.reduction_, self.gain_ = settings.as_dict(), reduction, gain

    def _reduction(self, settings: Settings, views: list[Vectors]) -> Reduction | None:
        if not settings.reduce:
            return None
        return Reduction(settings.reduce, whiten=settings.whiten, seed=settings.seed).fit(np.concatenate(views))

    def _train(
        self,
        settings: Settings,
        views: list[Vectors],
        examples: Examples,
        places: list[NDArray[Any]],
        on_epoch: OnEpoch,
    ) -> None:
        """Train every member from a seed of its own."""
        train_adaptation, task = _torch_parts(examples, places, settings.grade_margin)
        form = FORMS[settings.form]

        def train(member: int) -> tuple[int, Any]:
            seed = settings.seed * settings.members + member
            start = form.start(settings.width, views[0].shape[1], np.random.default_rng(seed))
            plan = _plan(settings, examples, seed)
            return member, train_adaptation(form.formula, start, views, task, plan, on_epoch, member)

        lanes = min(settings.members, cores())
        trained = [one for _, one in sorted(in_lanes(train, range(settings.members), lanes), key=lambda done: done[0])]
        self.members_ = [one.weights for one in trained]
        self.history_ = [epoch for one in trained for epoch in one.history]
        self.scale_ = float(np.mean([one.scale for one in trained]))

    def _map(self, rows: Vectors) -> Vectors:
        """Reduce and scale, map by every member, and put the unit vectors of all members side by side."""
        reduced = rows if self.reduction_ is None else self.reduction_.transform(rows)
        return np.concatenate([unit_rows(self._member(self.gain_ * reduced, one)) for one in self.members_], axis=1)

    def _member(self, rows: Vectors, weights: Mapping[str, NDArray[Any]]) -> Vectors:
        turned = rows @ weights["turn"] if "turn" in weights else rows
        return np.asarray(FORMS[self.settings_["form"]].formula(turned, weights, NUMPY), np.float32)

    def arrays(self) -> Arrays:
        """Return the settings (as JSON), the components, the scaling and the weights of every member."""
        self._need_fit()
        held: Arrays = {"gain": np.array([self.gain_], np.float32), "scale": np.array([self.scale_])}
        held["n_features_in"] = np.array([self.n_features_in_])
        held["settings"] = np.frombuffer(json.dumps(self.settings_).encode(), np.uint8)
        if self.reduction_ is not None:
            held |= {f"reduction.{name}": value for name, value in self.reduction_.arrays().items()}
        for number, member in enumerate(self.members_):
            held |= {f"member.{number}.{name}": value for name, value in member.items()}
        return held

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `arrays` returned."""
        settings = json.loads(arrays["settings"].tobytes())
        if settings["form"] not in FORMS:
            raise UnknownNameError("form", settings["form"], FORMS)
        reduction = {name[10:]: value for name, value in arrays.items() if name.startswith("reduction.")}
        learned = ["turn"] if settings["form"] == "within" else list(FORMS[settings["form"]].shapes)
        count = settings["members"] if FORMS[settings["form"]].shapes else 1
        self.members_ = [{key: arrays[f"member.{n}.{key}"] for key in learned} for n in range(count)]
        self.reduction_ = Reduction.from_arrays(reduction) if settings["reduce"] else None
        self.settings_ = settings
        self.gain_, self.scale_ = float(arrays["gain"][0]), float(arrays["scale"][0])
        self.n_features_in_, self.history_ = int(arrays["n_features_in"][0]), []


def _whitening(views: list[Vectors], places: list[NDArray[Any]], shrinkage: float) -> Vectors:
    """Learn from every view of the left image against every view of the right one."""
    left, right = places
    differences = [one[left] - other[right] for one in views for other in views]
    return within_pair_whitening(np.concatenate(differences), shrinkage)


def _torch_parts(examples: Examples, places: list[NDArray[Any]], grade_margin: float) -> tuple[Any, Any]:
    """Import what trains, and lay the examples out for it."""
    need_torch()
    from lookalike.training.adaptation import train_adaptation
    from lookalike.training.tasks import JudgmentTask, PairTask

    if isinstance(examples, Pairs):
        return train_adaptation, PairTask(*places)
    margin = grade_margin * grade_steps(examples)
    return train_adaptation, JudgmentTask(places, examples.votes_a, examples.votes_b, margin)


def _plan(settings: Settings, examples: Examples, seed: int) -> Plan:
    """Set rows aside for early stopping: pairs by chance, judgments such that no image of theirs is trained on."""
    every = np.arange(len(examples))
    train, held = every, every[:0]
    if settings.validation and isinstance(examples, Pairs):
        shuffled = np.random.default_rng(seed).permutation(every)
        count = max(1, round(settings.validation * len(every)))
        train, held = np.sort(shuffled[count:]), np.sort(shuffled[:count])
    elif settings.validation and not isinstance(examples, Pairs):
        first = examples.split("image", folds=max(2, round(1 / settings.validation)), seed=seed)[0]
        train, held = first.train_rows, first.test_rows
    if not len(train):
        raise InputError(f"validation={settings.validation} of {len(every)} examples leaves nothing to train on")
    return Plan(
        epochs=settings.epochs,
        batch=settings.batch,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        scale=settings.scale,
        learn_scale=settings.learn_scale,
        dropout=settings.dropout,
        train_rows=train,
        validation_rows=held,
        patience=settings.patience,
        seed=seed,
    )
