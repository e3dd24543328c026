"""A collection follows its folder: what is added, changed, moved, touched, removed, damaged."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lookalike.core.errors import ImageDecodeError, InputError, WorkspaceError
from lookalike.core.progress import Progress
from lookalike.embedding.collection import Collection
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.plan import IndexReport

MakePhoto = Callable[..., Path]


@pytest.fixture
def collection(photos: Path, tmp_path: Path, network: Path) -> Collection:
    made = Collection.create(tmp_path / ".lookalike", photos, f"onnx:{network}")
    assert made.sync().images == 24
    return made


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the batches that go through a network from here on."""
    sizes: list[int] = []
    forward = Encoder.forward
    monkeypatch.setattr(Encoder, "forward", lambda self, pixels: sizes.append(len(pixels)) or forward(self, pixels))
    return sizes


def counts(report: IndexReport) -> dict[str, int]:
    names = ("images", "added", "updated", "reused", "removed", "unchanged")
    return {name: value for name in names if (value := getattr(report, name))}


def content(collection: Collection) -> dict[str, tuple[object, ...]]:
    """Everything the table holds of the present images."""
    column = collection._column
    rows = collection._table.rows(column, collection._table.paths(column))
    return {
        path: (row.hash, row.size, row.mtime_ns, row.width, row.height, row.thumbnail, row.vector.tobytes())
        for path, row in rows.items()
    }


def test_a_second_run_does_nothing(collection: Collection, encoded: list[int]) -> None:
    before = content(collection)
    assert counts(collection.sync()) == {"images": 24, "unchanged": 24}
    assert encoded == []
    assert content(collection) == before


def test_new_and_changed_files_alone_are_encoded(
    collection: Collection, photos: Path, encoded: list[int], make_photo: MakePhoto
) -> None:
    before = content(collection)
    make_photo(photos / "new.jpg", 100)
    make_photo(photos / "a" / "000.jpg", 101)
    assert counts(collection.sync()) == {"images": 25, "added": 1, "updated": 1, "unchanged": 23}
    assert sum(encoded) == 2
    after = content(collection)
    assert after["a/000.jpg"][0] != before["a/000.jpg"][0]
    assert {path for path in before if before[path] != after[path]} == {"a/000.jpg"}


def test_moved_and_touched_files_keep_their_vectors(collection: Collection, photos: Path, encoded: list[int]) -> None:
    before = content(collection)
    shutil.move(photos / "a" / "000.jpg", photos / "c" / "moved.jpg")
    os.utime(photos / "b" / "001.jpg", (1, 1))
    assert counts(collection.sync()) == {"images": 24, "reused": 2, "removed": 1, "unchanged": 22}
    assert encoded == []
    after = content(collection)
    assert after["c/moved.jpg"][6] == before["a/000.jpg"][6]
    assert after["b/001.jpg"][2] == 1_000_000_000
    assert "a/000.jpg" not in after


def test_content_that_moved_while_its_old_place_was_overwritten(
    collection: Collection, photos: Path, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old place is encoded first, so the vector to reuse is gone when the new place asks for it."""
    monkeypatch.setattr("lookalike.embedding.writer.COMMIT_IMAGES", 1)
    monkeypatch.setattr("lookalike.embedding.encoder.Encoder.lanes", 1)
    before = content(collection)
    for number in range(0, 24, 3):
        name = f"{number:03}.jpg"
        shutil.copy(photos / "a" / name, photos / f"z{name}")
        make_photo(photos / "a" / name, 200 + number)
    collection.sync()
    after = content(collection)
    for number in range(0, 24, 3):
        name = f"{number:03}.jpg"
        np.testing.assert_allclose(
            np.frombuffer(after[f"z{name}"][6], np.float32),
            np.frombuffer(before[f"a/{name}"][6], np.float32),
            atol=1e-5,
        )
        assert after[f"a/{name}"][0] != before[f"a/{name}"][0]


def test_removed_files_are_not_found_and_come_back_without_encoding(
    collection: Collection, photos: Path, encoded: list[int]
) -> None:
    shutil.move(photos / "b", photos.parent / "away")
    assert counts(collection.sync()) == {"images": 16, "removed": 8, "unchanged": 16}
    assert not any(hit.image.startswith("b/") for hit in collection.search(photos / "a" / "000.jpg", k=24)[1:])
    encoded.clear()
    shutil.move(photos.parent / "away", photos / "b")
    assert counts(collection.sync()) == {"images": 24, "reused": 8, "unchanged": 16}
    assert encoded == []


def test_compacting_forgets_what_is_gone(collection: Collection, photos: Path) -> None:
    shutil.rmtree(photos / "b")
    collection.sync()
    before = content(collection)
    collection.compact()
    assert content(collection) == before
    assert len(Collection.open(collection.workspace.path)) == 16


def test_an_image_that_became_unreadable_is_listed_and_no_longer_found(collection: Collection, photos: Path) -> None:
    (photos / "a" / "000.jpg").write_bytes(b"\xff\xd8 broken")
    report = collection.sync()
    assert [entry.path for entry in report.rejected] == ["a/000.jpg"]
    assert report.images == 23
    assert [entry.path for entry in collection.rejected()] == ["a/000.jpg"]
    report = collection.sync()
    assert (report.images, len(report.rejected), report.unchanged) == (23, 1, 23)


def test_one_folder_alone_may_be_looked_at(collection: Collection, photos: Path, make_photo: MakePhoto) -> None:
    (photos / "a" / "bad.jpg").write_bytes(b"")
    collection.sync()
    make_photo(photos / "a" / "new.jpg", 300)
    make_photo(photos / "b" / "new.jpg", 301)
    (photos / "c" / "002.jpg").unlink()
    report = collection.sync(photos / "b")
    assert counts(report) == {"images": 25, "added": 1, "unchanged": 8}
    assert report.rejected == []
    assert [entry.path for entry in collection.rejected()] == ["a/bad.jpg"]


def test_single_files_are_added_and_nothing_is_marked_as_gone(
    collection: Collection, photos: Path, make_photo: MakePhoto, tmp_path: Path
) -> None:
    new = make_photo(photos / "new.jpg", 400)
    (photos / "a" / "000.jpg").unlink()
    report = collection.add([new, photos / "absent.jpg"])
    assert counts(report) == {"images": 25, "added": 1}
    assert [entry.path for entry in report.rejected] == ["absent.jpg"]
    with pytest.raises(InputError, match="is not inside"):
        collection.add([make_photo(tmp_path / "elsewhere.jpg", 1)])


def test_another_encoder_adds_a_column_and_keeps_the_first(
    collection: Collection, photos: Path, make_network: Callable[..., Path], tmp_path: Path, make_photo: MakePhoto
) -> None:
    before = content(collection)
    second = Collection.open(collection.workspace.path, f"onnx:{make_network(tmp_path / 'other.onnx', dim=5)}")
    with pytest.raises(InputError, match="run `lookalike index` with it first"):
        second.search(photos / "a" / "000.jpg")
    assert counts(second.sync()) == {"images": 24, "updated": 24}
    assert second.search(photos / "a" / "000.jpg", k=1)[0].image == "a/000.jpg"
    first = Collection.open(collection.workspace.path)
    assert content(first) == before
    make_photo(photos / "a" / "000.jpg", 500)
    second.sync()
    assert "a/000.jpg" not in content(Collection.open(collection.workspace.path))
    assert counts(Collection.open(collection.workspace.path).sync()) == {"images": 24, "updated": 1, "unchanged": 23}


def test_search_agrees_with_plain_distances(collection: Collection, photos: Path) -> None:
    files = sorted(photos.rglob("*.jpg"))
    features = collection.encoder.encode(files).astype(np.float64)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    distances = 1 - unit @ unit[5]
    hits = collection.search(files[5], k=24)
    assert [hit.image for hit in hits] == [files[i].relative_to(photos).as_posix() for i in np.argsort(distances)]
    np.testing.assert_allclose([hit.distance for hit in hits], np.sort(distances), atol=1e-5)
    np.testing.assert_allclose([hit.similarity + hit.distance for hit in hits], 1, atol=1e-5)


def test_a_query_may_be_a_path_a_picture_or_an_array(collection: Collection, photos: Path) -> None:
    path = photos / "a" / "000.jpg"
    with Image.open(path) as image:
        image.load()
    answers = [collection.search(query, k=3) for query in (path, str(path), image, np.asarray(image))]
    assert all([hit.image for hit in answer] == [hit.image for hit in answers[0]] for answer in answers)
    assert answers[0][0].image == "a/000.jpg"
    assert answers[0][0].distance < 1e-5


def test_bad_queries_are_clear_errors(collection: Collection, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    with pytest.raises(ImageDecodeError, match=r"empty\.jpg"):
        collection.search(tmp_path / "empty.jpg")
    with pytest.raises(InputError, match="k must be at least 1"):
        collection.search(photos / "a" / "000.jpg", k=0)
    assert len(collection.search(photos / "a" / "000.jpg", k=1000)) == 24


def test_creating_twice_and_opening_nothing(collection: Collection, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="holds a collection already"):
        Collection.create(collection.workspace.path, photos)
    with pytest.raises(WorkspaceError, match="there is no workspace"):
        Collection.open(tmp_path / "nowhere")
    with pytest.raises(InputError, match="does not exist: give a folder of photographs"):
        Collection.create(tmp_path / "w", tmp_path / "no-photos")


def test_a_lost_workspace_file_loses_no_vectors(collection: Collection, photos: Path, encoded: list[int]) -> None:
    collection.workspace.config_file.unlink()
    again = Collection.create(collection.workspace.path, photos, collection.encoder.name)
    assert counts(again.sync()) == {"images": 24, "unchanged": 24}
    assert encoded == []


def test_progress_counts_every_file_once(photos: Path, tmp_path: Path, network: Path) -> None:
    (photos / "bad.jpg").write_bytes(b"no picture")
    steps: list[Progress] = []
    made = Collection.create(tmp_path / "w", photos, f"onnx:{network}")
    made.sync(on_progress=steps.append)
    last = [step for step in steps if step.stage == "indexing"][-1]
    assert (last.done, last.total, last.rejected) == (25, 25, 1)


def test_a_network_that_gives_no_numbers_rejects_the_image(
    collection: Collection, photos: Path, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Encoder, "forward", lambda self, pixels: np.full((len(pixels), 8), np.nan, np.float32))
    make_photo(photos / "new.jpg", 600)
    os.utime(photos / "b" / "001.jpg", (1, 1))
    make_photo(photos / "a" / "000.jpg", 601)
    report = collection.sync()
    assert [entry.path for entry in report.rejected] == ["a/000.jpg", "new.jpg"]
    assert "no finite numbers" in report.rejected[0].reason
    assert report.images == 23, "the changed image must not be found by its old picture"
    with pytest.raises(ImageDecodeError, match="no finite numbers"):
        collection.search(photos / "new.jpg")


def test_an_image_that_one_encoder_cannot_take_stays_with_the_others(
    collection: Collection, make_network: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(collection)
    other = Collection.open(collection.workspace.path, f"onnx:{make_network(tmp_path / 'other.onnx', dim=5)}")
    forward = Encoder.forward

    def overflow(self: Encoder, pixels: np.ndarray) -> np.ndarray:
        found = forward(self, pixels)
        found[0] = np.nan
        return found

    monkeypatch.setattr(Encoder, "forward", overflow)
    report = other.sync()
    assert report.rejected
    assert report.images + report.without_vectors == 24
    assert content(Collection.open(collection.workspace.path)) == before


def test_two_open_collections_write_no_image_twice(
    photos: Path, tmp_path: Path, network: Path, make_photo: MakePhoto
) -> None:
    first = Collection.create(tmp_path / "w", photos, f"onnx:{network}")
    second = Collection.open(tmp_path / "w")
    assert counts(first.sync()) == {"images": 24, "added": 24}
    assert counts(second.sync()) == {"images": 24, "unchanged": 24}
    new = make_photo(photos / "new.jpg", 700)
    assert counts(first.add([new])) == {"images": 25, "added": 1}
    assert counts(second.add([new])) == {"images": 25, "unchanged": 1}
    assert len(second.search(new, k=100)) == 25


def test_a_file_named_twice_is_added_once(collection: Collection, photos: Path, make_photo: MakePhoto) -> None:
    new = make_photo(photos / "a" / "new.jpg", 701)
    assert counts(collection.add([new, photos / "b" / ".." / "a" / "new.jpg", str(new)])) == {"images": 25, "added": 1}


def test_a_link_inside_the_root_keeps_its_own_name(collection: Collection, photos: Path, make_photo: MakePhoto) -> None:
    elsewhere = make_photo(photos.parent / "elsewhere" / "far.jpg", 702)
    (photos / "link.jpg").symlink_to(elsewhere)
    (photos / "linked").symlink_to(elsewhere.parent)
    assert collection.add([photos / "link.jpg"]).images == 25
    assert counts(collection.sync(photos / "linked")) == {"images": 26, "reused": 1}
    assert counts(collection.sync()) == {"images": 26, "unchanged": 26}


def test_many_touched_files_cost_few_commits(collection: Collection, photos: Path) -> None:
    for path in photos.rglob("*.jpg"):
        os.utime(path, (5, 5))
    before = collection._table.version
    assert counts(collection.sync()) == {"images": 24, "reused": 24}
    assert collection._table.version - before <= 2


def test_a_damaged_file_that_stays_changes_nothing(collection: Collection, photos: Path) -> None:
    (photos / "a" / "000.jpg").write_bytes(b"")
    collection.sync()
    before = collection._table.version
    assert len(collection.sync().rejected) == 1
    assert collection._table.version == before


def test_a_large_file_is_hashed_and_decoded_from_disk(
    collection: Collection, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(collection)
    shutil.move(photos / "a" / "000.jpg", photos / "a" / "moved.jpg")
    monkeypatch.setattr("lookalike.embedding.fill.READ_WHOLE", 10)
    assert counts(collection.sync()) == {"images": 24, "reused": 1, "removed": 1, "unchanged": 23}
    fresh = Collection.create(photos.parent / "fresh", photos, collection.encoder.name)
    fresh.sync()
    expected = {path.replace("000", "moved") if path == "a/000.jpg" else path: row for path, row in before.items()}
    assert content(fresh) == expected
