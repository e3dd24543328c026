"""Quantizers: images as codes of a few bytes, learned from pictures of the same things."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.types import Vectors
from lookalike.core.vectors import unit_rows
from lookalike.search.codebooks import Codebooks, Codes, Sum, Tables, mixed_words, nearest_words, tables, words_at
from lookalike.similarity.model import MODELS, Arrays, Examples, SimilarityModel, check_finite
from lookalike.similarity.prepared import need_torch
from lookalike.similarity.prepared_things import grouped
from lookalike.similarity.quantizer_settings import QuantizerSettings, resolve_quantizer
from lookalike.similarity.reduction import Reduction
from lookalike.similarity.word_means import word_means
from lookalike.training.plan import OnEpoch
from lookalike.training.things import Things

__all__ = ["QuantizerModel"]


@MODELS.register("quantizer")
class QuantizerModel(SimilarityModel):
    """A linear map ``x = W f + b``, and books of words by which the parts of x are told: M log2 K bits an image.

    Learned so that the vector of one picture of a thing finds the code of another picture of it, and the other way
    round (Jang and Cho, Self-supervised product quantization for deep unsupervised image retrieval, 2021). Parameters
    that are None take what suits the mode; `settings_` tells what that was.

    Parameters
    ----------
    mode : {"corrected", "published"}
        ``"published"``: features as they are, all of it from numbers of chance, distances that sum plain lengths, and
        the learning rate of their code, which rises again (`lookalike.training.quantizer.rate_at`). ``"corrected"``:
        principal components, centred and of length 1, turned by chance so that every book sees all of them, words that
        start as means of near parts and are put back there in the end, and sums of squares, which are distances.
    books, words, length : int, optional
        M, K (at most 256) and L: the numbers of a book's part of x. By default 8 books, of 256 words of 128 numbers
        (corrected) or 16 words of 16 numbers (published).
    reduce : int, optional
        Principal components to keep, in the corrected mode; 0 for the features as they are.
    soft : bool
        Whether `transform` mixes near words, as training does, instead of taking the nearest.
    sharpness : float
        What squared distances are multiplied by before the softmax over words. In the corrected mode these distances
        are counted in mean errors of the words it starts with.
    temperature : float
        What cosines are divided by in the loss.
    reconstruction : float, optional
        Weight of the share of x that its code loses, beside the contrastive loss.
    epochs : int, optional
        Passes over the things. 0 for none, which needs no PyTorch: product quantization by k-means alone. By default
        about 50 steps (corrected) or 2000 passes (published).
    batch : int
        Things a step.
    learning_rate, weight_decay : float, optional
        Of Adam.
    seed : int

    Attributes
    ----------
    map_ : float32 (M * L, D), with D components (or features, where nothing is reduced)
    shift_ : float32 (M * L,)
    codebooks_ : float32 (M, K, L)
    settings_ : dict
        All parameters as they were used.
    history_ : list of dict
        Per epoch, see `lookalike.training.plan.Epoch`.
    sharpness_ : float
        As it was used: per squared length.

    Examples
    --------
    >>> from lookalike import Pairs
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(40, 6))
    >>> vectors = np.concatenate([shared, shared + 0.1 * rng.normal(size=(40, 6))])
    >>> features = Features([f"{side}{n}" for side in "lr" for n in range(40)], vectors)
    >>> pairs = Pairs.from_ids([f"l{n}" for n in range(40)], [f"r{n}" for n in range(40)])
    >>> model = QuantizerModel(books=2, words=8, epochs=0).fit(pairs, features)
    >>> model.codes(features).shape, model.codes(features).dtype, model.bits_
    ((80, 2), dtype('uint8'), 6.0)
    """

    settings_: dict[str, Any]
    reduction_: Reduction | None
    map_: Vectors
    shift_: Vectors
    codebooks_: Codebooks
    sharpness_: float
    history_: list[dict[str, Any]]

    def __init__(
        self,
        mode: str = "corrected",
        books: int | None = None,
        words: int | None = None,
        length: int | None = None,
        reduce: int | None = None,
        soft: bool = False,
        sharpness: float = 5.0,
        temperature: float = 0.5,
        reconstruction: float | None = None,
        epochs: int | None = None,
        batch: int = 256,
        learning_rate: float | None = None,
        weight_decay: float | None = None,
        seed: int = 0,
    ) -> None:
        self.mode = mode
        self.books = books
        self.words = words
        self.length = length
        self.reduce = reduce
        self.soft = soft
        self.sharpness = sharpness
        self.temperature = temperature
        self.reconstruction = reconstruction
        self.epochs = epochs
        self.batch = batch
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.seed = seed

    @property
    def bits_(self) -> float:
        """Of a code: ``M log2 K`` (the published code prints M times the root of K, which is right at K = 16 alone)."""
        self._need_fit()
        return float(self.codebooks_.shape[0] * np.log2(self.codebooks_.shape[1]))

    def mapped(self, features: Features | Vectors) -> Vectors:
        """Return x, float32 (N, M * L): what is put into words, and what queries are compared as.

        Raises
        ------
        NotFittedError
        InputError
            The features have another length, or are not finite.
        """
        return self._x(self._checked(features))

    def codes(self, features: Features | Vectors) -> Codes:
        """Return hard codes, uint8 (N, M): of every book the number of the word nearest to its part of x."""
        return nearest_words(self.mapped(features), self.codebooks_)

    def tables(self, features: Features | Vectors) -> Tables:
        """Return the look-up tables of queries, float32 (Q, M, K).

        Summed over the books by a code, they give the squared distance between x of the query and what the code stands
        for; in the published mode a sum of plain lengths, see `lookalike.search.codebooks.tables`.
        """
        sum_of: Sum = "plain" if self.settings_["mode"] == "published" else "squared"
        return tables(self.mapped(features), self.codebooks_, sum_of)

    def _fit(self, examples: Examples, features: Features, flipped: Features | None, on_epoch: OnEpoch) -> None:
        """Reduce, start, train, and put the words in the middle of what they stand for."""
        group = grouped(examples, features, flipped)
        rows, things = group.rows, group.things
        settings = resolve_quantizer(self.get_params(), len(things))
        originals = np.unique(things.left)  # where right ones are views, codes are made for the left ones
        corrected = settings.mode == "corrected"
        reduction = Reduction(settings.reduce, seed=settings.seed).fit(rows[originals]) if settings.reduce else None
        self.settings_, self.reduction_, self.history_ = settings.as_dict(), reduction, []
        ready = self._ready(rows)
        begin = _start(settings, ready, originals) if corrected else _published_start(settings, ready.shape[1])
        self._take(begin)
        self.sharpness_ = settings.sharpness / (self._error(ready[originals]) if corrected else 1.0)
        if settings.epochs:
            trained = _train(settings, self.sharpness_, begin, ready, things, on_epoch)
            self.history_ = trained.history
            self._take(trained.weights)
            if corrected:
                x = self._linear(ready[originals])
                self.codebooks_ = word_means(x, settings.books, settings.words, settings.seed)

    def _take(self, weights: Mapping[str, NDArray[Any]]) -> None:
        self.map_, self.shift_, self.codebooks_ = weights["map"], weights["shift"], weights["codebooks"]

    def _error(self, ready: Vectors) -> float:
        """Return the mean squared distance of a part from its nearest word."""
        x = self._linear(ready)
        lost = np.square(x - words_at(nearest_words(x, self.codebooks_), self.codebooks_)).sum()
        return max(float(lost) / (len(x) * len(self.codebooks_)), 1e-6)

    def _checked(self, features: Features | Vectors) -> Vectors:
        self._need_fit()
        rows = features.vectors if isinstance(features, Features) else np.asarray(features, np.float32)
        if rows.ndim != 2 or rows.shape[1] != self.n_features_in_:
            raise InputError(
                f"features of shape {rows.shape}: this quantizer was fitted on {self.n_features_in_} numbers an image"
            )
        check_finite(rows, features.ids if isinstance(features, Features) else None)
        return rows

    def _ready(self, rows: Vectors) -> Vectors:
        """Return what the linear map takes."""
        if self.settings_["mode"] == "published":
            return rows
        return unit_rows(rows if self.reduction_ is None else self.reduction_.transform(rows))

    def _linear(self, ready: Vectors) -> Vectors:
        x = np.asarray(ready @ self.map_.T + self.shift_, np.float32)
        return x if self.settings_["mode"] == "published" else unit_rows(x)

    def _x(self, rows: Vectors) -> Vectors:
        return self._linear(self._ready(rows))

    def _map(self, rows: Vectors) -> Vectors:
        """Return what the codes stand for."""
        x = self._x(rows)
        if self.settings_["soft"]:
            return mixed_words(x, self.codebooks_, self.sharpness_)
        return words_at(nearest_words(x, self.codebooks_), self.codebooks_)

    def arrays(self) -> Arrays:
        """Return the settings (as JSON), the components, the map and the codebooks."""
        self._need_fit()
        held: Arrays = {"map": self.map_, "shift": self.shift_, "codebooks": self.codebooks_}
        held["sharpness"] = np.array([self.sharpness_])
        held["n_features_in"] = np.array([self.n_features_in_])
        held["settings"] = np.frombuffer(json.dumps(self.settings_).encode(), np.uint8)
        if self.reduction_ is not None:
            held |= {f"reduction.{name}": value for name, value in self.reduction_.arrays().items()}
        return held

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `arrays` returned."""
        self.settings_ = json.loads(arrays["settings"].tobytes())
        reduction = {name[10:]: value for name, value in arrays.items() if name.startswith("reduction.")}
        self.reduction_ = Reduction.from_arrays(reduction) if self.settings_["reduce"] else None
        self._take(arrays)
        self.sharpness_, self.n_features_in_ = float(arrays["sharpness"][0]), int(arrays["n_features_in"][0])
        self.history_ = []


def _start(settings: QuantizerSettings, ready: Vectors, originals: NDArray[np.int64]) -> Arrays:
    """Turn by chance, so that no book sees what matters most alone, and take means of near parts as words."""
    width, given = settings.books * settings.length, ready.shape[1]
    square = np.random.default_rng(settings.seed).normal(size=(max(width, given),) * 2)
    turn = np.ascontiguousarray(np.linalg.qr(square)[0][:width, :given], np.float32)
    codebooks = word_means(unit_rows(ready[originals] @ turn.T), settings.books, settings.words, settings.seed)
    return {"map": turn, "shift": np.zeros(width, np.float32), "codebooks": codebooks}


def _published_start(settings: QuantizerSettings, given: int) -> Arrays:
    """Draw what PyTorch's linear layer starts with, and words after Glorot and Bengio (2010)."""
    rng, width = np.random.default_rng(settings.seed), settings.books * settings.length
    bound, reach = 1 / np.sqrt(given), np.sqrt(6 / (settings.words + width))
    words = rng.uniform(-reach, reach, (settings.words, settings.books, settings.length)).transpose(1, 0, 2)
    return {
        "map": rng.uniform(-bound, bound, (width, given)).astype(np.float32),
        "shift": rng.uniform(-bound, bound, width).astype(np.float32),
        "codebooks": np.ascontiguousarray(words, np.float32),
    }


def _train(
    settings: QuantizerSettings, sharpness: float, start: Arrays, ready: Vectors, things: Things, on_epoch: OnEpoch
) -> Any:
    need_torch()
    from lookalike.training.quantizer import QuantizerPlan, train_quantizer

    published = settings.mode == "published"
    plan = QuantizerPlan(
        epochs=settings.epochs,
        batch=settings.batch,
        whole_batches=published,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        schedule="published" if published else "cosine",
        unit=not published,
        sharpness=sharpness,
        temperature=settings.temperature,
        reconstruction=settings.reconstruction,
        seed=settings.seed,
    )
    return train_quantizer(start, ready, things, plan, on_epoch)
