"""The losses of self-supervised product quantization: soft codes, and vectors held against codes of other views."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import normalize

from lookalike.losses.gathered import gathered_nt_xent

__all__ = ["cross_quantised", "reconstruction_error", "soft_codes"]


def soft_codes(x: Any, codebooks: Any, sharpness: float) -> Any:
    """Return every row put together of words of the codebooks, each as much as it is near.

    ``z_m = sum_k softmax_k(-sharpness |x_m - c_mk|^2) c_mk`` per part m of a row (Jang and Cho, Self-supervised product
    quantization for deep unsupervised image retrieval, 2021). The paper prints their constant 5 as a divisor; their
    code multiplies by it, and so does this.

    Parameters
    ----------
    x : float tensor (n, M * L)
    codebooks : float tensor (M, K, L)
        M books of K words of L numbers.
    sharpness : float
        Above 0; towards infinity every part becomes its nearest word.

    Returns
    -------
    float tensor (n, M * L)
        Every part lies in the convex hull of its book.

    Examples
    --------
    >>> books = torch.tensor([[[0.0], [4.0]]])
    >>> soft_codes(torch.tensor([[1.0], [2.0]]), books, 100.0)
    tensor([[0.],
            [2.]])
    """
    count, length = codebooks.shape[0], codebooks.shape[2]
    parts = x.reshape(len(x), count, length).transpose(0, 1)
    # |x|^2 is the same for all words of a book: the softmax does not see it.
    nearness = torch.baddbmm(-codebooks.square().sum(2)[:, None], parts, codebooks.transpose(1, 2), alpha=2)
    mixed = torch.bmm(torch.softmax(sharpness * nearness, 2), codebooks)
    return mixed.transpose(0, 1).reshape(len(x), count * length)


def cross_quantised(x_a: Any, x_b: Any, z_a: Any, z_b: Any, temperature: float) -> Any:
    """Return the cross-quantised contrastive loss of two views of the same pictures.

    With ``U = [x_a; z_b]`` and ``V = [x_b; z_a]`` it is ``NT-Xent(U) + NT-Xent(V)``: the vector of one view has to find
    the code of the other among the 2 (B - 1) vectors and codes of other pictures (Jang and Cho, 2021).

    Parameters
    ----------
    x_a, x_b : float tensor (B, D)
        Row i of one is another view of what row i of the other shows.
    z_a, z_b : float tensor (B, D)
        Their codes.
    temperature : float
        What cosines are divided by; 0.5 as published.

    Returns
    -------
    float tensor ()
        Each half is the sum over its 2 B rows over 2 B, as published; 2 ln(2 B - 1) where all cosines are equal. In
        several processes the others are those of all, see `lookalike.losses.gathered.gathered_nt_xent`.

    Examples
    --------
    >>> same = torch.ones(4, 2)
    >>> round(float(cross_quantised(same, same, same, same, 0.5)), 4) # 2 ln 7
    3.8918
    """
    x_a, x_b, z_a, z_b = (normalize(rows, dim=1) for rows in (x_a, x_b, z_a, z_b))
    return gathered_nt_xent(x_a, z_b, temperature) + gathered_nt_xent(x_b, z_a, temperature)


def reconstruction_error(x: Any, z: Any) -> Any:
    """Return the mean squared distance of rows from their codes, over the mean squared length of a row.

    Examples
    --------
    >>> float(reconstruction_error(torch.tensor([[3.0, 4.0]]), torch.tensor([[3.0, 3.0]])))
    0.03999999910593033
    """
    return (x - z).square().sum() / x.square().sum()
