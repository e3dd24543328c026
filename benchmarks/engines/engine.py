"""What an engine does for `vector_search.py`: it builds a file from vectors, opens it, and searches.

`settings` are the values of the engine's own dial between speed and recall, slowest last; the comparison takes the
first that reaches the recall asked for. Ours has one setting: the default that a user gets.
"""

# ruff: noqa: D102 -- names say it

from __future__ import annotations

import json
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
BEAMS = (32, 64, 96, 128, 192, 256, 384, 512)
COLUMN = "vector"


class Engine:
    """One engine with one configuration."""

    settings: tuple[int, ...] = BEAMS
    batched = True
    """Whether many queries can be asked for at once."""

    modules: tuple[str, ...] = ()
    """To be loaded before memory is counted."""

    packages: tuple[str, ...] = ()
    """Whose versions are told."""

    def build(self, vectors: NDArray[np.float16], path: Path) -> None:
        raise NotImplementedError

    def open(self, path: Path) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Stop what was started."""

    def search(self, queries: NDArray[np.float32], k: int, setting: int) -> Rows:
        raise NotImplementedError

    def load_modules(self) -> None:
        for name in self.modules:
            import_module(name)

    def versions(self) -> dict[str, str]:
        return {name: version(name) for name in self.packages}

    def helpers(self) -> list[int]:
        """Return the processes that work for this engine beside the one it is opened in."""
        return []


def parts_of(path: Path) -> list[slice]:
    """Return the columns of each model, which stand beside the index."""
    return [slice(*ends) for ends in json.loads((path.parent / "parts.json").read_text())]
