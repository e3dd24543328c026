"""The loss of matched pairs: each side has to find its own match among all others, in both directions."""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.function import once_differentiable

__all__ = ["symmetric_cross_entropy"]

SAFE_SCALE = 40.0
"""Up to here ``exp(scale * cosine - scale)`` stays a normal float32 number, even at cosine -1: e^-80 is 1.8e-35."""


def symmetric_cross_entropy(left: Any, right: Any, scale: Any) -> Any:
    """Return the mean cross-entropy of finding right i from left i, and left i from right i.

    ``L = 1/2 CE(scale * S, diagonal) + 1/2 CE(scale * S^T, diagonal)`` with ``S = left @ right^T``
    (Risser-Maroix et al., Learning an adaptation function to assess image visual similarities, 2021; the same as the
    loss of CLIP).

    Parameters
    ----------
    left, right : float tensor (n, D)
        Unit rows; row i of one matches row i of the other, and no other row.
    scale : float or float tensor ()
        What cosines are multiplied by, positive; gradients flow to it where it is a tensor that asks for them.

    Returns
    -------
    float tensor ()
        0 at best; ``ln n`` where all cosines are equal.

    Notes
    -----
    Forward and backward pass hold one matrix (n, n) and take its exponential once, where the textbook form holds about
    six and takes it four times: for unit rows one constant, the scale itself, is a safe shift for rows and columns
    alike. Scales above 40, where that constant is not safe, go through `torch.logsumexp`.

    Examples
    --------
    >>> rows = torch.eye(3)
    >>> round(float(symmetric_cross_entropy(rows, rows, 15.0)), 6)
    1e-06
    >>> round(float(symmetric_cross_entropy(torch.ones(4, 1), torch.ones(4, 1), 15.0)), 4) # ln 4
    1.3863
    """
    scale = torch.as_tensor(scale, dtype=left.dtype, device=left.device)
    if float(scale.detach()) <= SAFE_SCALE:
        return _OneExponential.apply(left, right, scale)
    similar = scale * (left @ right.T)
    own = similar.diagonal()
    return (torch.logsumexp(similar, 1) / 2 + torch.logsumexp(similar, 0) / 2 - own).mean()


class _OneExponential(torch.autograd.Function):  # type: ignore[misc]
    """The loss with its gradient written out: ``dL/dS = scale/n * ((row softmax + column softmax) / 2 - I)``."""

    @staticmethod
    def forward(context: Any, left: Any, right: Any, scale: Any) -> Any:
        own = (left * right).sum(1)
        shifted = torch.addmm(-scale.expand(1, 1), left, right.T, alpha=float(scale)).exp_()
        rows, columns = shifted.sum(1), shifted.sum(0)
        context.save_for_backward(left, right, scale, own, shifted, rows, columns)
        return (rows.log() / 2 + columns.log() / 2 + scale - scale * own).mean()

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(context: Any, gradient: Any) -> tuple[Any, Any, Any]:
        left, right, scale, own, shifted, rows, columns = context.saved_tensors
        if context.needs_input_grad[2]:
            # Through S = scale * cosine: the expected cosine under both softmaxes, less the own one.
            cosines = left @ right.T
            expected = ((shifted * cosines) * (0.5 / rows[:, None] + 0.5 / columns)).sum()
            to_scale = gradient * (expected / len(left) - own.mean())
        else:
            to_scale = None
        weights = (0.5 / rows[:, None]).add(0.5 / columns).mul_(shifted)
        weights.diagonal().sub_(1)
        weights.mul_(gradient * scale / len(left))
        return weights @ right, weights.T @ left, to_scale
