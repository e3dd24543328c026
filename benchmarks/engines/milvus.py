"""Milvus Lite: Milvus's API over graphs of FAISS, in the same process."""

# ruff: noqa: D102 -- `Engine` says once what the methods of all engines do

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.engine import COLUMN, Engine, Rows
from lookalike.search.forms import BUILD_BEAM, LINKS

AT_ONCE = 2_000
ALL_IN_ONE = {"MILVUS_LITE_MEMTABLE_MEMORY_LIMIT_BYTES": str(2**34), "MILVUS_LITE_WAL_SIZE_LIMIT_BYTES": str(2**34)}
"""All rows in one segment, as in the other graphs: by itself it makes one graph of every 128 MB."""


class MilvusLite(Engine):
    """Asked through `pymilvus`, as everybody does."""

    modules = ("pymilvus", "milvus_lite")
    packages = ("milvus-lite", "pymilvus")

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def build(self, vectors: NDArray[np.float16], path: Path) -> None:
        os.environ.update(ALL_IN_ONE)
        from pymilvus import DataType, MilvusClient

        path.mkdir()
        client = MilvusClient(str(path / "t.db"))
        schema = client.create_schema(auto_id=False)
        schema.add_field("row", DataType.INT64, is_primary=True)
        schema.add_field(COLUMN, DataType.FLOAT_VECTOR, dim=vectors.shape[1])
        client.create_collection("t", schema=schema)
        for start in range(0, len(vectors), AT_ONCE):
            part = vectors[start : start + AT_ONCE].astype(np.float32)
            client.insert("t", [{"row": start + number, COLUMN: row} for number, row in enumerate(part)])
        client.flush("t")
        index = client.prepare_index_params()
        care = {"M": LINKS, "efConstruction": BUILD_BEAM}
        index.add_index(COLUMN, index_type=self._kind, metric_type="IP", params=care)
        client.create_index("t", index)
        client.load_collection("t")
        client.close()

    def open(self, path: Path) -> None:
        os.environ.update(ALL_IN_ONE)
        from pymilvus import MilvusClient

        self._client = MilvusClient(str(path / "t.db"))
        self._client.load_collection("t")

    def search(self, queries: NDArray[np.float32], k: int, setting: int) -> Rows:
        care = {"metric_type": "IP", "params": {"ef": setting}}
        answers = self._client.search("t", list(queries), limit=k, search_params=care, anns_field=COLUMN)
        return np.array([[hit["row"] for hit in answer] for answer in answers], dtype=np.int64)
