"""What encoders there are."""

from __future__ import annotations

from lookalike.embedding.encoder import list_encoders, load_encoder
from lookalike.encoders.spec import EncoderSpec

__all__ = ["encoder_card", "list_encoders"]


def encoder_card(name: str) -> EncoderSpec:
    """Load an encoder and return its card.

    Examples
    --------
    >>> encoder_card("classic").resize
    'squash'
    """
    return load_encoder(name).spec
