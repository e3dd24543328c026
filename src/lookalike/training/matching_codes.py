"""Codes over a network that learns along: a linear map and books of words as its head, and what they find.

This module imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import normalize

from lookalike.losses.quantised import soft_codes
from lookalike.search.codebooks import nearest_words, table_distances, tables
from lookalike.training.contrastive_network import MatchingNetwork
from lookalike.training.finetune_measures import Embedding
from lookalike.training.matching_measures import Compared, Likeness, cosines
from lookalike.training.matching_settings import MatchingSettings

__all__ = ["CodeHead", "asking", "code_head"]


class CodeHead(nn.Module):  # type: ignore[misc]  # torch is not seen by mypy
    """Features f to a row ``x = W f + b`` and the words that it is told by.

    What learns are W and ``b + W mean``. Features share most of their length with each other: else each step of W would
    move all rows together.

    The modes are those of `lookalike.similarity.quantizer.QuantizerModel`: by default f and x are scaled to length 1
    and distances are sums of squares, as published neither is, and plain lengths are summed.

    Parameters
    ----------
    width : int
        Length of f.
    books, words, length : int
        M books of K words of L numbers; all are 0 until `begin`.
    published : bool

    Examples
    --------
    >>> head = CodeHead(2, books=1, words=2, length=2)
    >>> weights = {"map": np.eye(2), "shift": np.zeros(2), "codebooks": np.array([[[1, 0], [0, 2]]])}
    >>> head.begin(weights, mean=np.array([0.5, 0.5]), sharpness=100.0)
    >>> head(torch.tensor([[5.0, 0.0]])).tolist() # x, then its soft code
    [[1.0, 0.0, 1.0, 0.0]]
    """

    def __init__(self, width: int, books: int, words: int, length: int, published: bool = False) -> None:
        super().__init__()
        self.map = nn.Parameter(torch.zeros(books * length, width))
        self.shift = nn.Parameter(torch.zeros(books * length))
        self.codebooks = nn.Parameter(torch.zeros(books, words, length))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("sharpness", torch.ones(()))
        self.published = published
        self.dim = books * length

    def begin(self, weights: Mapping[str, NDArray[Any]], mean: NDArray[Any], sharpness: float) -> None:
        """Take what a quantizer begins with.

        Parameters
        ----------
        weights : mapping
            ``"map"``, ``"shift"`` and ``"codebooks"``, see `weights`.
        mean : float (D,)
            Of what the map takes.
        sharpness : float
            Per squared length.
        """
        with torch.no_grad():
            for name, value in {**weights, "mean": mean}.items():
                getattr(self, name).copy_(torch.from_numpy(np.asarray(value, np.float32)))
            self.shift += self.map @ self.mean
            self.sharpness.fill_(sharpness)

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Return ``"map"`` (M * L, D), ``"shift"`` (M * L,) and ``"codebooks"`` (M, K, L) as they are now."""
        named = {"map": self.map, "shift": self.shift - self.map @ self.mean, "codebooks": self.codebooks}
        return {name: value.detach().cpu().numpy().copy() for name, value in named.items()}

    def mapped(self, features: torch.Tensor) -> torch.Tensor:
        """Map features (n, D) to x, (n, M * L)."""
        if self.published:
            return (features - self.mean) @ self.map.T + self.shift
        return normalize((normalize(features) - self.mean) @ self.map.T + self.shift)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map features (n, D) to x and its soft code side by side, (n, 2 * M * L)."""
        x = self.mapped(features)
        return torch.cat([x, soft_codes(x, self.codebooks, self.sharpness)], dim=1)

    def compared(self, asked: torch.Tensor, gallery: torch.Tensor) -> Likeness:
        """Compare x of queries with the codes of a gallery, as a search does.

        See `lookalike.training.matching_measures.Compared`; by default ``1 - |x - z|^2 / 2``, where z is what a code
        stands for.
        """
        words = self.weights()["codebooks"]
        x, codes = asked.float().numpy(), nearest_words(gallery.float().numpy(), words)
        sum_of: Any = "plain" if self.published else "squared"

        def likeness(span: slice) -> torch.Tensor:
            distances = table_distances(tables(x[span], words, sum_of), codes)
            return 1 - torch.from_numpy(distances).double() / 2

        return likeness


def code_head(width: int, settings: MatchingSettings) -> CodeHead | None:
    """Return the head that learns codes; None where settings name another loss.

    Examples
    --------
    >>> from lookalike.training.matching_settings import matching_settings
    >>> head = code_head(12, matching_settings({"preset": "quantized", "books": 4}))
    >>> head is not None and tuple(head.codebooks.shape)
    (4, 256, 256)
    """
    if settings.loss != "cross-quantised":
        return None
    length = settings.dim // settings.books
    return CodeHead(width, settings.books, settings.words, length, settings.mode == "published")


def asking(network: MatchingNetwork) -> tuple[Embedding, Compared]:
    """Return what is made of pictures held out, and how it is compared: codes where the network learns them."""
    if isinstance(network.joined.head, CodeHead):
        return _Coded(network), network.joined.head.compared
    return network, cosines


class _Coded:
    """A network that gives the rows that are put into words."""

    def __init__(self, network: MatchingNetwork) -> None:
        self.dim, self._network = network.joined.head.dim, network

    def embeddings(self, pixels: torch.Tensor) -> torch.Tensor:
        x: torch.Tensor = self._network.joined.head.mapped(self._network.features(pixels))
        return x
