"""Array types by the names of the glossary. Shapes are in the comments and in each docstring."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) or (N, H, W, 3), sRGB, 0 to 255."""

Vectors: TypeAlias = NDArray[np.float32]
"""(N, D) features, or unit rows where the docstring says so."""

Distances: TypeAlias = NDArray[np.float32]
"""``1 - cosine``, in [0, 2], lower is closer."""

Rows: TypeAlias = NDArray[np.int64]
"""Positions of rows in another array; -1 where there is none."""
