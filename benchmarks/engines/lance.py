"""LanceDB's own indexes."""

# ruff: noqa: D102 -- `Engine` says once what the methods of all engines do

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.engine import COLUMN, Engine, Rows
from lookalike.search.forms import BUILD_BEAM, LINKS


class Lance(Engine):
    """LanceDB's own index. The setting is the share of partitions probed, in thousandths, or a quarter of `ef`."""

    settings = (10, 20, 50, 100, 200, 400, 1000)
    batched = False
    modules = ("lancedb",)
    packages = ("lancedb",)

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
                asked = asked.ef(max(4 * setting, k * (self._refine or 1)))
            if self._refine:
                asked = asked.refine_factor(self._refine)
            rows = asked.limit(k).select(["row", "_distance"]).to_arrow()["row"].to_numpy()
            found[place, : len(rows)] = rows
        return found
