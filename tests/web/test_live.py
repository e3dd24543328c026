"""The collection held open: one version at a time, the newest within a second, the last good one in trouble."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lookalike.core.errors import InputError, WorkspaceError
from lookalike.core.workspace import WorkspaceConfig
from lookalike.embedding.collection import Collection
from lookalike.jobs import live_newest, live_view
from lookalike.jobs.live import LiveCollection, NotHeldError, Upload
from lookalike.search.store import ImageTable


@pytest.fixture
def collection(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Collection:
    monkeypatch.setattr(live_newest, "CHECK_SECONDS", 0.0)
    collection = Collection.create(photos.parent / ".lookalike", photos)
    collection.sync()
    return collection


def test_a_list_of_thumbnails_is_one_scan(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveCollection(collection.workspace.path)
    scans: list[int] = []
    read = ImageTable.thumbnails

    def counted(self: ImageTable, paths: list[str]) -> dict[str, bytes]:
        scans.append(len(paths))
        return read(self, paths)

    monkeypatch.setattr(ImageTable, "thumbnails", counted)
    found, total = live.images("", 20)
    assert (len(found), total) == (20, 24)
    expected = collection.thumbnails(found)
    scans.clear()
    assert {image: live.thumbnail(image) for image in found} == expected
    assert scans == [20]


def test_few_thumbnails_are_kept(collection: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_view, "THUMBNAILS_KEPT", 5)
    live = LiveCollection(collection.workspace.path)
    images, _ = live.images("", 24)
    assert all(live.thumbnail(image) for image in images)
    assert len(live._newest.last.kept) <= 5


def test_it_follows_new_images_removed_images_and_another_encoder(
    collection: Collection, photos: Path, network: Path, make_photo: Callable[..., Path]
) -> None:
    live = LiveCollection(collection.workspace.path)
    assert (len(live), live.encoder) == (24, "compact")
    make_photo(photos / "new.jpg", 99)
    (photos / "a" / "000.jpg").unlink()
    collection.sync()
    assert live.images("c/023.jpg", 5) == (["new.jpg"], 24)
    assert live.thumbnail("a/000.jpg") is None
    with pytest.raises(NotHeldError, match=r"holds no image a/000\.jpg"):
        live.search(["a/000.jpg"], k=3)
    name = f"onnx:{network}"
    Collection.open(collection.workspace.path, name).sync()
    collection.workspace.configure(WorkspaceConfig(str(photos), name))
    hits = live.search(["new.jpg"], k=3)
    assert hits[0].image == "new.jpg"
    assert live.encoder == name


def test_in_trouble_it_serves_what_it_had_and_says_so_once(
    collection: Collection, caplog: pytest.LogCaptureFixture
) -> None:
    live = LiveCollection(collection.workspace.path)
    shutil.rmtree(collection.workspace.path)
    with caplog.at_level(logging.WARNING, "lookalike"):
        assert [len(live) for _ in range(3)] == [24, 24, 24]
    assert [record.getMessage().startswith("the collection is served as it was") for record in caplog.records] == [True]


def test_a_slow_new_version_keeps_nobody_waiting(
    collection: Collection, photos: Path, make_photo: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    live = LiveCollection(collection.workspace.path)
    built, opened = threading.Event(), live_newest._open

    def slow(*given: object) -> object:
        built.wait(10)
        return opened(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(live_newest, "_open", slow)
    monkeypatch.setattr(live_newest, "PATIENCE_SECONDS", 0.05)
    make_photo(photos / "new.jpg", 99)
    collection.sync()
    assert len(live) == 24
    looking = live._newest._looking
    assert looking is not None
    built.set()
    looking.join(10)
    assert len(live) == 25


def test_a_workspace_without_images_can_be_served_and_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="there is no workspace"):
        LiveCollection(tmp_path / "none")
    live = LiveCollection(Collection.create(tmp_path / "empty", tmp_path).workspace.path)
    assert (len(live), live.images("", 10)) == (0, ([], 0))
    with pytest.raises(InputError, match="has no images yet"):
        live.search([Upload("red.png", _png())], k=3)


def _png() -> bytes:
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (32, 32), (200, 0, 0)).save(file, "PNG")
    return file.getvalue()
