"""The forms of an adaptation function, each a short formula.

The formulas use operators that NumPy arrays and PyTorch tensors share, and two operations that are handed to them, so
that training and inference are the same lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike.training.plan import Ops

__all__ = ["FORMS", "NUMPY", "Form", "identity", "original", "peterson", "residual"]

NUMPY = Ops(relu=lambda x: np.maximum(x, 0), drop=lambda x: x)
"""Inference."""


def identity(x: Any, weights: Mapping[str, Any], ops: Ops) -> Any:  # noqa: ARG001 all are alike
    """Return ``x``."""
    return x


def original(x: Any, weights: Mapping[str, Any], ops: Ops) -> Any:
    """Return ``ReLU(W x)`` without a bias (Risser-Maroix et al., 2021).

    Examples
    --------
    >>> import numpy as np
    >>> original(np.array([[1.0, 2.0]]), {"map": np.array([[1.0, 0.0], [0.0, -1.0]])}, NUMPY)
    array([[1., 0.]])
    """
    return ops.relu(ops.drop(x) @ weights["map"].T)


def peterson(x: Any, weights: Mapping[str, Any], ops: Ops) -> Any:
    """Return ``x * ReLU(w)``: a weight per feature, which in a cosine counts twice.

    After Peterson, Abbott and Griffiths, Evaluating (and improving) the correspondence between deep neural networks and
    human representations, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> peterson(np.array([[1.0, 2.0]]), {"weights": np.array([3.0, -1.0])}, NUMPY)
    array([[3., 0.]])
    """
    return ops.drop(x) * ops.relu(weights["weights"])


def residual(x: Any, weights: Mapping[str, Any], ops: Ops) -> Any:
    """Return ``x + B ReLU(A x + c)``: the features, and a correction that starts at nothing (ours).

    Examples
    --------
    >>> import numpy as np
    >>> one = np.eye(1)
    >>> residual(2 * one, {"inner": one, "bias": np.array([-1.5]), "outer": 3 * one}, NUMPY)
    array([[3.5]])
    """
    hidden = ops.relu(x @ weights["inner"].T + weights["bias"])
    return x + ops.drop(hidden) @ weights["outer"].T


@dataclass(frozen=True, slots=True)
class Form:
    """One form: its formula, and the parameters it takes where the user says nothing.

    Attributes
    ----------
    formula : callable
        ``(x, weights, ops) -> y``.
    shapes : dict of str to (str, str)
        Arrays it learns: their shapes, spelt in ``w`` (the width) and ``d`` (the length of x), and how they start.
    defaults : dict of str to Any
        Parameters of `lookalike.similarity.adaptation.AdaptationModel`.
    """

    formula: Callable[[Any, Mapping[str, Any], Ops], Any]
    shapes: dict[str, tuple[str, str]] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)

    def start(self, width: int, length: int, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
        """Return weights before training.

        Parameters
        ----------
        width, length : int
            ``w`` and ``d``.
        rng : numpy Generator

        Examples
        --------
        >>> {name: x.shape for name, x in FORMS["residual"].start(5, 3, np.random.default_rng(0)).items()}
        {'inner': (5, 3), 'bias': (5,), 'outer': (3, 5)}
        """
        sizes = {"w": width, "d": length}
        return {
            name: STARTS[how](tuple(sizes[letter] for letter in shape), rng).astype(np.float32)
            for name, (shape, how) in self.shapes.items()
        }


def _uniform(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw what PyTorch's linear layer starts with."""
    bound = 1 / np.sqrt(shape[-1])
    return rng.uniform(-bound, bound, shape)


STARTS: dict[str, Callable[[tuple[int, ...], np.random.Generator], NDArray[np.float64]]] = {
    "zeros": lambda shape, _: np.zeros(shape),
    "ones": lambda shape, _: np.ones(shape),
    "uniform": _uniform,
    # Rows of length 1 then give hidden numbers of about 1 too, however many there are.
    "spread": lambda shape, rng: 3 * _uniform(shape, rng),
}

PUBLISHED = {"reduce": 256, "scale": 15.0, "epochs": 150, "batch": 0, "learning_rate": 1e-3}

FORMS = {
    "identity": Form(identity, {}, PUBLISHED | {"reduce": 0}),
    "original": Form(original, {"map": ("wd", "uniform")}, PUBLISHED | {"width": 1024}),
    "peterson": Form(peterson, {"weights": ("d", "ones")}, PUBLISHED | {"learning_rate": 1e-2}),
    # Found on validation folds inside the training sides; see docs/results/adaptation.md.
    "residual": Form(
        residual,
        {"inner": ("wd", "spread"), "bias": ("w", "zeros"), "outer": ("dw", "zeros")},
        {
            "reduce": 256,
            "width": 512,
            "scale": 5.0,
            "learn_scale": True,
            "epochs": 8,
            "batch": 2048,
            "learning_rate": 1e-3,
            "members": 4,
        },
    ),
    "within": Form(identity, {}, {"reduce": 1024, "shrinkage": 0.5}),
}
