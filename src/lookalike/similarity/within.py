"""Within-pair whitening: directions in which matched images differ count less. In closed form, from pairs alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import InputError
from lookalike.core.types import Vectors

__all__ = ["within_pair_whitening"]


def within_pair_whitening(differences: Vectors, shrinkage: float) -> NDArray[np.float32]:
    """Return ``C^(-1/2)``, the map under which the differences of matched images have about the same spread everywhere.

    ``C = (1 - s) D + s tr(D)/d I`` with ``D`` the second moment of the differences. Relevant component analysis
    (Shental, Hertz, Weinshall and Pavel, Adjustment learning and relevant component analysis, 2002), shrunk towards the
    identity as by Ledoit and Wolf (2004), with the share `s` given rather than estimated.

    Parameters
    ----------
    differences : float32 (m, d)
        Of each matched pair, left less right.
    shrinkage : float
        `s`, above 0 and up to 1; at 1 the map is a multiple of the identity.

    Returns
    -------
    float32 (d, d)
        Symmetric. Mapped differences have a mean squared length of ``d`` at shrinkage 1, and less below it where they
        lie in few directions.

    Raises
    ------
    InputError
        `shrinkage` is out of range, or all differences are zero.

    Examples
    --------
    >>> within_pair_whitening(np.array([[2.0, 0.0], [0.0, 1.0]], np.float32), 1e-6).round(2) + 0.0
    array([[0.71, 0.  ],
           [0.  , 1.41]], dtype=float32)
    """
    if not 0 < shrinkage <= 1:
        raise InputError(f"shrinkage is above 0 and up to 1, not {shrinkage}")
    moment = np.asarray(differences.T @ differences, np.float64) / len(differences)
    mean = float(np.trace(moment)) / len(moment)
    if not mean > 0:
        raise InputError("the two images of every pair have the same features: there is nothing to learn from them")
    values, turn = np.linalg.eigh(moment)
    spread = (1 - shrinkage) * np.maximum(values, 0) + shrinkage * mean
    return np.ascontiguousarray((turn / np.sqrt(spread)) @ turn.T, np.float32)
