"""What an index on FAISS can be made of, and how each form is asked for more or less care.

- a graph of near neighbours over all numbers in float16: for vectors of up to 256 numbers, or without leading ones;
- a graph over the leading directions in eight bits: a sixth of the bytes to compare, put right by the rows;
- cells of codes of four bits (Jégou et al., 2011; André et al., 2017): a quarter of a byte a direction and no links,
  for little memory, put right by the rows.

Each has one dial between speed and recall: the beam of a graph, the cells that are looked into.

Source: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using Hierarchical Navigable
Small World graphs", 2016.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.types import Rows, Vectors
from lookalike.search.leading import leading_directions
from lookalike.search.nearby import COORDINATES
from lookalike.search.protocol import StoredVectors
from lookalike.search.ways_back import with_ways_back

__all__ = ["DIALS", "Form", "arrange", "care", "coordinates", "form_of", "link_back", "new_base", "resident", "suits"]

Form: TypeAlias = Literal["graph", "reduced", "cells"]

WIDE = 256
"""Up to so many numbers a graph holds all of them: fewer would save little, and rows beside it would cost more."""

LINKS, BUILD_BEAM, REDUCED_BEAM = 16, 100, 200
"""Neighbours kept per vector and layer, twice as many in the lowest; candidates held while a graph is built."""

DIALS: dict[Form, tuple[int, ...]] = {
    "graph": (96, 128, 160, 208, 272, 352, 448, 576),
    "reduced": (128, 160, 192, 240, 304, 384, 480, 640),
    "cells": (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256),
}
"""The settings of each form, from fast to careful.

Even the fastest takes some care: people's pictures are further from a collection than its pictures are from each other,
and those alone can be asked when an index is built.
"""

NUMBERS_A_CODE, CODED_AT_ONCE = 2, 4
"""Directions that share one code of four bits; codes come in pairs, a byte each."""

SHORTEST, LONGEST = 600, 4_000
"""Candidates that cells give are at least so many, and grow with the cells."""


def suits(
    vectors: StoredVectors, memory: int | None = None, parts: Sequence[slice] = ()
) -> tuple[Form, Vectors | None]:
    """Choose a form, and the leading directions that it is made of.

    Parameters
    ----------
    vectors : float32 or float16 (N, D)
    memory : int, optional
        Bytes that the index may keep in memory.
    parts : sequence of slice
        Columns that queries weigh against each other.

    Raises
    ------
    InputError
        No form fits into so little.

    Examples
    --------
    >>> suits(np.eye(4, dtype=np.float32))
    ('graph', None)
    """
    count, dim = vectors.shape
    directions = leading_directions(vectors, parts=parts) if dim > WIDE and count > WIDE else None
    form: Form = "graph" if directions is None else "reduced"
    kept = dim if directions is None else directions.shape[1]
    if memory is None or resident(form, count, dim, kept) <= memory:
        return form, directions
    least = resident("cells", count, dim, kept)
    if least > memory or dim < CODED_AT_ONCE:
        raise InputError(
            f"an index of {count:,} vectors needs {-(-least // 1_000_000):,} MB at least: give it more than "
            f"{memory // 1_000_000:,} MB of memory"
        )
    if directions is None:
        directions = leading_directions(vectors, dim // CODED_AT_ONCE * CODED_AT_ONCE)
    return "cells", directions


def resident(form: Form, count: int, dim: int, kept: int) -> int:
    """Return how many bytes an index keeps in memory, without the rows that put it right.

    Parameters
    ----------
    form : str
    count, dim : int
        Vectors, and their length.
    kept : int
        Leading directions.

    Examples
    --------
    >>> resident("reduced", 1_000_000, 768, 256) // 10**6, resident("cells", 1_000_000, 768, 256) // 10**6
    (412, 80)
    """
    links, turn = count * (8 * LINKS + 28), 4 * dim * kept
    if form == "graph":
        return count * 2 * dim + links
    if form == "reduced":
        return count * kept + links + turn
    return count * (kept // CODED_AT_ONCE + 12) + 4 * kept * cells(count) + turn


def cells(count: int) -> int:
    """Return how many cells so many vectors are dealt to: a power of 2 near four times the square root."""
    return int(2 ** round(np.log2(4 * max(count, 16) ** 0.5)))


def new_base(form: Form, directions: Vectors | None, vectors: StoredVectors, seed: int = 0) -> Any:
    """Return an index of FAISS, trained and empty, that takes whole vectors.

    Parameters
    ----------
    form : str
    directions : float32 (D, r), optional
    vectors : float32 or float16 (N, D)
        To train on.
    seed : int
        Of which of them, and of the turn of the codes.
    """
    faiss = _faiss()
    if form == "graph" or directions is None:
        return _graph(vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, BUILD_BEAM)
    rng, kept = np.random.default_rng(seed), directions.shape[1]
    wanted = 64 * cells(len(vectors)) if form == "cells" else 50_000
    sample = vectors[np.sort(rng.permutation(len(vectors))[:wanted])].astype(np.float32)
    if form == "cells":
        # Turned at random, every code has as much to tell as any other.
        directions = (directions @ np.linalg.qr(rng.normal(size=(kept, kept)))[0]).astype(np.float32)
        inner = faiss.index_factory(
            kept, f"IVF{cells(len(vectors))},PQ{kept // NUMBERS_A_CODE}x4fs", faiss.METRIC_INNER_PRODUCT
        )
        inner.cp.seed, inner.cp.niter, inner.cp.max_points_per_centroid = seed + 1, 10, 64
        inner.cp.min_points_per_centroid = 1
    else:
        inner = _graph(kept, faiss.ScalarQuantizer.QT_8bit, REDUCED_BEAM)
    inner.train(sample @ directions)
    turn = faiss.LinearTransform(vectors.shape[1], kept, False)
    faiss.copy_array_to_vector(np.ascontiguousarray(directions.T).ravel(), turn.A)
    turn.is_trained = True
    return faiss.IndexPreTransform(turn, inner)


def form_of(base: Any) -> Form | None:
    """Return the form of an index of FAISS; None where it is none of ours."""
    faiss = _faiss()
    if isinstance(base, faiss.IndexHNSWSQ):
        return "graph"
    if not isinstance(base, faiss.IndexPreTransform):
        return None
    inner = faiss.downcast_index(base.index)
    if isinstance(inner, faiss.IndexHNSWSQ):
        return "reduced"
    return "cells" if isinstance(inner, faiss.IndexIVFPQFastScan) else None


def arrange(base: Any, order: Rows) -> None:
    """Put the vectors of a graph in another order.

    Parameters
    ----------
    base : index of FAISS
    order : int64 (N,)
        Their places now, each once.
    """
    _graph_of(base).permute_entries(np.ascontiguousarray(order, np.int64))


def link_back(base: Any) -> None:
    """See to it that in the lowest layer of a graph, which holds all vectors, each can be reached from another.

    Parameters
    ----------
    base : index of FAISS
    """
    faiss, graph = _faiss(), _graph_of(base)
    held = faiss.rev_swig_ptr(graph.hnsw.neighbors.data(), graph.hnsw.neighbors.size())
    starts = faiss.vector_to_array(graph.hnsw.offsets)[: graph.ntotal].astype(np.int64)
    places = starts[:, None] + np.arange(graph.hnsw.nb_neighbors(0))
    held[places] = with_ways_back(held[places])


def coordinates(base: Any, queries: Vectors) -> Vectors:
    """Return a few numbers that say which queries are near each other, float32 (Q, up to `COORDINATES`).

    Parameters
    ----------
    base : index of FAISS
    queries : float32 (Q, D)
    """
    faiss = _faiss()
    if not isinstance(base, faiss.IndexPreTransform):
        return queries[:, np.argsort(-queries.var(axis=0))[:COORDINATES]]
    turn = faiss.downcast_VectorTransform(base.chain.at(0))
    leading = faiss.vector_to_array(turn.A).reshape(turn.d_out, turn.d_in)[:COORDINATES]
    lengths = np.linalg.norm(queries, axis=1, keepdims=True)
    return np.asarray(queries @ leading.T / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def care(form: Form, dial: int, k: int) -> tuple[int, Any]:
    """Return how many candidates are put right by the rows, and the parameters of FAISS for it.

    Parameters
    ----------
    form : str
    dial : int
    k : int
        How many neighbours are wanted.
    """
    faiss = _faiss()
    if form == "cells":
        found = max(10 * k, min(SHORTEST + 8 * dial, LONGEST))
        return found, _refined(found, k, faiss.SearchParametersIVF(nprobe=dial))
    walk = faiss.SearchParametersHNSW(efSearch=max(dial, 2 * k))
    if form == "graph":
        return k, walk
    found = max(dial // 2, 2 * k)
    return found, _refined(found, k, walk)


def _refined(found: int, k: int, inner: Any) -> Any:
    faiss = _faiss()
    base = faiss.SearchParametersPreTransform(index_params=inner)
    return faiss.IndexRefineSearchParameters(k_factor=-(-found // k), base_index_params=base)


def _graph_of(base: Any) -> Any:
    faiss = _faiss()
    return faiss.downcast_index(base.index) if isinstance(base, faiss.IndexPreTransform) else base


def _graph(dim: int, kind: int, beam: int) -> Any:
    faiss = _faiss()
    index = faiss.IndexHNSWSQ(dim, kind, LINKS, faiss.METRIC_INNER_PRODUCT)
    if kind == faiss.ScalarQuantizer.QT_fp16:
        index.is_trained = index.storage.is_trained = True  # float16 has nothing to learn
    index.hnsw.efConstruction = beam
    # All places for links are taken, by near vectors that the published rule drops: at a beam of 128 a graph of 250,000
    # then misses 10 neighbours of 1,000 instead of 18, and a search takes no longer.
    index.keep_max_size_level0 = True
    return index


def _faiss() -> Any:
    """Import FAISS when it is used; by name, for its type stubs do not know half of it."""
    return importlib.import_module("faiss")
