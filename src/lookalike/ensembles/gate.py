"""Weights by a small network that was trained on the likelihood of the judgments themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.features import Features
from lookalike.core.types import Rows, Vectors
from lookalike.ensembles.answers import Answers, Floats, likeliest_temperature
from lookalike.ensembles.base import ENSEMBLES
from lookalike.ensembles.folds import in_order, reference_folds, softmax
from lookalike.ensembles.gate_loss import Shape, fit_gate
from lookalike.ensembles.network import Network
from lookalike.ensembles.placed import PlacedEnsemble
from lookalike.similarity.model import Arrays, SimilarityModel

__all__ = ["GateEnsemble"]

PENALTIES = (3.0, 12.0, 50.0)
Gate = tuple[Network, Floats, float]


@ENSEMBLES.register("gate")
class GateEnsemble(PlacedEnsemble):
    """Weights that make the judgments likeliest, as a function of principal coordinates of the reference.

    ``w(R) = softmax(network(x(R)))``. The network starts from equal weights and is pulled back to them, the harder the
    fewer votes there are: where nothing speaks for another, every model counts the same. How hard, how many coordinates
    it sees and whether it has a hidden layer is chosen by the log loss on folds over the references. Distances are
    calibrated.

    Parameters
    ----------
    models : sequence of SimilarityModel
        Fitted, on features of the same length.
    dim : int
        Coordinates, at most.
    hidden : int
        Units of the hidden layer that is tried beside none; 0 to try none.
    penalty : float, optional
        Pull towards equal weights, in votes; chosen without it.
    folds : int
    place_by : {"models", "features"}
        What the coordinates are of: the models' vectors of a reference, side by side, or its features. Models that
        learned to tell contexts apart place references better than features do.
    columns : (int, int), optional
        Of the features, those by which references are placed; all without it. With ``place_by="features"``.
    seed : int
        Of the hidden layer and the folds.

    Attributes
    ----------
    shape_ : Shape
        As it was chosen.
    network_, learned_ : Network, float64
        What was fitted.
    losses_ : dict of Shape to float
        Log loss per vote of every candidate on the folds.
    """

    shape_: Shape
    network_: Network
    learned_: Floats
    losses_: dict[Shape, float]

    def __init__(
        self,
        models: Sequence[SimilarityModel],
        dim: int = 16,
        hidden: int = 32,
        penalty: float | None = None,
        folds: int = 5,
        place_by: Literal["models", "features"] = "models",
        columns: tuple[int, int] | None = None,
        seed: int = 0,
    ) -> None:
        self.models = models
        self.dim = dim
        self.hidden = hidden
        self.penalty = penalty
        self.folds = folds
        self.place_by = place_by
        self.columns = columns
        self.seed = seed

    def _check(self) -> None:
        self._check_seed(self.seed)
        if self.dim < 1 or self.folds < 2 or self.hidden < 0:
            raise InputError(
                f"dim is at least 1, folds at least 2 and hidden not negative, not {self.dim}, {self.folds} and "
                f"{self.hidden}"
            )
        if self.place_by not in ("models", "features"):
            raise InputError(f'references are placed by "models" or "features", not by {self.place_by!r}')
        if self.columns is not None and self.place_by == "models":
            raise InputError('columns are of features: give place_by="features" too')
        if self.penalty is not None and not 0 < self.penalty < np.inf:
            raise InputError(f"penalty is above 0, not {self.penalty!r}")

    def _fit(self, answers: Answers, features: Features, rows: Rows) -> Floats:
        coordinates = self._fit_axes(features, rows, self.dim)
        candidates = self._candidates(coordinates.shape[1])
        parts = list(reference_folds(len(rows), self.folds, self.seed))
        inside = [answers.of_references(fitted) for fitted, _ in parts]
        slope = self._slope(answers)

        def try_one(job: tuple[Shape, int]) -> Floats:
            shape, fold = job
            fitted, held = parts[fold]
            gate = fit_gate(inside[fold], coordinates[fitted], shape, slope, self._rng())
            return _gate_weights(gate, coordinates[held])

        jobs = [(shape, fold) for shape in candidates for fold in range(len(parts))]
        found = in_order(try_one, jobs)
        margins: dict[Shape, Floats] = {}
        self.losses_ = {}
        for number, shape in enumerate(candidates if parts else []):
            weights = np.empty((len(rows), len(self.models_)))
            for (_, held), values in zip(parts, found[number * len(parts) :], strict=False):
                weights[held] = values
            self.losses_[shape], margins[shape] = answers.loss(weights), answers.margins(weights)
        self.shape_ = min(self.losses_, key=lambda shape: self.losses_[shape]) if parts else candidates[0]
        gate = fit_gate(answers, coordinates, self.shape_, slope, self._rng())
        self.network_, self.learned_ = gate[:2]
        return margins[self.shape_] if parts else answers.margins(_gate_weights(gate, coordinates))

    def _candidates(self, most: int) -> list[Shape]:
        """Return what is tried, the most cautious first, for at most that many coordinates."""
        quarter, half, whole = (min(most, max(1, self.dim // part)) for part in (4, 2, 1))
        weak, middle, strong = PENALTIES if self.penalty is None else [self.penalty] * 3
        made = [Shape(0, 0, strong)]
        if most:
            linear = [(whole, strong), (whole, middle), (half, middle), (half, weak), (quarter, weak)]
            made += [Shape(dim, 0, penalty) for dim, penalty in linear]
            made += [Shape(dim, self.hidden, middle) for dim in (quarter, half, whole) if self.hidden]
        return list(dict.fromkeys(made))

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def _slope(self, answers: Answers) -> float:
        """Return the scale of margins that suits equal weights; 1 where they point the wrong way."""
        equal = np.full((answers.references, len(self.models_)), 1 / len(self.models_))
        temperature = likeliest_temperature(answers.margins(equal), answers.votes_a, answers.votes_b)
        return 1 / temperature if np.isfinite(temperature) else 1.0

    def _weigh(self, rows: Vectors) -> Floats:
        return _gate_weights((self.network_, self.learned_, 0.0), self._place(rows))

    def _arrays(self) -> Arrays:
        shape = np.array([self.shape_.dim, self.shape_.hidden, self.shape_.penalty])
        return {**self._axes_arrays(), "learned": self.learned_, "shape": shape}

    def _restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._restore_axes(arrays)
        dim, hidden, penalty = arrays["shape"].tolist()
        self.shape_, self.losses_ = Shape(int(dim), int(hidden), penalty), {}
        self.network_, self.learned_ = Network(int(dim), int(hidden), len(self.models_)), arrays["learned"]
        if self.learned_.shape != (self.network_.size,) or dim > self.axes_.turn.shape[1]:
            raise InputError("the arrays of this gate do not fit together")


def _gate_weights(gate: Gate, coordinates: Floats) -> Floats:
    network, learned, _ = gate
    return softmax(network.outputs_of(learned, coordinates[:, : network.inputs])[0])
