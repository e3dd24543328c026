"""Learn what looks alike means to the people who use it, and search images with it.

Names are loaded when they are first used, so that ``import lookalike`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lookalike.core.version import __version__ as __version__

if TYPE_CHECKING:
    from lookalike.core.errors import ImageDecodeError as ImageDecodeError
    from lookalike.core.errors import LookalikeError as LookalikeError
    from lookalike.embedding.collection import Collection as Collection
    from lookalike.embedding.encoder import Encoder as Encoder
    from lookalike.embedding.encoder import list_encoders as list_encoders
    from lookalike.embedding.encoder import load_encoder as load_encoder
    from lookalike.embedding.features import Features as Features
    from lookalike.embedding.features import embed as embed
    from lookalike.judgments.pairs import Pairs as Pairs
    from lookalike.judgments.readers import read_judgments as read_judgments
    from lookalike.judgments.readers import read_pairs as read_pairs
    from lookalike.judgments.table import Judgments as Judgments
    from lookalike.metrics.two_afc import Accuracy as Accuracy
    from lookalike.metrics.two_afc import two_afc_accuracy as two_afc_accuracy

_HOMES = {
    "Accuracy": "metrics.two_afc",
    "Collection": "embedding.collection",
    "Encoder": "embedding.encoder",
    "Features": "embedding.features",
    "ImageDecodeError": "core.errors",
    "Judgments": "judgments.table",
    "LookalikeError": "core.errors",
    "Pairs": "judgments.pairs",
    "embed": "embedding.features",
    "list_encoders": "embedding.encoder",
    "load_encoder": "embedding.encoder",
    "read_judgments": "judgments.readers",
    "read_pairs": "judgments.readers",
    "two_afc_accuracy": "metrics.two_afc",
}

__all__ = [
    "Accuracy",
    "Collection",
    "Encoder",
    "Features",
    "ImageDecodeError",
    "Judgments",
    "LookalikeError",
    "Pairs",
    "embed",
    "list_encoders",
    "load_encoder",
    "read_judgments",
    "read_pairs",
    "two_afc_accuracy",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"lookalike.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'lookalike' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
