"""Classifiers: one class per known thing, and a say that a picture shows none of these."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.features import Features
from lookalike.core.types import Rows, Vectors
from lookalike.judgments.pairs import Pairs
from lookalike.similarity.classifier_settings import ClassifierSettings, resolve_classifier
from lookalike.similarity.classifier_training import embedded, fit_classes, scores_of, set_aside, tried
from lookalike.similarity.model import MODELS, Arrays, Examples, SimilarityModel
from lookalike.similarity.open_set import OpenSet, fit_open_set, top_two
from lookalike.similarity.prepared_things import Base, Grouped, grouped
from lookalike.training.plan import OnEpoch, untold

__all__ = ["ClassifierModel"]

ROWS_AT_ONCE = 1024
HEADS = {"corrected": ("map", "classes", "log_scale"), "published": ("inner", "bias", "classes", "offsets")}
"""Weights by mode."""


@MODELS.register("classifier")
class ClassifierModel(SimilarityModel):
    """One class per thing, trained by cross-entropy on its pictures, and when to name none.

    By default a linear head that starts as in `lookalike.similarity.projection.ProjectionModel`, under a cosine
    classifier with a learned scale whose classes start as the mean of their pictures. `transform` gives the embedding
    under the classes, so that it searches and matches as any other model.

    Where there are enough things, it is first fitted without a share of these, and without one picture of each of the
    others. They choose the number of passes, and tell how sure a class is and below which probability none is named;
    then it is fitted on everything.

    Parameters
    ----------
    mode : {"corrected", "published"}
        ``"published"``: ``fc2`` of the source system's head gives a number per class; features as they are, drawn
        weights, gradient descent with momentum. Its code and results are not published.
    reduce, shrinkage : optional
        As in `ProjectionModel`.
    hidden : int, optional
        Numbers under the classes, of ``"published"`` alone.
    scale : float, optional
        What cosines are multiplied by at first.
    epochs : int, optional
        Passes at most, in each of which every thing comes up once; at 0 classes are the means of their pictures.
    batch, optimiser, learning_rate, weight_decay : optional
    refuse : float
        Share of pictures of unknown things for which no class should be named, in [0, 1).
    unknown : float
        Share of the things that is held out to find out; fewer than eight tell nothing, and then a class is always
        named.
    patience : int, optional
        Passes without a better one before it stops.
    seed : int

    Attributes
    ----------
    classes_ : str (K,)
        Of each class, the id of the left image of its first pair: the original, where pairs are with views.
    open_set_ : OpenSet or None
        When a class is named, and how that fared; None where too few things were given.
    settings_ : dict
    history_ : list of dict
        Of the fit that is kept.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> things = rng.normal(size=(60, 20)).repeat(4, 0) + 0.3 * rng.normal(size=(240, 20))
    >>> features = Features([f"{n // 4:02}-{n % 4}" for n in range(240)], things)
    >>> from lookalike import Pairs
    >>> rest = [n for n in range(240) if n % 4]
    >>> pairs = Pairs.from_ids([f"{n // 4:02}-0" for n in rest], [f"{n // 4:02}-{n % 4}" for n in rest])
    >>> model = ClassifierModel(epochs=0, refuse=0.9).fit(pairs, features)
    >>> labels, probability = model.predict(np.concatenate([things[:1], rng.normal(size=(1, 20))]))
    >>> labels.tolist(), model.transform(features).shape
    (['00-0', ''], (240, 20))
    """

    settings_: dict[str, Any]
    classes_: NDArray[np.str_]
    base_: Base | None
    weights_: list[NDArray[Any]]
    open_set_: OpenSet | None
    history_: list[dict[str, Any]]

    def __init__(
        self,
        mode: str = "corrected",
        reduce: int | None = None,
        shrinkage: float | None = None,
        hidden: int | None = None,
        scale: float | None = None,
        epochs: int | None = None,
        batch: int | None = None,
        optimiser: str | None = None,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        refuse: float = 0.95,
        unknown: float = 0.2,
        patience: int | None = None,
        seed: int = 0,
    ) -> None:
        self.mode = mode
        self.reduce = reduce
        self.shrinkage = shrinkage
        self.hidden = hidden
        self.scale = scale
        self.epochs = epochs
        self.batch = batch
        self.optimiser = optimiser
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.refuse = refuse
        self.unknown = unknown
        self.patience = patience
        self.seed = seed

    def predict(self, features: Features | Vectors) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
        """Name what pictures show.

        Parameters
        ----------
        features : Features, or float32 (N, n_features_in_)

        Returns
        -------
        labels : str (N,)
            Of `classes_`, empty for none of these.
        probability : float64 (N,)
            That the best class, named or not, is right, among as many pictures of unknown things as of known ones.
            Without `open_set_`, that of the softmax, which knows of no unknown things.

        Raises
        ------
        NotFittedError
        InputError
            As of `transform`.
        """
        self._need_fit()
        given = features if isinstance(features, Features) else np.asarray(features, np.float32)
        settings, weights = ClassifierSettings(**self.settings_), self._weights()
        best, probability = np.zeros(len(given), np.int64), np.zeros(len(given))
        for start in range(0, max(1, len(given)), ROWS_AT_ONCE):  # scores of all classes, a few pictures at a time
            block = slice(start, start + ROWS_AT_ONCE)
            some = Features(given.ids[block], given.vectors[block]) if isinstance(given, Features) else given[block]
            mapped = self.transform(some)  # which also refuses what cannot be mapped
            if settings.published:
                rows = some.vectors if isinstance(some, Features) else some
                mapped = embedded(settings, self.base_, weights, rows)
            scores = scores_of(settings, weights, mapped)
            best[block], evidence = top_two(scores)
            sure = _softmax(scores, weights) if self.open_set_ is None else self.open_set_.probability(evidence)
            probability[block] = sure
        named = probability >= (0.0 if self.open_set_ is None else self.open_set_.threshold)
        return np.where(named, self.classes_[best], ""), probability

    def _fit(self, examples: Examples, features: Features, flipped: Features | None, on_epoch: OnEpoch) -> None:
        """Find out how many passes and when to refuse, and fit on everything."""
        settings = resolve_classifier(self.get_params())
        group = grouped(examples, features, flipped)
        assert isinstance(examples, Pairs)
        epochs, open_set = self._found_out(settings, group)
        fitted = fit_classes(settings, group, on_epoch, epochs)
        self.settings_, self.open_set_ = settings.as_dict(), open_set
        self.base_, self.history_ = fitted.base, fitted.history
        self.weights_ = [fitted.weights[name] for name in HEADS[settings.mode]]
        self.classes_ = _names(examples)

    def _found_out(self, settings: ClassifierSettings, group: Grouped) -> tuple[int, OpenSet | None]:
        """Fit without some things and pictures, and return how many passes were best and when to refuse."""
        known, unknown, rows = set_aside(group.things, settings)
        if not len(unknown):
            return settings.epochs, None
        part = Grouped(group.rows, group.things.take(known, rows))
        aside = rows, _classes_of(group, known, rows)
        fitted = fit_classes(settings, part, untold, settings.epochs, aside)
        trials = tried(settings, fitted, group, unknown, aside)
        return fitted.passes, fit_open_set(trials, settings.refuse, settings.seed)

    def _map(self, rows: Vectors) -> Vectors:
        """Embed."""
        return embedded(ClassifierSettings(**self.settings_), self.base_, self._weights(), rows)

    def _weights(self) -> Arrays:
        return dict(zip(HEADS[self.settings_["mode"]], self.weights_, strict=True))

    def arrays(self) -> Arrays:
        """Return settings, classes and when to name them (as JSON), where the head starts, and all weights."""
        self._need_fit()
        told = {
            "settings": self.settings_,
            "classes": self.classes_.tolist(),
            "open_set": None if self.open_set_ is None else self.open_set_.as_dict(),
        }
        held: Arrays = {"told": np.frombuffer(json.dumps(told).encode(), np.uint8)}
        held["n_features_in"] = np.array([self.n_features_in_])
        if self.base_ is not None:
            held |= {"base.mean": self.base_.mean, "base.turn": self.base_.turn}
        return held | {f"weights.{number}": value for number, value in enumerate(self.weights_)}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `arrays` returned."""
        told = json.loads(arrays["told"].tobytes())
        self.settings_, self.classes_ = told["settings"], np.array(told["classes"], np.str_)
        self.open_set_ = None if told["open_set"] is None else OpenSet.from_dict(told["open_set"])
        self.base_ = Base(arrays["base.mean"], arrays["base.turn"]) if "base.mean" in arrays else None
        self.weights_ = [arrays[f"weights.{number}"] for number in range(len(HEADS[self.settings_["mode"]]))]
        self.n_features_in_, self.history_ = int(arrays["n_features_in"][0]), []


def _names(pairs: Pairs) -> NDArray[np.str_]:
    """Return the left image of the first pair of each thing, in the order in which things are numbered."""
    _, first = np.unique(pairs.things()[pairs.left_rows], return_index=True)
    return pairs.left[first]


def _classes_of(group: Grouped, known: Rows, rows: Rows) -> Rows:
    """Return which of the known things rows show, by their place among these."""
    number = np.full(len(group.rows), -1, np.int64)
    for place, thing in enumerate(known.tolist()):
        number[group.things.of_thing(thing)] = place
    return number[rows]


def _softmax(scores: Vectors, weights: Arrays) -> NDArray[np.float64]:
    """Return the share of the best class in a softmax of the scores."""
    scaled = scores if "log_scale" not in weights else np.exp(weights["log_scale"]) * scores
    return np.asarray(1 / np.exp(scaled - scaled.max(axis=1, keepdims=True)).sum(axis=1), np.float64)
