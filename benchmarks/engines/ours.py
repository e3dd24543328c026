"""Our own indexes, as they come."""

# ruff: noqa: D102, ARG002 -- `Engine` says once what the methods of all engines do

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.engine import Engine, Rows, parts_of


class Exact(Engine):
    """`lookalike.search.exact`."""

    settings = (0,)
    modules = ("lookalike.search.exact",)

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype

    def build(self, vectors: NDArray[np.float16], path: Path) -> None:
        with path.open("wb") as handle:
            np.save(handle, vectors.astype(self._dtype))

    def open(self, path: Path) -> None:
        from lookalike.search.exact import ExactIndex

        self._index = ExactIndex(np.load(path))

    def search(self, queries: NDArray[np.float32], k: int, setting: int) -> Rows:
        return self._index.search(queries, k)[0]


class Ours(Engine):
    """`lookalike.search.approximate`; the setting 0 is the care that it takes by itself."""

    settings = (0,)
    modules = ("faiss", "lookalike.search.approximate")
    packages = ("faiss-cpu",)

    def build(self, vectors: NDArray[np.float16], path: Path) -> None:
        from lookalike.search.approximate import ApproximateIndex

        ApproximateIndex.build(vectors).save(path)

    def open(self, path: Path) -> None:
        from lookalike.search.approximate import ApproximateIndex

        self._index = ApproximateIndex.load(path)

    def search(self, queries: NDArray[np.float32], k: int, setting: int) -> Rows:
        return self._index.search(queries, k, dial=setting or None)[0]


class OursFused(Ours):
    """The same, told which columns are one model's, and perhaps how many bytes of memory it may take."""

    def __init__(self, memory: int | None = None) -> None:
        self._memory = memory

    def build(self, vectors: NDArray[np.float16], path: Path) -> None:
        from lookalike.search.approximate import ApproximateIndex

        ApproximateIndex.build(vectors, parts=parts_of(path), memory=self._memory).save(path)

    def open(self, path: Path) -> None:
        super().open(path)
        if self._memory is not None:  # as `lookalike.search.disposable` does
            self._index.limit(self._memory - path.stat().st_size)
