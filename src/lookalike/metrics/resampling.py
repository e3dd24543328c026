"""Cluster bootstrap draws of sums: whole clusters are drawn with replacement, and only their sums are touched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from lookalike.core.errors import InputError
from lookalike.metrics.checks import Floats, Ints
from lookalike.metrics.groups import as_codes

__all__ = ["ClusterSums", "resampled_sums", "sum_clusters"]

BLOCK = 1 << 17  # draws held at a time: 1 MB of indices, which stays in the processor's cache
MULTINOMIAL_ADVANTAGE = 8  # a binomial draw costs about as much as drawing and looking up this many clusters


@dataclass(frozen=True, slots=True)
class ClusterSums:
    """The sums of every cluster. Clusters with the same sums are interchangeable and are kept once.

    Attributes
    ----------
    sums : float64 (K, P)
        The distinct rows of sums, sorted.
    multiplicity : int64 (K,)
        How many clusters have each row.
    """

    sums: Floats
    multiplicity: Ints

    @property
    def clusters(self) -> int:
        """How many clusters there are."""
        return int(self.multiplicity.sum())


def sum_clusters(values: Floats, clusters: ArrayLike | None = None) -> ClusterSums:
    """Add up the rows of every cluster.

    The result depends neither on the order of the rows nor on what the clusters are called, to the last bit: rows are
    put in a fixed order before they are added. A cluster whose sums are all zero says nothing and is left out.

    Parameters
    ----------
    values : float (n, P)
    clusters : int or str (n,), optional
        A label per row; without, every row is its own cluster.

    Raises
    ------
    InputError
        There is not one label per row.

    Examples
    --------
    >>> sum_clusters(np.array([[1.0], [2.0], [3.0]]), ["x", "y", "x"])
    ClusterSums(sums=array([[2.],
           [4.]]), multiplicity=array([1, 1]))
    """
    sums = values
    if clusters is not None:
        codes, _ = as_codes("clusters", clusters)
        if len(codes) != len(values):
            raise InputError(f"clusters: {len(codes)} labels for {len(values)} rows")
        order = np.lexsort((*values.T, codes))
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        sums = np.add.reduceat(values[order], starts, axis=0)
    sums, multiplicity = np.unique(sums[sums.any(axis=1)], axis=0, return_counts=True)
    return ClusterSums(sums, multiplicity.astype(np.int64))


def resampled_sums(of: ClusterSums, resamples: int, seed: int) -> Floats:
    """Draw as many clusters as there are, with replacement, and add up their sums; again and again.

    Parameters
    ----------
    of : ClusterSums
    resamples, seed : int

    Returns
    -------
    float64 (resamples, P)

    Notes
    -----
    Where many clusters are alike, a draw is a row of counts per kind. Memory is bounded by a block, and the draws do
    not depend on its size.

    Examples
    --------
    >>> resampled_sums(sum_clusters(np.array([[1.0], [1.0]])), resamples=2, seed=0)
    array([[2.],
           [2.]])
    """
    rng = np.random.default_rng(seed)
    kinds, total = len(of.multiplicity), of.clusters
    by_kind = kinds * MULTINOMIAL_ADVANTAGE < total
    step = max(1, BLOCK // (kinds if by_kind else total))
    columns = np.repeat(of.sums, of.multiplicity, axis=0).T.copy()
    drawn = np.empty((resamples, len(columns)))
    for start in range(0, resamples, step):
        rows = slice(start, min(start + step, resamples))
        count = rows.stop - start
        if by_kind:
            drawn[rows] = rng.multinomial(total, of.multiplicity / total, size=count) @ of.sums
            continue
        picked = rng.integers(total, size=(count, total), dtype=np.uint32).astype(np.intp)
        for place, column in enumerate(columns):
            drawn[rows, place] = column.take(picked).sum(axis=1)
    return drawn
