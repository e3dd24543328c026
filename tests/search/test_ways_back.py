from __future__ import annotations

import numpy as np
import pytest

from lookalike.search.approximate import ApproximateIndex
from lookalike.search.ways_back import with_ways_back


def random_links(count: int, width: int, seed: int) -> np.ndarray:
    """Link each to some others, more to the first ones than to the last, and to a third of all from nowhere."""
    rng = np.random.default_rng(seed)
    links = np.full((count, width), -1, np.int32)
    for row in range(count):
        others = np.delete(np.arange(count * 2 // 3), row) if row < count * 2 // 3 else np.arange(count * 2 // 3)
        wanted = rng.permutation(others)[: rng.integers(1, width + 1)]
        links[row, : len(wanted)] = wanted
    return links


@pytest.mark.parametrize(("count", "width", "seed"), [(30, 4, 0), (200, 8, 1), (999, 16, 2)])
def test_links_stay_a_graph_and_every_vector_has_one_to_it(count: int, width: int, seed: int) -> None:
    before = random_links(count, width, seed)
    kept = before.copy()
    links = with_ways_back(before)
    np.testing.assert_array_equal(before, kept)
    towards = np.bincount(links[links >= 0], minlength=count)
    assert np.bincount(before[before >= 0], minlength=count).min() == 0 < towards.min()
    for row, said in enumerate(links.tolist()):
        real = [one for one in said if one >= 0]
        assert said == real + [-1] * (width - len(real))
        assert len({*real}) == len(real)
        assert row not in real
        assert max(real) < count


def test_no_more_links_change_than_are_needed() -> None:
    before = random_links(300, 6, 0)
    lost = 300 - len(np.unique(before[before >= 0]))
    changed = with_ways_back(before) != before
    assert 50 < lost <= changed.sum() < 1.1 * lost
    roomy = np.concatenate([before, np.full((300, 60), -1, np.int32)], axis=1)
    links = with_ways_back(roomy)
    assert all({*old[old >= 0]} <= {*new} for old, new in zip(roomy, links, strict=True))


def test_nobody_to_link_to_is_no_error() -> None:
    assert with_ways_back(np.full((3, 2), -1, np.int32)).tolist() == [[-1, -1]] * 3
    assert with_ways_back(np.empty((0, 4), np.int32)).shape == (0, 4)


@pytest.mark.parametrize("dim", [24, 300])
def test_every_vector_of_an_index_is_linked_to(dim: int) -> None:
    import faiss

    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((5000, 12)) ** 3 @ rng.standard_normal((12, dim))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index = ApproximateIndex.build(vectors, threads=1)
    assert index.form == ("graph" if dim == 24 else "reduced")
    base = index._base if dim == 24 else faiss.downcast_index(index._base.index)
    width, flat = base.hnsw.nb_neighbors(0), faiss.vector_to_array(base.hnsw.neighbors)
    starts = faiss.vector_to_array(base.hnsw.offsets)[: base.ntotal].astype(np.int64)
    links = flat[starts[:, None] + np.arange(width)]
    assert np.bincount(links[links >= 0], minlength=base.ntotal).min() > 0
    found = index.search(vectors, 1, dial=400)[0][:, 0]
    assert (found == np.arange(len(vectors))).mean() > 0.999
