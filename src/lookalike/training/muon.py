"""Muon: steps whose matrices are orthogonal, for networks that begin with weights of chance.

Jordan et al., *Muon: an optimizer for hidden layers in neural networks* (2024). What PyTorch
has under this name takes no convolutions, and computes in 16 bits, which are slow on a CPU.

This module imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

__all__ = ["Muon", "orthogonal"]

FIRST, THIRD, FIFTH = 3.4445, -4.7750, 2.0315
"""An odd polynomial of degree 5 that takes singular values from (0, 1] to near 1, in few steps (Jordan et al. 2024)."""

STEPS = 5
SMALLEST = 1e-7


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """Return nearly the orthogonal matrix nearest to one: its singular values become 0.7 to 1.2, its vectors stay.

    Parameters
    ----------
    matrix : float tensor (m, n)

    Returns
    -------
    float tensor (m, n)

    Examples
    --------
    >>> made = orthogonal(torch.tensor([[0.0, 3.0, 0.0], [0.5, 0.0, 0.0]]))
    >>> [0.6 < value < 1.3 for value in torch.linalg.svdvals(made).tolist()]
    [True, True]
    """
    tall = matrix.shape[0] > matrix.shape[1]
    rows = matrix.mT if tall else matrix
    rows = rows / (rows.norm() + SMALLEST)
    for _ in range(STEPS):
        gram = rows @ rows.mT
        rows = torch.addmm(rows, torch.addmm(gram, gram, gram, beta=THIRD, alpha=FIFTH), rows, beta=FIRST)
    return rows.mT if tall else rows


class Muon(torch.optim.Optimizer):  # type: ignore[misc]  # torch is not seen by mypy
    """Orthogonal steps for weights that are matrices, and another optimiser for the rest, as one.

    Parameters
    ----------
    matrices : iterable of nn.Parameter
        Of two dimensions or more: what follows the first counts as one.
    rest : torch.optim.Optimizer
        Of the other parameters; it takes its steps within those of this one, and its groups are among
        ``param_groups``.
    lr : float
        Positive; the length of a step, relative to a matrix whose singular values are 1.
    momentum : float
        In [0, 1); Nesterov's.
    weight_decay : float
        Share of `lr` by which weights shrink in a step.

    Examples
    --------
    >>> weight, bias = (torch.nn.Parameter(torch.zeros(shape)) for shape in ((2, 3, 1, 1), (2,)))
    >>> muon = Muon([weight], torch.optim.SGD([bias], lr=1.0), lr=0.1)
    >>> weight.grad, bias.grad = torch.ones(2, 3, 1, 1), torch.ones(2)
    >>> muon.step()
    >>> bool((weight < 0).all()), bias.tolist()
    (True, [-1.0, -1.0])
    """

    def __init__(
        self,
        matrices: Iterable[torch.nn.Parameter],
        rest: torch.optim.Optimizer,
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__([*matrices], {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self._own, self._rest = self.param_groups[:], rest
        self._rest.state = self.state  # one memory, so that whoever keeps one keeps both
        self.param_groups += rest.param_groups

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Callable[[], Any] | None = None) -> None:
        """Take a step with both.

        Parameters
        ----------
        closure : None
            There is none: the gradients are there.
        """
        assert closure is None
        for group in self._own:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._turn(weight, group)
        self._rest.step()

    def _turn(self, weight: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        mean: torch.Tensor = state["momentum"]
        mean.lerp_(weight.grad, 1 - group["momentum"])
        ahead = torch.lerp(weight.grad, mean, group["momentum"]).flatten(1)
        turned = orthogonal(ahead).reshape(weight.shape)
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(turned, alpha=-group["lr"] * max(1.0, ahead.shape[0] / ahead.shape[1]) ** 0.5)
