"""The engines that `vector_search.py` compares: each builds a file from vectors, opens it, and searches.

`settings` are the values of the engine's own dial between speed and recall, slowest last; the comparison takes the
first that reaches the recall asked for. Ours has one setting: the default that a user gets.
"""

# ruff: noqa: D102, ARG002 -- `Engine` says once what the methods of all engines do

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lookalike.search.forms import BUILD_BEAM, LINKS

Rows = NDArray[np.int64]
BEAMS = (32, 64, 96, 128, 192, 256, 384, 512)
COLUMN = "vector"


class Engine(Protocol):
    """One engine with one configuration."""

    settings: tuple[int, ...]
    batched: bool

    def build(self, vectors: NDArray[np.float16], path: Path) -> None: ...

    def open(self, path: Path) -> None: ...

    def search(self, queries: NDArray[np.float32], k: int, setting: int) -> Rows: ...


class Exact:
    """`lookalike.search.exact`."""

    settings = (0,)
    batched = True

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


class Ours:
    """`lookalike.search.approximate` as it comes."""

    settings = (0,)
    batched = True

    def build(self, vectors: NDArray[np.float16], path: Path) -> None:
        from lookalike.search.approximate import ApproximateIndex

        ApproximateIndex.build(vectors).save(path)

    def open(self, path: Path) -> None:
        from lookalike.search.approximate import ApproximateIndex

        self._index = ApproximateIndex.load(path)

    def search(self, queries: NDArray[np.float32], k: int, setting: int) -> Rows:
        return self._index.search(queries, k)[0]


class OursFused(Ours):
    """The same, told which columns are one model's."""

    def build(self, vectors: NDArray[np.float16], path: Path) -> None:
        from lookalike.search.approximate import ApproximateIndex

        ApproximateIndex.build(vectors, parts=parts_of(path)).save(path)


def parts_of(path: Path) -> list[slice]:
    """Return the columns of each model, which stand beside the index."""
    return [slice(*ends) for ends in json.loads((path.parent / "parts.json").read_text())]


class FaissHnsw:
    """FAISS's graph over everything in float16, as its own page on indexes recommends."""

    settings = BEAMS
    batched = True

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


class Naive:
    """A graph per model; the nearest of each, together, are ranked by the ensemble. The setting is how many of each."""

    settings = (10, 20, 50, 100, 200, 500, 1000)
    batched = True

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


class HnswLib:
    """hnswlib, float32."""

    settings = BEAMS
    batched = True

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


class USearch:
    """usearch with its storage type."""

    settings = BEAMS
    batched = True

    def __init__(self, dtype: str) -> None:
        self._dtype = dtype

    def _new(self, count: int, dim: int) -> Any:
        from usearch.index import Index

        return Index(ndim=dim, metric="ip", dtype=self._dtype, connectivity=LINKS, expansion_add=BUILD_BEAM)

    def build(self, vectors: NDArray[np.float16], path: Path) -> None:
        index = self._new(*vectors.shape)
        for start in range(0, len(vectors), 50_000):
            part = np.ascontiguousarray(vectors[start : start + 50_000])
            index.add(np.arange(start, start + len(part), dtype=np.uint64), part)
        index.save(str(path))

    def open(self, path: Path) -> None:
        self._index = self._new(0, int(path.with_suffix(".dim").read_text()))
        self._index.load(str(path))

    def search(self, queries: NDArray[np.float32], k: int, setting: int) -> Rows:
        self._index.expansion_search = setting
        return np.asarray(self._index.search(queries, k).keys).astype(np.int64).reshape(len(queries), -1)


class Lance:
    """LanceDB's own index. The setting is the share of partitions probed, in thousandths, or a quarter of `ef`."""

    settings = (10, 20, 50, 100, 200, 400, 1000)
    batched = False

    def __init__(self, kind: str, refine: int | None) -> None:
        self._kind, self._refine = kind, refine

    def build(self, vectors: NDArray[np.float16], path: Path) -> None:
        import lancedb
        import pyarrow as pa

        dim = vectors.shape[1]
        schema = pa.schema([("row", pa.int64()), (COLUMN, pa.list_(pa.float16(), dim))])
        table = lancedb.connect(path).create_table("t", schema=schema)
        for start in range(0, len(vectors), 100_000):
            part = vectors[start : start + 100_000]
            column = pa.FixedSizeListArray.from_arrays(pa.array(part.reshape(-1)), dim)
            rows = pa.array(np.arange(start, start + len(part)))
            table.add(pa.Table.from_arrays([rows, column], schema=schema))
        table.create_index(COLUMN, config=self._config(len(vectors), dim))

    def _config(self, count: int, dim: int) -> Any:
        from lancedb.index import HnswSq, IvfPq

        parts = self._parts(count)
        if self._kind == "IVF_PQ":
            return IvfPq(distance_type="dot", num_partitions=parts, num_sub_vectors=dim // 8)
        return HnswSq(distance_type="dot", num_partitions=parts, m=LINKS, ef_construction=BUILD_BEAM)

    def _parts(self, count: int) -> int:
        """LanceDB trains a partition on 256 vectors at least; a graph wants few and large ones."""
        return max(1, min(int(np.sqrt(count)), count // 256) if self._kind == "IVF_PQ" else count // 50_000)

    def open(self, path: Path) -> None:
        import lancedb

        self._table = lancedb.connect(path).open_table("t")
        self._partitions = self._parts(self._table.count_rows())

    def search(self, queries: NDArray[np.float32], k: int, setting: int) -> Rows:
        share = setting if self._kind == "IVF_PQ" else 1000
        probes = max(1, share * self._partitions // 1000)
        found = np.full((len(queries), k), -1, dtype=np.int64)
        for place, query in enumerate(queries):
            asked = self._table.search(query, vector_column_name=COLUMN).distance_type("dot").nprobes(probes)
            if self._kind != "IVF_PQ":
                asked = asked.ef(4 * setting)
            if self._refine:
                asked = asked.refine_factor(self._refine)
            rows = asked.limit(k).select(["row", "_distance"]).to_arrow()["row"].to_numpy()
            found[place, : len(rows)] = rows
        return found


ENGINES: dict[str, tuple[str, Callable[[], Engine]]] = {
    "exact-f32": ("lookalike exact, float32", lambda: Exact("float32")),
    "exact-f16": ("lookalike exact, float16", lambda: Exact("float16")),
    "ours": ("lookalike approximate", Ours),
    "ours-fused": ("lookalike", OursFused),
    "naive": ("nearest of each model, ranked", Naive),
    "faiss-hnsw": ("FAISS HNSW, float16", FaissHnsw),
    "hnswlib": ("hnswlib, float32", HnswLib),
    "usearch-f16": ("usearch, float16", lambda: USearch("f16")),
    "usearch-i8": ("usearch, int8", lambda: USearch("i8")),
    "lance-pq": ("LanceDB IVF_PQ", lambda: Lance("IVF_PQ", None)),
    "lance-pq-refine": ("LanceDB IVF_PQ, refine 20", lambda: Lance("IVF_PQ", 20)),
    "lance-hnsw-sq": ("LanceDB IVF_HNSW_SQ", lambda: Lance("IVF_HNSW_SQ", None)),
}
"""By the name that ``--engines`` takes: the name for people, and how to make one."""

SHARES_FILE = {"lance-pq-refine": "lance-pq"}
"""Engines that search the file another one has built."""
