"""Pictures with one part covered after the other: what an encoder makes of them says which parts matter to it."""

from __future__ import annotations

import numpy as np

from lookalike.core.types import Pixels

__all__ = ["covered"]


def covered(pixels: Pixels, grid: int) -> Pixels:
    """Return copies of a picture, in each of which one cell of a grid has the mean colour of the picture.

    Where the similarity to another picture falls most, the cell mattered most. After the occlusion maps of Zeiler and
    Fergus, Visualizing and understanding convolutional networks, 2014, section 4.2.

    Parameters
    ----------
    pixels : uint8 (H, W, 3)
    grid : int
        Cells across and down, at least 1; a picture of fewer pixels leaves some without any.

    Returns
    -------
    uint8 (grid * grid, H, W, 3)
        Row by row from the top, each from the left.

    Examples
    --------
    >>> picture = np.zeros((2, 2, 3), np.uint8)
    >>> picture[0, 0] = 40
    >>> covered(picture, 2)[:, :, :, 0].tolist()
    [[[10, 0], [0, 0]], [[40, 10], [0, 0]], [[40, 0], [10, 0]], [[40, 0], [0, 10]]]
    """
    colour = np.rint(pixels.mean(axis=(0, 1))).astype(np.uint8)
    made = np.repeat(pixels[None], grid * grid, axis=0)
    down, across = (np.rint(np.linspace(0, side, grid + 1)).astype(int) for side in pixels.shape[:2])
    for row in range(grid):
        for column in range(grid):
            place = np.s_[down[row] : down[row + 1], across[column] : across[column + 1]]
            made[row * grid + column][place] = colour
    return made
