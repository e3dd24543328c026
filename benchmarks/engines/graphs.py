"""Graphs by FAISS, hnswlib and usearch; and what one does without fused vectors: a graph for each model."""

# ruff: noqa: D102 -- `Engine` says once what the methods of all engines do

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.engine import Engine, Rows, parts_of
from lookalike.search.forms import BUILD_BEAM, LINKS


class FaissHnsw(Engine):
    """FAISS's graph over everything in float16, as its own page on indexes recommends."""

    modules = ("faiss",)
    packages = ("faiss-cpu",)

    def build(self, vectors: NDArray[np.float16], path: Path) -> None:
        import faiss

        kind = faiss.ScalarQuantizer.QT_fp16
        index = faiss.IndexHNSWSQ(vectors.shape[1], kind, LINKS, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = BUILD_BEAM
        index.train(vectors[:1000].astype(np.float32))
        for start in range(0, len(vectors), 20_000):
            index.add(vectors[start : start + 20_000].astype(np.float32))
        faiss.write_index(index, str(path))

    def open(self, path: Path) -> None:
        import faiss

        self._faiss, self._index = faiss, faiss.read_index(str(path))

    def search(self, queries: NDArray[np.float32], k: int, setting: int) -> Rows:
        return self._index.search(queries, k, params=self._faiss.SearchParametersHNSW(efSearch=setting))[1]


class Naive(Engine):
    """A graph per model; the nearest of each, together, are ranked by the ensemble. The setting is how many of each."""

    settings = (10, 20, 50, 100, 200, 500, 1000)
    modules = ("faiss",)
    packages = ("faiss-cpu",)

    def build(self, vectors: NDArray[np.float16], path: Path) -> None:
        path.mkdir()
        np.save(path / "rows.npy", vectors)
        for number, part in enumerate(parts_of(path)):
            FaissHnsw().build(np.ascontiguousarray(vectors[:, part]), path / f"{number}.index")

    def open(self, path: Path) -> None:
        self._parts, self._rows = parts_of(path), np.load(path / "rows.npy")
        self._models = [FaissHnsw() for _ in self._parts]
        for number, model in enumerate(self._models):
            model.open(path / f"{number}.index")

    def search(self, queries: NDArray[np.float32], k: int, setting: int) -> Rows:
        found = [
            model.search(np.ascontiguousarray(queries[:, part]), setting, max(setting, 64))
            for model, part in zip(self._models, self._parts, strict=True)
        ]
        ranked = np.full((len(queries), k), -1, dtype=np.int64)
        for place, query in enumerate(queries):
            rows = np.unique(np.concatenate([one[place] for one in found]))
            similar = self._rows[rows].astype(np.float32) @ query
            ranked[place] = rows[np.argsort(-similar)[:k]]
        return ranked


class HnswLib(Engine):
    """hnswlib, float32."""

    modules = ("hnswlib",)
    packages = ("hnswlib",)

    def build(self, vectors: NDArray[np.float16], path: Path) -> None:
        import hnswlib

        index = hnswlib.Index(space="ip", dim=vectors.shape[1])
        index.init_index(max_elements=len(vectors), ef_construction=BUILD_BEAM, M=LINKS, random_seed=0)
        for start in range(0, len(vectors), 50_000):
            index.add_items(vectors[start : start + 50_000].astype(np.float32))
        index.save_index(str(path))

    def open(self, path: Path) -> None:
        import hnswlib

        self._index = hnswlib.Index(space="ip", dim=int(path.with_suffix(".dim").read_text()))
        self._index.load_index(str(path))

    def search(self, queries: NDArray[np.float32], k: int, setting: int) -> Rows:
        self._index.set_ef(setting)
        return self._index.knn_query(queries, k=k)[0].astype(np.int64)


class USearch(Engine):
    """usearch with its storage type."""

    modules = ("usearch.index",)
    packages = ("usearch",)

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype

    def _new(self, dim: int) -> Any:
        from usearch.index import Index

        return Index(ndim=dim, metric="ip", dtype=self._dtype, connectivity=LINKS, expansion_add=BUILD_BEAM)

    def build(self, vectors: NDArray[np.float16], path: Path) -> None:
        index = self._new(vectors.shape[1])
        for start in range(0, len(vectors), 50_000):
            part = np.ascontiguousarray(vectors[start : start + 50_000])
            index.add(np.arange(start, start + len(part), dtype=np.uint64), part)
        index.save(str(path))

    def open(self, path: Path) -> None:
        self._index = self._new(int(path.with_suffix(".dim").read_text()))
        self._index.load(str(path))

    def search(self, queries: NDArray[np.float32], k: int, setting: int) -> Rows:
        self._index.expansion_search = setting
        return np.asarray(self._index.search(queries, k).keys).astype(np.int64).reshape(len(queries), -1)
