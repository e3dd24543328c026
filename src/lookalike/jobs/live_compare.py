"""Which of two pictures is closer to a reference, by all that a collection can be searched by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lookalike.core.errors import LookalikeError
from lookalike.core.features import Features
from lookalike.core.types import Vectors
from lookalike.embedding.encoder import Encoder
from lookalike.jobs.compare import Comparison, compare_vectors
from lookalike.jobs.compare_by_model import compare_features
from lookalike.jobs.live_models import Choice, LiveModels
from lookalike.jobs.live_view import Picture, View

__all__ = ["Question", "Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the encoder, a model or an ensemble says; or why it cannot."""

    choice: Choice
    comparison: Comparison | None
    trouble: str = ""


class Question:
    """A reference and two candidates; each picture is encoded once by each encoder, however many models take it.

    Parameters
    ----------
    view : View
        The collection that pictures may be images of.
    models : LiveModels
    pictures : sequence of Upload, str or Cut
        The reference, a and b.
    """

    def __init__(self, view: View, models: LiveModels, pictures: Sequence[Picture]) -> None:
        self._view, self._models, self._pictures = view, models, pictures
        self._encoded: dict[str, Vectors] = {}

    def by_encoder(self) -> Comparison:
        """Compare by the vectors of the collection's encoder.

        Raises
        ------
        NotHeldError, ImageDecodeError
            A picture is not there, or cannot be read.
        """
        vectors = np.stack([self._view.vector(picture) for picture in self._pictures])
        return compare_vectors(vectors, self._view.encoder.spec.temperature)

    def by_model(self, name: str) -> Comparison:
        """Compare by a model or an ensemble of the workspace; see `lookalike.jobs.compare_by_model`.

        Raises
        ------
        UnknownNameError, InputError, EncoderError, NotHeldError, ImageDecodeError
        """
        model = self._models.open(name)
        features = np.concatenate([self._features(encoder) for encoder in model.encoders], axis=1)
        return compare_features(model.named, Features(np.array(["reference", "a", "b"]), features))

    def by_all(self) -> list[Verdict]:
        """Compare by the encoder, and by every model and ensemble; one that cannot says why.

        Raises
        ------
        NotHeldError, ImageDecodeError
        """
        verdicts = [Verdict(Choice(self._view.encoder.name, "encoder"), self.by_encoder())]
        for choice in self._models.listed():
            try:
                verdicts.append(Verdict(choice, self.by_model(choice.name)))
            except LookalikeError as error:
                verdicts.append(Verdict(choice, None, str(error)))
        return verdicts

    def _features(self, encoder: Encoder) -> Vectors:
        if encoder.name not in self._encoded:
            rows = [self._view.features([encoder], picture) for picture in self._pictures]
            self._encoded[encoder.name] = np.concatenate(rows)
        return self._encoded[encoder.name]
