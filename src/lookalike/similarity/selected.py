"""A model that looks at some columns of the features: so models of different encoders stand over one feature set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.types import Rows, Vectors
from lookalike.similarity.identity import IdentityModel
from lookalike.similarity.model import (
    MODELS,
    Arrays,
    Examples,
    SimilarityModel,
    check_finite,
    describe,
    revive,
)
from lookalike.training.plan import OnEpoch

__all__ = ["SelectedModel", "column_span"]


@MODELS.register("selected")
class SelectedModel(SimilarityModel):
    """A model on columns ``start`` to ``stop`` of the features; what stands in the others changes nothing.

    Parameters
    ----------
    model : SimilarityModel, optional
        What `fit` makes a fresh copy of; the features as they are (`IdentityModel`) without it. It is never changed.
    columns : (int, int), optional
        The first column and the one after the last; all without it.

    Attributes
    ----------
    model_ : SimilarityModel
        Fitted on these columns alone.
    columns_ : (int, int)

    Examples
    --------
    >>> from lookalike import Features, Pairs
    >>> features = Features(["a", "b"], [[3.0, 4.0, 7.0], [0.0, 2.0, 9.0]])
    >>> pairs = Pairs.from_ids(["a"], ["b"])
    >>> SelectedModel(columns=(0, 2)).fit(pairs, features).transform(features)
    array([[0.6, 0.8],
           [0. , 1. ]], dtype=float32)
    """

    model_: SimilarityModel
    columns_: tuple[int, int]

    def __init__(self, model: SimilarityModel | None = None, columns: tuple[int, int] | None = None) -> None:
        self.model = model
        self.columns = columns

    @classmethod
    def over(cls, model: SimilarityModel, columns: tuple[int, int], width: int) -> SelectedModel:
        """Put a fitted model over wider features, as it is.

        Parameters
        ----------
        model : SimilarityModel
            Fitted on ``columns[1] - columns[0]`` numbers an image.
        columns : (int, int)
            Where these stand among the wider features.
        width : int
            Length of the wider features.

        Raises
        ------
        NotFittedError
        InputError
            The columns are not among the features, or are not as many as the model takes.

        Examples
        --------
        >>> from lookalike import Features, Pairs
        >>> features = Features(["a", "b"], [[3.0, 4.0], [0.0, 2.0]])
        >>> model = IdentityModel().fit(Pairs.from_ids(["a"], ["b"]), features)
        >>> SelectedModel.over(model, (1, 3), width=3).transform(np.array([[9, 3, 4]], np.float32))
        array([[0.6, 0.8]], dtype=float32)
        """
        model._need_fit()
        start, stop = column_span(columns, width)
        if stop - start != model.n_features_in_:
            raise InputError(
                f"columns {start} to {stop} are {stop - start} numbers an image: this {type(model).__name__} was "
                f"fitted on {model.n_features_in_}"
            )
        made = cls(model, (start, stop))
        made.model_, made.columns_, made.n_features_in_ = model, (start, stop), width
        made.seen_, made.asked_ = model.seen_, model.asked_
        return made

    def __sklearn_clone__(self) -> Self:
        """Keep the model that `fit` copies: it is a parameter like any other, and is never changed."""
        return self.fresh()

    def transform_rows(self, features: Features, rows: Rows) -> Vectors:
        """Map the images at some rows, int (n,), to unit vectors; the other columns are not even copied."""
        self._need_fit()
        if features.vectors.shape[1] != self.n_features_in_:
            return super().transform_rows(features, rows)  # which says what is wrong
        start, stop = self.columns_
        part = features.vectors[:, start:stop][rows]
        check_finite(part, features.ids[rows])
        return self.model_.transform(part)

    def _fit(self, examples: Examples, features: Features, flipped: Features | None, on_epoch: OnEpoch) -> None:
        start, stop = column_span(self.columns, features.vectors.shape[1])
        part = Features(features.ids, features.vectors[:, start:stop])
        mirrored = None if flipped is None else Features(flipped.ids, flipped.vectors[:, start:stop])
        model = IdentityModel() if self.model is None else self.model.fresh()
        self.model_ = model.fit(examples, part, mirrored, on_epoch)
        self.columns_ = (start, stop)

    def _seen_before(self) -> list[NDArray[np.uint64]]:
        return [self.model_.seen_]

    def _map(self, rows: Vectors) -> Vectors:
        start, stop = self.columns_
        return self.model_._map(rows[:, start:stop])

    def arrays(self) -> Arrays:
        """Return the columns, the length of a feature, and all that the model learned."""
        self._need_fit()
        held: Arrays = {f"selected.{name}": value for name, value in self.model_.arrays().items()}
        return {**held, "columns": np.array(self.columns_), "n_features_in": np.array([self.n_features_in_])}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take back what `arrays` returned."""
        self.n_features_in_ = int(arrays["n_features_in"][0])
        start, stop = (int(column) for column in arrays["columns"])
        self.columns_ = column_span((start, stop), self.n_features_in_)
        self.model_ = IdentityModel() if self.model is None else self.model.fresh()
        own = {name[9:]: value for name, value in arrays.items() if name.startswith("selected.")}
        remembered = {name: arrays[name] for name in ("seen", "asked")}
        self.model_.restore({**own, **remembered})
        self.model_.seen_, self.model_.asked_ = remembered["seen"], remembered["asked"]
        if self.model_.n_features_in_ != stop - start:
            raise InputError(f"columns {start} to {stop} do not fit a model of {self.model_.n_features_in_} numbers")

    def card_parameters(self) -> dict[str, Any]:
        """Return the parameters as JSON values; the model as `describe` gives it."""
        model = None if self.model is None else describe(self.model)
        return {"model": model, "columns": None if self.columns is None else list(self.columns)}

    @classmethod
    def of_card(cls, parameters: Mapping[str, Any]) -> Self:
        """Make one that is not fitted of what `card_parameters` returned."""
        model, columns = parameters["model"], parameters["columns"]
        return cls(None if model is None else revive(model), None if columns is None else (columns[0], columns[1]))


def column_span(columns: Sequence[int] | None, width: int) -> tuple[int, int]:
    """Return the first column and the one after the last, having checked that they are among `width`.

    Raises
    ------
    InputError
        They are not two whole numbers, or not ``0 <= start < stop <= width``.

    Examples
    --------
    >>> column_span(None, 5), column_span((2, 4), 5)
    ((0, 5), (2, 4))
    """
    if columns is None:
        return 0, width
    try:
        start, stop = (int(column) for column in columns)
        whole = (start, stop) == tuple(columns)
    except (TypeError, ValueError):
        whole = False
    if not whole:
        raise InputError(f"columns are two whole numbers, the first and the one after the last, not {columns!r}")
    if not 0 <= start < stop <= width:
        raise InputError(f"columns {start} to {stop} are not among the {width} of these features")
    return start, stop
