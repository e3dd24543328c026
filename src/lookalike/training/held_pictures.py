"""Pictures of known things that a classifier is not trained on, to choose the pass by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from lookalike.core.types import Rows, Vectors
from lookalike.training.adaptation import PLAIN, Formula
from lookalike.training.contrastive import finding_loss

__all__ = ["HeldPictures"]


class HeldPictures:
    """See `lookalike.training.contrastive.Held`.

    Parameters
    ----------
    features : float32 (N, d)
    rows : int64 (n,)
        Of the pictures.
    classes : int64 (n,)
        What they show.
    """

    def __init__(self, features: Vectors, rows: Rows, classes: Rows) -> None:
        self._rows, self._classes = torch.as_tensor(features[rows]), torch.as_tensor(classes)

    def loss(self, formula: Formula, weights: Mapping[str, Any]) -> float | None:
        """Return the cross-entropy of the right classes: of cosines, at their best scale; None without pictures."""
        if not len(self._rows):
            return None
        with torch.no_grad():
            tensors = {name: torch.as_tensor(value) for name, value in weights.items()}
            mapped = formula(self._rows, tensors, PLAIN)
            if "offsets" in tensors:
                return float(cross_entropy(mapped @ tensors["classes"].T + tensors["offsets"], self._classes))
            return finding_loss(mapped, tensors["classes"], self._classes)
