"""Files go into the trash only as a dry run has listed them, and come back as they were."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lookalike.core.errors import InputError, UnknownNameError, WorkspaceError
from lookalike.embedding.collection import Collection
from lookalike.jobs.trash import dry_run, list_trash, put_back, trash


@pytest.fixture
def collection(photos: Path) -> Collection:
    collection = Collection.create(photos.parent / ".lookalike", photos)
    collection.sync()
    return collection


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


GOING = ["a/000.jpg", "b/001.jpg"]


def test_what_the_dry_run_lists_goes_and_comes_back_as_it_was(collection: Collection, photos: Path) -> None:
    place, before = collection.workspace.path, files(photos)
    planned = dry_run(place, [*GOING, GOING[0]])
    assert [(one.image, one.bytes) for one in planned.files] == [(name, len(before[name][0])) for name in GOING]
    assert planned.refused == {}
    assert files(photos) == before
    assert list_trash(place) == []
    gone = trash(place, GOING, planned.confirm, by="ann")
    assert files(photos) == {name: kept for name, kept in before.items() if name not in GOING}
    assert len(Collection.open(place)) == 22
    assert list_trash(place) == [gone]
    assert gone.by == "ann"
    assert put_back(place, gone.id) == GOING
    assert files(photos) == before
    assert len(Collection.open(place)) == 24
    assert list_trash(place) == []
    assert Collection.open(place).sync().unchanged == 24


def test_nothing_goes_but_what_was_listed(collection: Collection, photos: Path) -> None:
    place, before = collection.workspace.path, files(photos)
    confirm = dry_run(place, GOING).confirm
    for images, said in ((GOING, ""), (GOING, "0" * 32), ([*GOING, "c/002.jpg"], confirm), (GOING[:1], confirm)):
        with pytest.raises(InputError, match="not the files that the dry run has listed"):
            trash(place, images, said)
    os.utime(photos / GOING[0], ns=(1, 1))
    assert "has changed" in dry_run(place, GOING).refused[GOING[0]]
    with pytest.raises(InputError, match="dry run"):
        trash(place, GOING, confirm)
    assert set(files(photos)) == set(before)
    with pytest.raises(InputError, match="say which ones"):
        dry_run(place, [])


def test_only_files_of_the_collection_go(collection: Collection, photos: Path, tmp_path: Path) -> None:
    place = collection.workspace.path
    (tmp_path / "secret.jpg").write_bytes((photos / GOING[0]).read_bytes())
    (photos / "beside.txt").write_text("not indexed")
    asked = ["../secret.jpg", str(tmp_path / "secret.jpg"), "beside.txt", "a", "", "a/../a/000.jpg", "a\0"]
    planned = dry_run(place, asked)
    assert planned.files == []
    assert set(planned.refused.values()) == {"the collection holds no such image"}
    (photos / GOING[1]).unlink()
    assert "not there" in dry_run(place, GOING).refused[GOING[1]]


@pytest.mark.skipif(os.name != "posix", reason="links need a permission elsewhere")
def test_a_folder_that_leads_out_is_left_alone(collection: Collection, photos: Path, tmp_path: Path) -> None:
    place = collection.workspace.path
    (photos / "a").rename(tmp_path / "moved")
    (photos / "a").symlink_to(tmp_path / "moved")
    assert "leads out" in dry_run(place, GOING[:1]).refused[GOING[0]]


@pytest.mark.skipif(os.name != "posix", reason="links need a permission elsewhere")
def test_of_a_link_the_link_goes(photos: Path, tmp_path: Path) -> None:
    (photos / "a" / "000.jpg").rename(tmp_path / "original.jpg")
    (photos / "a" / "000.jpg").symlink_to(tmp_path / "original.jpg")
    place = tmp_path / ".lookalike"
    Collection.create(place, photos).sync()
    gone = trash(place, GOING[:1], dry_run(place, GOING[:1]).confirm)
    assert not (photos / GOING[0]).exists()
    assert (tmp_path / "original.jpg").exists()
    put_back(place, gone.id)
    assert (photos / GOING[0]).is_symlink()


def test_nothing_is_written_over(collection: Collection, photos: Path) -> None:
    place = collection.workspace.path
    gone = trash(place, GOING, dry_run(place, GOING).confirm)
    (photos / GOING[1]).write_bytes(b"new")
    with pytest.raises(InputError, match=r"another file is at b/001\.jpg"):
        put_back(place, gone.id)
    assert not (photos / GOING[0]).exists()
    (photos / GOING[1]).unlink()
    assert put_back(place, gone.id) == GOING
    with pytest.raises(UnknownNameError):
        put_back(place, gone.id)
    for odd in ("../..", "", "/etc"):
        with pytest.raises(UnknownNameError):
            put_back(place, odd)


def test_it_waits_for_nobody_who_writes(collection: Collection, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = collection.workspace.path
    confirm = dry_run(place, GOING).confirm
    with collection.workspace.lock(), pytest.raises(WorkspaceError, match="another lookalike is writing"):
        trash(place, GOING, confirm)
    monkeypatch.setenv("LOOKALIKE_READ_ONLY", "1")
    with pytest.raises(WorkspaceError, match="read-only"):
        trash(place, GOING, confirm)
    assert (photos / GOING[0]).exists()
