"""A network of one hidden layer, its gradient written out, and its fit: small enough that NumPy is the fast way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Network", "descend"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Network:
    """``s(X A + a) B + b`` with ``s(x) = x / (1 + |x|)``, or ``X B + b`` without a hidden layer.

    The weights are one vector. s looks like a hyperbolic tangent and takes a twentieth of its time.

    Parameters
    ----------
    inputs, hidden, outputs : int
        Numbers per row; `hidden` 0 for none.

    Examples
    --------
    >>> network = Network(inputs=3, hidden=4, outputs=2)
    >>> weights = network.start(np.random.default_rng(0))
    >>> network.outputs_of(weights, np.ones((5, 3)))[0].tolist()[0], len(weights) == network.size
    ([0.0, 0.0], True)
    """

    inputs: int
    hidden: int
    outputs: int

    @property
    def size(self) -> int:
        """How many weights there are."""
        return self.inner_size + (self.last + 1) * self.outputs

    @property
    def inner_size(self) -> int:
        """How many of them, the first, belong to the hidden layer."""
        return (self.inputs + 1) * self.hidden

    @property
    def last(self) -> int:
        """How many numbers the output layer takes."""
        return self.hidden or self.inputs

    def start(self, rng: np.random.Generator) -> Floats:
        """Return weights of which the output layer is 0 and the hidden one drawn, of variance ``1 / inputs``."""
        weights = np.zeros(self.size)
        drawn = rng.normal(size=(self.inputs, self.hidden)) / np.sqrt(max(self.inputs, 1))
        weights[: drawn.size] = drawn.ravel()
        return weights

    def outputs_of(self, weights: Floats, X: Floats) -> tuple[Floats, Floats]:
        """Return the outputs, (N, outputs), and what the output layer took, (N, last)."""
        inner, outer = weights[: self.inner_size], weights[self.inner_size :]
        taken = X
        if self.hidden:
            taken = X @ inner[: -self.hidden].reshape(self.inputs, self.hidden) + inner[-self.hidden :]
            taken /= 1 + np.abs(taken)
        return taken @ outer[: -self.outputs].reshape(self.last, self.outputs) + outer[-self.outputs :], taken

    def gradient(self, weights: Floats, X: Floats, taken: Floats, slopes: Floats) -> Floats:
        """Return the gradient by the weights, (size,), from that by the outputs, (N, outputs)."""
        parts = [(taken.T @ slopes).ravel(), slopes.sum(axis=0)]
        if self.hidden:
            outer = weights[self.inner_size : -self.outputs].reshape(self.last, self.outputs)
            before = (slopes @ outer.T) * (1 - np.abs(taken)) ** 2
            parts = [(X.T @ before).ravel(), before.sum(axis=0), *parts]
        return np.concatenate(parts)


def descend(loss: Callable[[Floats], tuple[float, Floats]], start: Floats, steps: int) -> Floats:
    """Return weights of low loss, by L-BFGS (Liu and Nocedal, 1989) over all rows at once.

    Parameters
    ----------
    loss : callable
        Of weights; returns the loss and its gradient.
    start : float64 (size,)
    steps : int
        At most.

    Examples
    --------
    >>> descend(lambda w: (float((w - 3) @ (w - 3)), 2 * (w - 3)), np.zeros(2), steps=20).round(6).tolist()
    [3.0, 3.0]
    """
    from scipy.optimize import minimize

    options = {"maxiter": steps, "maxcor": 20, "ftol": 1e-9, "gtol": 1e-7}
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x)
