import logging
from pathlib import Path

import numpy as np
import pytest

from lookalike.search import disposable, fused_index
from lookalike.search.approximate import ApproximateIndex
from lookalike.search.fused import FusedLayout, FusedModel, fuse, fused_query
from lookalike.search.fused_index import build_view, load_view
from lookalike.search.fused_table import FusedTable
from lookalike.search.fused_view import FusedView

DIMS = {"a": 6, "b": 9}
COUNT = 600
LAYOUT = FusedLayout([FusedModel(name, dim) for name, dim in DIMS.items()])
NAME = "fused"


def vectors(count: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=(count, dim)) for name, dim in DIMS.items()}


ROWS = fuse(LAYOUT, vectors(COUNT, 0))
QUERIES, TOTALS = fused_query(LAYOUT, vectors(20, 1), np.random.default_rng(2).exponential(size=(20, 2)) ** 3 + 0.01)


class Nearest:
    """Brute force over a dictionary of rows."""

    def __init__(self, rows: dict[str, np.ndarray]) -> None:
        self.ids = np.array(list(rows))
        self.rows = np.array(list(rows.values()), np.float64).reshape(len(rows), LAYOUT.width)

    def distances(self, k: int) -> np.ndarray:
        return np.sort(np.maximum(TOTALS[:, None] - QUERIES @ self.rows.T, 0), axis=1)[:, :k]


def check(view: FusedView, rows: dict[str, np.ndarray], k: int = 10) -> None:
    """Hold a view against brute force; the graph is small enough to miss nothing."""
    ids, distances = view.search(QUERIES, TOTALS, k)
    assert len(view) == len(rows)
    held = min(k, len(rows))
    np.testing.assert_allclose(distances[:, :held], Nearest(rows).distances(held), atol=2e-5)
    for q, row in enumerate(ids[:, :held].tolist()):
        assert len(set(row)) == held
        own = [max(0, TOTALS[q] - QUERIES[q] @ rows[one].astype(np.float64)) for one in row]
        np.testing.assert_allclose(distances[q, :held], own, atol=2e-5)
    assert (ids[:, held:] == "").all()
    assert np.isinf(distances[:, held:]).all()


@pytest.fixture(autouse=True)
def small_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disposable, "EXACT_BELOW", 100)


@pytest.fixture
def table(tmp_path: Path) -> FusedTable:
    made = FusedTable.create(str(tmp_path / "db"), NAME, LAYOUT)
    made.put([f"{i}" for i in range(COUNT)], ROWS)
    return made


@pytest.fixture
def rows() -> dict[str, np.ndarray]:
    return {f"{i}": ROWS[i] for i in range(COUNT)}


def test_a_graph_and_what_was_written_since_are_one_answer(
    table: FusedTable, tmp_path: Path, rows: dict[str, np.ndarray]
) -> None:
    view = build_view(tmp_path / "index", NAME, table)
    assert isinstance(view.index, ApproximateIndex)
    check(view, rows)
    more = fuse(LAYOUT, vectors(30, 5))
    table.put([f"new{i}" for i in range(30)], more)
    view = view.advance(table)
    rows |= {f"new{i}": more[i] for i in range(30)}
    assert len(view.tail) == 30
    check(view, rows)
    near = [f"{i}" for i in view.search(QUERIES, TOTALS, 3)[0][:, 0]]  # the nearest of all are replaced or removed
    for id_ in sorted(set(near))[::2]:
        rows[id_] = fuse(LAYOUT, vectors(1, len(id_)))[0]
        table.put([id_], rows[id_][None])
    gone = sorted(set(near))[1::2]
    table.remove(gone)
    rows = {id_: row for id_, row in rows.items() if id_ not in gone}
    view = view.advance(table)
    check(view, rows)
    check(view, rows, k=1)
    check(view, rows, k=len(rows) + 5)
    assert view.advance(table) is view


def test_more_is_fetched_until_enough_are_left(table: FusedTable, tmp_path: Path, rows: dict[str, np.ndarray]) -> None:
    view = build_view(tmp_path / "index", NAME, table)
    order = np.argsort(-(ROWS.astype(np.float64) @ QUERIES[0]))
    gone = [f"{i}" for i in order[:400]]  # all that the graph would name first
    table.remove(gone)
    view = view.advance(table)
    assert view.worn
    check(view, {id_: row for id_, row in rows.items() if id_ not in gone})
    table.remove([f"{i}" for i in order[400:597]])
    check(view.advance(table), {f"{i}": ROWS[i] for i in order[597:]})


def test_the_index_is_loaded_although_the_table_went_on(
    table: FusedTable, tmp_path: Path, rows: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    build_view(tmp_path / "index", NAME, table)
    monkeypatch.setattr(ApproximateIndex, "build", None)
    table.remove(["3", "5"])
    table.put(["7"], ROWS[:1])
    table.merge_files()
    other = FusedTable.open(str(tmp_path / "db"), NAME)
    view = load_view(tmp_path / "index", NAME, other)
    assert view is not None
    del rows["3"], rows["5"]
    check(view, rows | {"7": ROWS[0]})
    assert (view.version, len(view.tail), view.worn) == (other.version, 1, False)


def test_a_view_is_worn_by_a_tenth(table: FusedTable, tmp_path: Path) -> None:
    view = build_view(tmp_path / "index", NAME, table)
    table.remove([f"{i}" for i in range(60)])
    assert not view.advance(table).worn
    table.remove(["60"])
    assert view.advance(table).worn
    table.put([f"n{i}" for i in range(61)], ROWS[:61])
    assert not build_view(tmp_path / "index", NAME, table).worn


def damage_the_graph(folder: Path) -> None:
    data = bytearray((folder / "fused.faiss").read_bytes())
    data[len(data) // 2] ^= 4
    (folder / "fused.faiss").write_bytes(data)


def damage_the_stamps(folder: Path) -> None:
    stamps = np.load(folder / "fused.stamps.npy")
    np.save(folder / "fused.stamps.npy", stamps[::-1])


def cut_the_stamps(folder: Path) -> None:
    path = folder / "fused.stamps.npy"
    path.write_bytes(path.read_bytes()[:-9])


def empty_the_stamps(folder: Path) -> None:
    (folder / "fused.stamps.npy").write_bytes(b"")


def lose_the_stamps(folder: Path) -> None:
    (folder / "fused.stamps.npy").unlink()


def lose_the_sidecar(folder: Path) -> None:
    (folder / "fused.json").unlink()


@pytest.mark.parametrize(
    "harm",
    [damage_the_graph, damage_the_stamps, cut_the_stamps, empty_the_stamps, lose_the_stamps, lose_the_sidecar],
)
def test_a_damaged_index_counts_as_none_and_is_built_again(
    harm: object, table: FusedTable, tmp_path: Path, rows: dict[str, np.ndarray]
) -> None:
    build_view(tmp_path / "index", NAME, table)
    assert callable(harm)
    harm(tmp_path / "index")
    assert load_view(tmp_path / "index", NAME, table) is None
    check(build_view(tmp_path / "index", NAME, table), rows)
    assert load_view(tmp_path / "index", NAME, table) is not None


def test_few_rows_are_searched_exactly_and_leave_no_file(
    table: FusedTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: dict[str, np.ndarray]
) -> None:
    monkeypatch.setattr(disposable, "EXACT_BELOW", COUNT + 1)
    view = build_view(tmp_path / "index", NAME, table)
    assert (view.index, view.worn) == (None, False)
    check(view, rows)
    table.put(["one more"], ROWS[:1])
    assert view.advance(table).worn
    assert not (tmp_path / "index").exists()


def test_an_empty_table_answers_with_nothing(tmp_path: Path) -> None:
    view = build_view(tmp_path / "index", NAME, FusedTable.create(str(tmp_path / "db"), NAME, LAYOUT))
    check(view, {}, k=2)


def test_a_folder_that_cannot_be_written_leaves_the_index_in_memory(
    table: FusedTable, tmp_path: Path, rows: dict[str, np.ndarray], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "index").write_text("in the way")
    with caplog.at_level(logging.WARNING, "lookalike"):
        check(build_view(tmp_path / "index", NAME, table), rows)
    assert "built again next time" in caplog.text
    assert fused_index.load_view(tmp_path / "index", NAME, table) is None
