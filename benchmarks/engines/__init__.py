"""The engines that `vector_search.py` compares."""

from __future__ import annotations

from collections.abc import Callable

from engines.engine import Engine
from engines.graphs import FaissHnsw, HnswLib, Naive, USearch
from engines.lance import Lance
from engines.milvus import MilvusLite
from engines.ours import Exact, Ours, OursFused
from engines.pgvector import PgVector
from engines.qdrant import QdrantEdge, QdrantLocal

__all__ = ["ENGINES", "FUSED", "PLAIN", "QUICKLY_BUILT", "SHARES_FILE", "Engine"]

ENGINES: dict[str, tuple[str, Callable[[], Engine]]] = {
    "exact-f32": ("lookalike exact, float32", lambda: Exact("float32")),
    "exact-f16": ("lookalike exact, float16", lambda: Exact("float16")),
    "ours": ("lookalike approximate", Ours),
    "ours-fused": ("lookalike", OursFused),
    "ours-fused-1gb": ("lookalike, in 1 GB of memory", lambda: OursFused(10**9)),
    "ours-fused-300mb": ("lookalike, in 300 MB of memory", lambda: OursFused(3 * 10**8)),
    "naive": ("nearest of each model, ranked", Naive),
    "faiss-hnsw": ("FAISS HNSW, float16", FaissHnsw),
    "hnswlib": ("hnswlib, float32", HnswLib),
    "usearch-f16": ("usearch, float16", lambda: USearch("f16")),
    "usearch-i8": ("usearch, int8", lambda: USearch("i8")),
    "lance-pq": ("LanceDB IVF_PQ", lambda: Lance("IVF_PQ", None)),
    "lance-pq-refine": ("LanceDB IVF_PQ, refine 20", lambda: Lance("IVF_PQ", 20)),
    "lance-hnsw-sq": ("LanceDB IVF_HNSW_SQ", lambda: Lance("IVF_HNSW_SQ", None)),
    "lance-hnsw-sq-refine": ("LanceDB IVF_HNSW_SQ, refine 5", lambda: Lance("IVF_HNSW_SQ", 5)),
    "qdrant-local": ("Qdrant, local mode (compares all)", QdrantLocal),
    "qdrant-edge": ("Qdrant Edge HNSW, float16", lambda: QdrantEdge(int8=False)),
    "qdrant-edge-i8": ("Qdrant Edge HNSW, int8, rescored", lambda: QdrantEdge(int8=True)),
    "milvus-lite": ("Milvus Lite HNSW, float32", lambda: MilvusLite("HNSW")),
    "milvus-lite-sq": ("Milvus Lite HNSW_SQ", lambda: MilvusLite("HNSW_SQ")),
    "pgvector": ("pgvector HNSW, float16", PgVector),
}
"""By the name that ``--engines`` takes: the name for people, and how to make one."""

SHARES_FILE = {
    "lance-pq-refine": "lance-pq",
    "lance-hnsw-sq-refine": "lance-hnsw-sq",
    "ours-fused-1gb": "ours-fused",  # so much is enough for the same form
}
"""Engines that search the file another one has built."""

FUSED = [
    *("ours-fused", "faiss-hnsw", "naive", "usearch-f16", "hnswlib", "lance-pq-refine", "lance-hnsw-sq-refine"),
    *("qdrant-local", "qdrant-edge", "qdrant-edge-i8", "milvus-lite", "milvus-lite-sq", "pgvector"),
]
PLAIN = [
    *("exact-f32", "exact-f16", "ours", "faiss-hnsw", "hnswlib", "usearch-f16", "usearch-i8"),
    *("lance-pq", "lance-pq-refine", "lance-hnsw-sq"),
]
"""What is compared where `--engines` names none."""

QUICKLY_BUILT = {"exact-f16", "ours", "ours-fused", "lance-pq", "lance-pq-refine", "lance-hnsw-sq-refine"}
"""Beyond 300,000 vectors: the other graphs take many minutes to build."""
