"""Filters, pages and several pictures at once over a collection, against brute force."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.core.errors import InputError
from lookalike.core.vectors import unit_rows
from lookalike.core.workspace import Workspace
from lookalike.embedding import searching
from lookalike.embedding.collection import Collection
from lookalike.search import disposable, fused_view

COUNT = 60


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of three folders and several sizes, every fifth a copy of the one before."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("photos")
    last = None
    for number in range(COUNT):
        coarse = rng.integers(0, 255, (5, 5, 3), np.uint8)
        size = (48 + 8 * (number % 4), 64)
        picture = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
        if last is not None and number % 5 == 0:
            picture = last
        path = folder / ("a", "a/b", "c")[number % 3] / f"{number:02}.{'png' if number % 2 else 'bmp'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
        last = picture
    return folder


@pytest.fixture(scope="module")
def workspace(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("made") / "workspace"
    Collection.create(made, root=photos).sync()
    return made


@pytest.fixture(autouse=True)
def no_graph(workspace: Path) -> None:
    """An index that another test has built would be loaded, however few the images are."""
    shutil.rmtree(Workspace(workspace).index_folder, ignore_errors=True)


@pytest.fixture(params=["exact", "graph, few", "graph, many"])
def collection(workspace: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Collection:
    """The same images searched one by one, or by a graph."""
    if request.param != "exact":
        monkeypatch.setattr(disposable, "EXACT_BELOW", 10)
        few = 1000 if request.param == "graph, few" else 0
        monkeypatch.setattr(searching, "FEW", few)
        monkeypatch.setattr(fused_view, "FEW", few)
    return Collection.open(workspace)


def brute(collection: Collection, asked: np.ndarray, fits) -> list[tuple[float, str]]:
    paths, vectors = collection._table.vectors(collection._column)
    apart = 1 - vectors.astype(np.float64) @ asked.astype(np.float64)
    return sorted((at, path) for at, path in zip(apart.tolist(), paths, strict=True) if fits(path))


FILTERS = {
    "folder = 'a'": lambda path: path.startswith("a/"),
    "folder glob 'a' and width >= 56": lambda path: path.count("/") == 1 and path[0] == "a" and wide(path) >= 56,
    "name like '1%' or format = 'png'": lambda path: path.split("/")[-1][0] == "1" or path.endswith("png"),
    "width > 1000": lambda _: False,
    "height = 64": lambda _: True,
}


def wide(path: str) -> int:
    number = int(Path(path).stem)
    while number and number % 5 == 0:
        number -= 1
    return 48 + 8 * (number % 4)


@pytest.mark.parametrize("where", FILTERS)
def test_filtered_searches_are_those_of_brute_force(collection: Collection, photos: Path, where: str) -> None:
    query = photos / "c" / "05.png"
    expected = brute(collection, collection.encoder.vector(query), FILTERS[where])
    hits = collection.search(query, 10, where=where)
    np.testing.assert_allclose([hit.distance for hit in hits], [max(0, at) for at, _ in expected[:10]], atol=2e-4)
    assert len({hit.image for hit in hits}) == len(hits)
    assert all(FILTERS[where](hit.image) for hit in hits)
    pages = [collection.search(query, 7, where, offset) for offset in range(0, 77, 7)]
    assert sorted(hit.image for page in pages for hit in page) == sorted(path for _, path in expected)
    assert pages[0] == hits[:7]


def test_pages_of_an_exact_search_are_in_order_of_distance_and_path(workspace: Path, photos: Path) -> None:
    collection = Collection.open(workspace)
    whole = collection.search(photos / "a" / "00.bmp", COUNT)
    assert [(hit.distance, hit.image) for hit in whole] == sorted((hit.distance, hit.image) for hit in whole)
    assert len({hit.distance for hit in whole}) < COUNT  # copies
    for k in (1, 4, 9):
        pages = [collection.search(photos / "a" / "00.bmp", k, offset=at) for at in range(0, COUNT + k, k)]
        assert [hit for page in pages for hit in page] == whole


def test_many_queries_are_answered_as_one_by_one(collection: Collection, photos: Path) -> None:
    queries = sorted(photos.rglob("*.png"))[:5]
    found = collection.search_many(queries, 4, where="folder = 'a'", offset=1)
    for query, hits in zip(queries, found, strict=True):
        alone = collection.search(query, 4, "folder = 'a'", 1)
        np.testing.assert_allclose([hit.distance for hit in hits], [hit.distance for hit in alone], atol=1e-5)
    assert collection.search_many([]) == []


def test_like_these_and_not_like_those(workspace: Path, photos: Path) -> None:
    collection = Collection.open(workspace)
    like, unlike = [photos / "a" / "03.png", photos / "a" / "06.bmp"], [photos / "c" / "02.bmp"]
    rows = unit_rows(collection.encoder.encode([*like, *unlike])).astype(np.float64)
    asked = rows[:2].mean(axis=0) - 0.7 * rows[2]
    expected = brute(collection, asked / np.linalg.norm(asked), lambda _: True)
    hits = collection.search_like(like, unlike, k=12, against=0.7)
    np.testing.assert_allclose([hit.distance for hit in hits], [at for at, _ in expected[:12]], atol=1e-5)
    alone, one = collection.search_like(like[:1], k=5), collection.search(like[0], 5)
    assert [hit.image for hit in alone] == [hit.image for hit in one]
    assert [hit.distance for hit in alone] == pytest.approx([hit.distance for hit in one], abs=1e-6)
    with pytest.raises(InputError, match="must be liked"):
        collection.search_like([], unlike)


def test_what_was_written_since_is_filtered_too(workspace: Path, photos: Path) -> None:
    collection = Collection.open(workspace)
    query, where = photos / "a" / "03.png", "name like 'new%'"
    assert collection.search(query, where=where) == []
    added = photos / "c" / "new.png"
    Image.open(query).save(added)
    collection.add([added])
    assert [hit.image for hit in collection.search(query, where=where)] == ["c/new.png"]
    added.unlink()
    collection.sync()
    assert collection.search(query, where=where) == []


def test_bad_questions_are_one_line(workspace: Path, photos: Path) -> None:
    collection = Collection.open(workspace)
    with pytest.raises(InputError, match="there is no column 'widht', at character 1"):
        collection.search(photos / "a" / "03.png", where="widht > 3")
    with pytest.raises(InputError, match="offset must be at least 0"):
        collection.search(photos / "a" / "03.png", offset=-1)


def test_vectors_made_elsewhere_are_filtered_by_the_images_of_their_ids(
    collection: Collection, workspace: Path, tmp_path: Path
) -> None:
    paths, _ = collection._table.vectors(collection._column)
    rng = np.random.default_rng(3)
    ids = [*paths, *(f"else{number}" for number in range(20))]
    rows = {"x": unit_rows(rng.normal(size=(len(ids), 6))), "y": unit_rows(rng.normal(size=(len(ids), 5)))}
    collection.add_vectors(ids, rows)
    queries = {name: rng.normal(size=(3, own.shape[1])) for name, own in rows.items()}
    weights = np.array([[1, 0.1], [0.2, 0.9], [0.5, 0.5]])
    for where, fits in FILTERS.items():
        kept = [row for row, id_ in enumerate(ids) if id_ in paths and fits(id_)]
        found, distances = collection.search_vectors(queries, weights, 8, where=where, offset=2)
        for q in range(3):
            apart = sum(
                weights[q, number] * (1 - rows[name][kept] @ queries[name][q] / np.linalg.norm(queries[name][q]))
                for number, name in enumerate(rows)
            )
            own = found[q][found[q] != ""].tolist()
            assert set(own) <= {ids[row] for row in kept}
            np.testing.assert_allclose(distances[q, : len(own)], np.sort(apart)[2:10], atol=1e-3)
    everything = collection.search_vectors(queries, weights, 500)[0][0]
    pages = [collection.search_vectors(queries, weights, 9, offset=at)[0][0] for at in range(0, 90, 9)]
    listed = [id_ for page in pages for id_ in page.tolist() if id_]
    assert sorted(listed) == sorted(everything[everything != ""].tolist()) == sorted(ids)
