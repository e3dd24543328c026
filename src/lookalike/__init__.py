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

_HOMES = {
    "Collection": "lookalike.embedding.collection",
    "Encoder": "lookalike.embedding.encoder",
    "ImageDecodeError": "lookalike.core.errors",
    "LookalikeError": "lookalike.core.errors",
    "list_encoders": "lookalike.embedding.encoder",
    "load_encoder": "lookalike.embedding.encoder",
}

__all__ = ["Collection", "Encoder", "ImageDecodeError", "LookalikeError", "list_encoders", "load_encoder"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'lookalike' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
