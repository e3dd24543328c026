"""Context models: a ranking head and an embedding over frozen features, fitted on the judgments of one context."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.types import Vectors
from lookalike.core.vectors import unit_rows
from lookalike.judgments.table import Judgments
from lookalike.metrics.calibration import logistic
from lookalike.metrics.two_afc import two_afc_accuracy
from lookalike.similarity.context_settings import ContextSettings, resolve_context
from lookalike.similarity.context_training import MOST, as_asked, first_weights, suited_epochs, train_members
from lookalike.similarity.forms import NUMPY, residual
from lookalike.similarity.heads import HEADS
from lookalike.similarity.model import MODELS, Arrays, Examples, SimilarityModel, judged_rows
from lookalike.similarity.prepared import in_order_of_ids, need_torch, prepared
from lookalike.similarity.reduction import Reduction
from lookalike.training.plan import OnEpoch

__all__ = ["ContextModel"]


@MODELS.register("context")
class ContextModel(SimilarityModel):
    """What counts in one context: principal components, a learned correction, and a ranking head over the result.

    After the context-sensitive models of CoSIS (Liao and Chen, Image similarity using an ensemble of context-sensitive
    models, 2024), at the depth where the network is frozen. The loss is the cross-entropy of the head, and a tenth of
    an order triplet loss with a margin that grows with the difference of grades. Fitted on the judgments of all
    contexts together, it is a global model.

    Parameters that are None take what suits the mode; `settings_` tells what that was.

    Parameters
    ----------
    mode : {"corrected", "published"}
        ``"published"``: the linear head over the three embeddings side by side, features and embeddings as long as they
        come, squared distances, hard answers (a where votes are level), flips appended, batches of 8, 25 passes of Adam
        at 1e-5, the last weights. ``"corrected"``: unit embeddings, soft votes, an antisymmetric head, and settings by
        our measurements.
    head : {"antisymmetric", "concatenated"}, optional
        See `lookalike.similarity.heads`.
    reduce : int, optional
        Principal components to keep; 0 for all features as they are.
    width, members : int, optional
        Of the hidden layer of the correction; and how many are trained from different seeds and stand side by side.
    epochs : int, optional
        Passes. Corrected, as many as predict held-out answers best, or with `start` as many as that took.
    batch : int, optional
        Judgments a step; 0 for all at once.
    learning_rate, weight_decay : float, optional
        Of AdamW.
    dropout : float, optional
        Of the hidden layer, in [0, 1).
    scale : float, optional
        What the head's log odds are multiplied by.
    learn_scale : bool, optional
        Whether `scale` is only where learning starts.
    triplet_on : {"unit", "plain", "layer"}, optional
        What the triplet loss takes: embeddings of length 1, as they come, or after a layer normalisation that is
        learned (as the published ResNet-18 for places has it, whose head takes them as they come).
    triplet_weight : float, optional
    triplet_margin, grade_margin : float, optional
        Margin of the triplet loss: the former, and the latter per step of grades.
    start : ContextModel, optional
        A fitted model to start from, usually the global one: its components and its weights. Not stored with the model.
    pull : float, optional
        How strongly weights are pulled to where they start, against the sum of the losses of all judgments: with few
        judgments the model stays close to its start.
    validation : float
        About that share of the judgments is kept for early stopping, split by image; 0 for none.
    patience : int
        Epochs without a lower validation loss before it stops.
    keep : {"best", "last"}, optional
        With `validation`: the weights of the lowest validation loss, or the last ones.
    seed : int

    Attributes
    ----------
    settings_ : dict
        All parameters as they were used, but for `start`.
    history_ : list of dict
        Per epoch: ``member``, ``epoch``, ``loss``, ``scale`` and, with `validation`, ``validation_loss``.
    scale_ : float
        The scale after learning.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> features = Features([str(n) for n in range(40)], rng.normal(size=(40, 6)))
    >>> r, a, b = np.array([rng.choice(40, 3, replace=False) for _ in range(300)]).T
    >>> first = features.vectors[:, 0]  # all that these people look at
    >>> closer_a = abs(first[r] - first[a]) < abs(first[r] - first[b])
    >>> answers = Judgments.from_ids(*(column.astype(str) for column in (r, a, b)), closer_a, ~closer_a)
    >>> model = ContextModel(reduce=0, epochs=40).fit(answers, features)
    >>> bool(((model.choose(answers, features) > 0.5) == closer_a).mean() > 0.8)
    True
    """

    settings_: dict[str, Any]
    members_: list[Arrays]
    reduction_: Reduction | None
    gain_: float
    history_: list[dict[str, Any]]
    scale_: float
    scales_: list[float]

    def __init__(
        self,
        mode: Literal["corrected", "published"] = "corrected",
        head: str | None = None,
        reduce: int | None = None,
        width: int | None = None,
        members: int | None = None,
        epochs: int | None = None,
        batch: int | None = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        dropout: float | None = None,
        scale: float | None = None,
        learn_scale: bool | None = None,
        triplet_on: str | None = None,
        triplet_weight: float | None = None,
        triplet_margin: float | None = None,
        grade_margin: float | None = None,
        start: ContextModel | None = None,
        pull: float | None = None,
        validation: float = 0.0,
        patience: int = 10,
        keep: str | None = None,
        seed: int = 0,
    ) -> None:
        self.mode = mode
        self.head = head
        self.reduce = reduce
        self.width = width
        self.members = members
        self.epochs = epochs
        self.batch = batch
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.scale = scale
        self.learn_scale = learn_scale
        self.triplet_on = triplet_on
        self.triplet_weight = triplet_weight
        self.triplet_margin = triplet_margin
        self.grade_margin = grade_margin
        self.start = start
        self.pull = pull
        self.validation = validation
        self.patience = patience
        self.keep = keep
        self.seed = seed

    def __sklearn_clone__(self) -> Self:
        """Keep the model to start from: it is a parameter like any other, and is never changed."""
        return self.fresh()

    def choose(self, judgments: Judgments, features: Features) -> NDArray[np.float64]:
        """Return the probability that candidate a is closer, by the ranking head, float64 (n,): the mean over members.

        Raises
        ------
        NotFittedError
        InputError
            An image has no features.
        """
        x, places = self._asked_about(judgments, features)
        formula, unit = HEADS[self.settings_["head"]].formula, self.settings_["triplet_on"] == "unit"
        found = np.zeros(len(judgments))
        for member, scale in zip(self.members_, self.scales_, strict=True):
            z = _embedded(x, member)
            odds = formula(unit_rows(z) if unit else z, places, member)
            found += logistic(-scale * np.asarray(odds, np.float64), 1.0)
        return found / len(self.members_)

    def accuracies(self, judgments: Judgments, features: Features) -> dict[str, float]:
        """Return how far the head, and the embeddings, agree with judgments, both in [0, 1].

        Corrected: the share of votes; level distances count one half. Published: the share of judgments, of which each
        has one answer; the head's larger output, and squared Euclidean distances of embeddings as long as they come,
        are taken for the model's, and a wherever two are level.

        Returns
        -------
        dict of str to float
            ``"head"`` and ``"embedding"``.

        Raises
        ------
        NotFittedError
        InputError
            An image has no features.
        """
        chance = self.choose(judgments, features)
        votes = judgments.votes_a, judgments.votes_b
        if self.settings_["mode"] != "published":
            by_distance = two_afc_accuracy(*self.distances(judgments, features), *votes)
            return {"head": two_afc_accuracy(1 - chance, chance, *votes).value, "embedding": by_distance.value}
        a, b = self._squared_distances(judgments, features)
        says_b, closer_b = {"head": chance < 0.5, "embedding": a > b}, votes[1] > votes[0]
        return {name: float((one == closer_b).mean()) for name, one in says_b.items()}

    def _squared_distances(self, judgments: Judgments, features: Features) -> list[NDArray[np.float64]]:
        """Return squared Euclidean distances to candidates a and b, summed over members."""
        x, (reference, *candidates) = self._asked_about(judgments, features)
        found = []
        for rows in candidates:
            apart = (_embedded(x, one).astype(np.float64) for one in self.members_)
            found.append(np.sum([((z[reference] - z[rows]) ** 2).sum(axis=1) for z in apart], axis=0))
        return found

    def _asked_about(self, judgments: Judgments, features: Features) -> tuple[Vectors, NDArray[np.int64]]:
        """Return what goes into the map for each image of some judgments, and the places of these images (3, n)."""
        self._need_fit()
        used, places = np.unique(np.concatenate(judged_rows(judgments, features)), return_inverse=True)
        x = self._reduced(features.vectors[used])
        return x, places.reshape(3, -1)

    def _fit(self, examples: Examples, features: Features, flipped: Features | None, on_epoch: OnEpoch) -> None:
        """Reduce, and train every member from a seed of its own."""
        if not isinstance(examples, Judgments):
            raise InputError("a context model is fitted on Judgments; for pairs take AdaptationModel")
        need_torch()
        start = self._started(features)
        settings = resolve_context(self.get_params(), None if start is None else start.settings_)
        asked = as_asked(examples, settings)
        used, places = in_order_of_ids(judged_rows(asked, features), features.ids)
        views = [one.vectors[one.rows(features.ids[used])] for one in (features, flipped) if one is not None]
        reduction, gain, reduced = _reduced_views(views, settings, start)
        begins = first_weights(settings, reduced[0].shape[1])
        if not settings.epochs:
            stopped = settings.validation > 0
            epochs = MOST if stopped else suited_epochs(settings, asked, places, reduced, begins[0])
            settings = replace(settings, epochs=epochs)
        if start is not None:
            begins = list(zip(start.members_, start.scales_, strict=True))
        trained = train_members(settings, asked, places, reduced, begins, on_epoch)
        self.members_, self.scales_ = [one.weights for one in trained], [one.scale for one in trained]
        self.history_ = [epoch for one in trained for epoch in one.history]
        self.scale_ = float(np.mean(self.scales_))
        self.settings_ = settings.as_dict()
        self.reduction_, self.gain_ = reduction, gain

    def _started(self, features: Features) -> ContextModel | None:
        """Return the model to start from, having looked whether it fits."""
        start = self.start
        if start is None:
            return None
        if not isinstance(start, ContextModel):
            raise InputError(f"a context model starts from another one, not from {type(start).__name__}")
        start._need_fit()
        if start.n_features_in_ != features.vectors.shape[1]:
            raise InputError(
                f"the model to start from takes {start.n_features_in_} numbers an image, these features have "
                f"{features.vectors.shape[1]}"
            )
        return start

    def _reduced(self, rows: Vectors) -> Vectors:
        return np.asarray(
            self.gain_ * (rows if self.reduction_ is None else self.reduction_.transform(rows)), np.float32
        )

    def _map(self, rows: Vectors) -> Vectors:
        """Put the unit embeddings of all members side by side."""
        x = self._reduced(rows)
        return np.concatenate([unit_rows(_embedded(x, member)) for member in self.members_], axis=1)

    def card_parameters(self) -> dict[str, Any]:
        """Return the parameters as JSON values, without the model it started from."""
        return {**self.get_params(), "start": None}

    def arrays(self) -> Arrays:
        """Return the settings (as JSON), the components, the scaling and the weights of every member."""
        self._need_fit()
        held: Arrays = {
            "gain": np.array([self.gain_], np.float32),
            "scales": np.array(self.scales_),
            "n_features_in": np.array([self.n_features_in_]),
            "settings": np.frombuffer(json.dumps(self.settings_).encode(), np.uint8),
        }
        if self.reduction_ is not None:
            held |= {f"reduction.{name}": value for name, value in self.reduction_.arrays().items()}
        for number, member in enumerate(self.members_):
            held |= {f"member.{number}.{name}": value for name, value in member.items()}
        return held

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `arrays` returned."""
        settings = json.loads(arrays["settings"].tobytes())
        HEADS[settings["head"]]  # one that is unknown is told as what the file lacks
        reduction = {name[10:]: value for name, value in arrays.items() if name.startswith("reduction.")}
        prefixes = [f"member.{number}." for number in range(settings["members"])]
        self.members_ = [
            {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
            for prefix in prefixes
        ]
        if not all({"inner", "bias", "outer", "head"} <= set(member) for member in self.members_):
            raise KeyError("weights of a member")
        self.reduction_ = Reduction.from_arrays(reduction) if settings["reduce"] else None
        self.settings_, self.scales_ = settings, arrays["scales"].tolist()
        self.gain_, self.scale_ = float(arrays["gain"][0]), float(np.mean(self.scales_))
        self.n_features_in_, self.history_ = int(arrays["n_features_in"][0]), []


def _embedded(x: Vectors, member: Mapping[str, NDArray[Any]]) -> Vectors:
    return np.asarray(residual(x, member, NUMPY), np.float32)


def _reduced_views(
    views: list[Vectors], settings: ContextSettings, start: ContextModel | None
) -> tuple[Reduction | None, float, list[Vectors]]:
    """Reduce and scale every view, as the model to start from does if there is one; published, nothing is scaled."""
    if start is not None:
        return start.reduction_, start.gain_, [start._reduced(view) for view in views]
    reduction = Reduction(settings.reduce, seed=settings.seed).fit(np.concatenate(views)) if settings.reduce else None
    if settings.published and reduction is None:
        return None, 1.0, views
    gain, reduced = prepared(views, reduction)
    return reduction, gain, reduced
