"""Vectors made elsewhere: added, replaced, removed and searched, against a dictionary and a plain loop."""

import logging
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lookalike.core.errors import InputError, LookalikeError, StorageError, UnknownNameError, WorkspaceError
from lookalike.embedding import fused_collection
from lookalike.embedding.collection import Collection
from lookalike.embedding.fused_collection import FusedVectors
from lookalike.search import disposable, fused_reduction
from lookalike.search.approximate import ApproximateIndex

DIMS = {"a": 6, "b": 11}
Vectors = dict[str, np.ndarray]


def vectors(count: int, seed: int) -> Vectors:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=(count, dim)) for name, dim in DIMS.items()}


def expected(rows: dict[str, Vectors], queries: Vectors, weights: np.ndarray) -> list[dict[str, float]]:
    """The distance of every query to every id as it is defined, model by model in float64."""
    found: list[dict[str, float]] = []
    for q in range(len(weights)):
        found.append({})
        for id_, row in rows.items():
            cosines = [
                queries[name][q] @ row[name] / np.linalg.norm(queries[name][q]) / np.linalg.norm(row[name])
                for name in DIMS
            ]
            found[q][id_] = float(weights[q] @ (1 - np.array(cosines)))
    return found


def check(collection: Collection | FusedVectors, rows: dict[str, Vectors], seed: int, k: int = 5) -> None:
    """Hold a search under strongly differing weights against the plain loop."""
    queries, weights = vectors(4, seed), np.random.default_rng(seed).exponential(size=(4, 2)) ** 4 + 1e-3
    search = collection.search_vectors if isinstance(collection, Collection) else collection.search
    ids, distances = search(queries, weights, k)
    assert (ids.shape, distances.shape, distances.dtype) == ((4, k), (4, k), np.float32)
    for q, apart in enumerate(expected(rows, queries, weights)):
        held = min(k, len(rows))
        tolerance = 2e-3 * weights[q].sum()
        np.testing.assert_allclose(distances[q, :held], sorted(apart.values())[:held], atol=tolerance)
        np.testing.assert_allclose(distances[q, :held], [apart[one] for one in ids[q, :held].tolist()], atol=tolerance)
        assert (ids[q, held:] == "").all()
        assert np.isinf(distances[q, held:]).all()


@pytest.fixture
def collection(tmp_path: Path) -> Collection:
    return Collection.create(tmp_path / "w")


@pytest.fixture
def small_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disposable, "EXACT_BELOW", 60)


@pytest.mark.usefixtures("small_graphs")
def test_any_sequence_of_writes_is_seen_by_the_next_search(collection: Collection) -> None:
    rng, rows = np.random.default_rng(0), {}
    other = None
    for step in range(24):
        if step % 3 < 2:
            ids = rng.choice([f"i{n}" for n in range(150)], size=int(rng.integers(1, 40)), replace=False)
            made = vectors(len(ids), step)
            (other if other is not None and step % 2 else collection).add_vectors(ids, made)
            rows |= {id_: {name: made[name][at] for name in DIMS} for at, id_ in enumerate(ids.tolist())}
        else:
            gone = rng.choice(list(rows), size=len(rows) // 4, replace=False)
            collection.remove_vectors(gone)
            rows = {id_: row for id_, row in rows.items() if id_ not in gone}
        other = other or Collection.open(collection.workspace.path)
        check(collection, rows, step)
        check(other, rows, step)
    collection.prepare_vectors()
    collection.compact()
    check(collection, rows, 99)
    check(Collection.open(collection.workspace.path), rows, 99, k=len(rows) + 2)


@pytest.mark.usefixtures("small_graphs")
def test_a_worn_index_is_built_anew_while_the_old_one_answers(
    collection: Collection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first, more = vectors(100, 0), vectors(30, 1)
    collection.add_vectors([f"x{n}" for n in range(100)], first)
    rows = {f"x{n}": {name: first[name][n] for name in DIMS} for n in range(100)}
    check(collection, rows, 0)
    go, build = threading.Event(), fused_collection.build_view

    def slowly(*arguments: object) -> object:
        go.wait(30)
        return build(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(fused_collection, "build_view", slowly)
    collection.add_vectors([f"y{n}" for n in range(30)], more)
    rows |= {f"y{n}": {name: more[name][n] for name in DIMS} for n in range(30)}
    given = collection._given
    assert given is not None
    check(collection, rows, 1)  # before it is built …
    assert len(given._view.tail) == 30
    late = vectors(1, 3)
    collection.add_vectors(["late"], late)
    rows["late"] = {name: late[name][0] for name in DIMS}
    check(collection, rows, 1)
    go.set()
    collection.prepare_vectors()  # … and after
    assert isinstance(given._view.index, ApproximateIndex)
    assert len(given._view.tail) <= 1
    check(collection, rows, 1)

    def never(*arguments: object) -> object:
        raise StorageError("no room")

    monkeypatch.setattr(fused_collection, "build_view", never)
    collection.remove_vectors([f"x{n}" for n in range(50)])
    rows = {id_: row for id_, row in rows.items() if id_[0] != "x" or int(id_[1:]) >= 50}
    with caplog.at_level(logging.WARNING, "lookalike"):
        for _ in range(3):
            check(collection, rows, 2)
            building = given._building
            if building is not None:
                building.join()
    assert caplog.text.count("stays as it was: no room") == 1


def test_searches_from_several_threads_while_rows_are_written(collection: Collection) -> None:
    made = vectors(40, 0)
    collection.add_vectors(["first"], {name: made[name][:1] for name in DIMS})
    troubles: list[BaseException] = []
    done = threading.Event()

    def search() -> None:
        try:
            while not done.is_set():
                ids, _ = collection.search_vectors({name: made[name][:2] for name in DIMS}, [1, 1], 50)
                assert ids[0, 0] == "first"
        except BaseException as error:
            troubles.append(error)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(1, 12):
        collection.add_vectors([f"{n}"], {name: made[name][n : n + 1] for name in DIMS})
    done.set()
    for thread in threads:
        thread.join()
    assert troubles == []


def test_a_collection_of_vectors_alone_has_no_photographs(collection: Collection) -> None:
    again = Collection.open(collection.workspace.path)
    assert len(again) == 0
    for ask in (
        lambda: again.root,
        lambda: again.encoder,
        lambda: again.search("x.jpg"),
        again.sync,
        again.duplicates,
    ):
        with pytest.raises(WorkspaceError, match="holds vectors alone"):
            ask()
    with pytest.raises(WorkspaceError, match="holds a collection already"):
        Collection.create(collection.workspace.path)


def test_photographs_and_vectors_live_side_by_side(tmp_path: Path, photos: Path) -> None:
    made = Collection.create(tmp_path / "w", photos)
    made.sync()
    made.add_vectors(["elsewhere"], vectors(1, 0))
    made.compact()
    assert made.search(photos / "a" / "000.jpg", 1)[0].image == "a/000.jpg"
    assert made.search_vectors(vectors(1, 0), [1, 1], 1)[0].tolist() == [["elsewhere"]]


def test_models_beyond_the_budget_are_reduced_by_the_first_call(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused_reduction, "SAMPLE_AT_LEAST", 50)
    rng = np.random.default_rng(0)
    made = {name: rng.normal(size=(50, 3)) @ rng.normal(size=(3, 40)) for name in ("a", "b")}
    with pytest.raises(InputError, match=r"80 numbers an image become 20 .* give 50 of them at once, not 9"):
        collection.add_vectors([f"{n}" for n in range(9)], {name: rows[:9] for name, rows in made.items()}, budget=20)
    collection.add_vectors([f"{n}" for n in range(50)], made, budget=20)
    assert collection._given is not None
    assert collection._given.layout.models[0].kept < 20
    assert collection._given.dims == {"a": 40, "b": 40}
    queries = {name: rows[:3] for name, rows in made.items()}
    ids, distances = Collection.open(collection.workspace.path).search_vectors(queries, [0.1, 3], 1)
    assert ids.ravel().tolist() == ["0", "1", "2"]
    np.testing.assert_allclose(distances, 0, atol=3e-3)


Wrong = Callable[[Collection], object]
REFUSED: dict[str, tuple[Wrong, str]] = {
    "unknown": (lambda c: c.add_vectors(["x"], vectors(1, 0) | {"c": [[1]]}), "there is no model 'c'"),
    "missing": (lambda c: c.search_vectors({"a": vectors(1, 0)["a"]}, [1]), "'b' are missing: give those of a, b"),
    "dim": (lambda c: c.add_vectors(["x"], {"a": [[1, 2]], "b": [[1]]}), r"'a' have the shape \(1, 2\).*\(N, 6\)"),
    "count": (lambda c: c.add_vectors(["x", "y"], vectors(3, 0)), "2 ids beside 3 vectors"),
    "twice": (lambda c: c.add_vectors(["x", "y", "x"], vectors(3, 0)), "the id 'x' stands twice"),
    "number": (lambda c: c.add_vectors([1, 2], vectors(2, 0)), "ids are a sequence of texts"),  # type: ignore[list-item]
    "empty": (lambda c: c.add_vectors(["x", ""], vectors(2, 0)), "texts that are not empty"),
    "text": (lambda c: c.remove_vectors("x"), "ids are a sequence of texts"),
    "finite": (lambda c: c.add_vectors(["x"], {"a": [[np.nan] * 6], "b": [[1] * 11]}), "row 0 of .* 'a' is not finite"),
    "negative": (lambda c: c.search_vectors(vectors(1, 0), [1, -1]), "not negative"),
    "weights": (lambda c: c.search_vectors(vectors(1, 0), [1]), r"weights of shape \(1,\): give \(2,\)"),
    "k": (lambda c: c.search_vectors(vectors(1, 0), [1, 1], 0), "k must be at least 1, not 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_input_is_one_clear_line_and_changes_nothing(case: str, collection: Collection) -> None:
    made = vectors(1, 0)
    collection.add_vectors(["there"], made)
    call, message = REFUSED[case]
    with pytest.raises(LookalikeError, match=message) as error:
        call(collection)
    assert "\n" not in str(error.value)
    assert isinstance(error.value, InputError)
    assert isinstance(error.value, UnknownNameError) == (case == "unknown")
    assert collection.search_vectors(made, [1, 1], 3)[0].tolist() == [["there", "", ""]]


def test_a_first_call_that_is_wrong_decides_nothing(collection: Collection) -> None:
    for wrong, made in ((["x", "x"], vectors(2, 0)), (["x"], {"a": [[np.inf]]}), (["x"], {}), (["x"], {"a": []})):
        with pytest.raises(InputError):
            collection.add_vectors(wrong, made)
    with pytest.raises(InputError, match="add some by add_vectors first"):
        collection.search_vectors(vectors(1, 0), [1, 1])
    collection.add_vectors(["x"], vectors(1, 0))


KILLED = textwrap.dedent("""
    import os, sys
    import numpy as np
    import lookalike.search.disposable as disposable
    from lookalike.embedding.collection import Collection
    from lookalike.search.approximate import ApproximateIndex

    disposable.EXACT_BELOW = 60
    step = sys.argv[2]
    if step == "building":
        build = ApproximateIndex.build
        ApproximateIndex.build = lambda *arguments, **named: os._exit(9)
    if step == "saving":
        disposable.write_json = lambda *arguments: os._exit(9)
    if step == "stamps":
        import lookalike.search.fused_index as fused_index
        fused_index.np.save = lambda *arguments, **named: os._exit(9)
    rng = np.random.default_rng(0)
    made = {"a": rng.normal(size=(90, 6)), "b": rng.normal(size=(90, 11))}
    collection = Collection.open(sys.argv[1])
    collection.add_vectors([f"{n}" for n in range(90)], made)
    if step == "written":
        os._exit(9)
    collection.prepare_vectors()
""")


@pytest.mark.parametrize("step", ["written", "building", "saving", "stamps"])
@pytest.mark.usefixtures("small_graphs")
def test_a_process_killed_between_two_steps_loses_nothing(step: str, collection: Collection) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(collection.workspace.path), step], check=False)
    assert killed.returncode == 9
    made = vectors(90, 0)
    check(collection, {f"{n}": {name: made[name][n] for name in DIMS} for n in range(90)}, 1)
    assert not list(collection.workspace.index_folder.glob(".*.faiss"))


def test_what_rows_were_made_of_and_each_models_own_distance(tmp_path: Path) -> None:
    from lookalike.search.fused import FusedLayout, FusedModel

    layout = FusedLayout([FusedModel(name, dim) for name, dim in DIMS.items()])
    fused = FusedVectors.create(str(tmp_path), "fused_x", tmp_path / "index", layout)
    made = vectors(3, 0)
    fused.add(["x", "y", "z"], made, np.array([5, 6, 7]))
    fused.remove(["y"])
    assert (fused.held(), len(fused), fused.dims) == ({"x": 5, "z": 7}, 2, DIMS)
    apart = fused.distances({name: made[name][:1] for name in DIMS}, ["z", "y", "x"])
    np.testing.assert_allclose(apart[2], 0, atol=1e-3)
    assert np.isnan(apart[1]).all()
    unit = {name: made[name] / np.linalg.norm(made[name], axis=1, keepdims=True) for name in DIMS}
    np.testing.assert_allclose(apart[0], [1 - unit[name][0] @ unit[name][2] for name in DIMS], atol=1e-3)
