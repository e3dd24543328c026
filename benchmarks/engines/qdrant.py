"""Qdrant without a server: the client's local mode, and the engine itself in the process (Qdrant Edge)."""

# ruff: noqa: D102, ARG002 -- `Engine` says once what the methods of all engines do

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.engine import BEAMS, Engine, Rows
from lookalike.search.forms import BUILD_BEAM, LINKS

AT_ONCE = 2_000
OVERSAMPLING = 3.0
"""So many times the neighbours asked for are put right, where the graph is of bytes."""

WHOLE = 10**9
"""Kilobytes of a segment at most: all vectors are in one, as in the other graphs."""


class QdrantLocal(Engine):
    """The local mode of the client, in memory: NumPy compares a query with every row, whatever index is asked for.

    On disk it writes every point in a transaction of its own, a thousand times as slow.
    """

    settings = (0,)
    modules = ("qdrant_client",)
    packages = ("qdrant-client",)

    def build(self, vectors: NDArray[np.float16], path: Path) -> None:
        self._fill(vectors)
        with path.open("wb") as handle:
            np.save(handle, vectors)

    def open(self, path: Path) -> None:
        self._fill(np.load(path, mmap_mode="r"))

    def _fill(self, vectors: NDArray[np.float16]) -> None:
        from qdrant_client import QdrantClient, models

        self._models, self._client = models, QdrantClient(":memory:")
        size = models.VectorParams(size=vectors.shape[1], distance=models.Distance.DOT)
        self._client.create_collection("t", vectors_config=size)
        for start in range(0, len(vectors), AT_ONCE):
            part = vectors[start : start + AT_ONCE].astype(np.float32)
            points = [models.PointStruct(id=start + number, vector=row.tolist()) for number, row in enumerate(part)]
            self._client.upsert("t", points)

    def search(self, queries: NDArray[np.float32], k: int, setting: int) -> Rows:
        asked = [self._models.QueryRequest(query=query.tolist(), limit=k) for query in queries]
        answers = self._client.query_batch_points("t", asked)
        return np.array([[point.id for point in answer.points] for answer in answers], dtype=np.int64)


class QdrantEdge(Engine):
    """Qdrant's own graph in this process, over float16, or over bytes and put right by float16."""

    settings = BEAMS
    modules = ("qdrant_edge",)
    packages = ("qdrant-edge-py",)

    def __init__(self, int8: bool) -> None:
        self._int8 = int8

    def build(self, vectors: NDArray[np.float16], path: Path) -> None:
        import qdrant_edge as edge

        path.mkdir()
        shard = edge.EdgeShard.create(str(path), self._config(vectors.shape[1]))
        for start in range(0, len(vectors), AT_ONCE):
            part = vectors[start : start + AT_ONCE].astype(np.float32)
            points = [edge.Point(start + number, row.tolist()) for number, row in enumerate(part)]
            shard.update(edge.UpdateOperation.upsert_points(points))
        shard.optimize()
        shard.flush()
        shard.close()

    def _config(self, dim: int) -> Any:
        import qdrant_edge as edge

        return edge.EdgeConfig(
            vectors=edge.EdgeVectorParams(dim, edge.Distance.Dot, datatype=edge.VectorStorageDatatype.Float16),
            hnsw_config=edge.HnswIndexConfig(m=LINKS, ef_construct=BUILD_BEAM, full_scan_threshold=10),
            quantization_config=edge.ScalarQuantizationConfig(edge.ScalarType.Int8) if self._int8 else None,
            optimizers=edge.EdgeOptimizersConfig(
                default_segment_number=1, max_segment_size=WHOLE, indexing_threshold=10
            ),
        )

    def open(self, path: Path) -> None:
        import qdrant_edge as edge

        self._edge, self._shard = edge, edge.EdgeShard.load(str(path))

    def search(self, queries: NDArray[np.float32], k: int, setting: int) -> Rows:
        edge = self._edge
        right = edge.QuantizationSearchParams(rescore=True, oversampling=OVERSAMPLING) if self._int8 else None
        care = edge.SearchParams(hnsw_ef=setting, quantization=right)
        asked = [edge.QueryRequest(k, query=edge.Query.Nearest(query.tolist()), params=care) for query in queries]
        if len(asked) == 1:
            answers = [self._shard.query(asked[0])]
        else:
            answers = self._shard.query_batch(edge.QueryBatchRequest(asked))
        return np.array([[point.id for point in answer] for answer in answers], dtype=np.int64)
