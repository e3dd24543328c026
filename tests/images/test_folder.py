"""What a folder holds, and what it must not do to the scan."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from lookalike.core.errors import InputError
from lookalike.images.folder import scan

PNG = b"\x89PNG\r\n\x1a\n rest"


def fill(root: Path, *names: str, content: bytes = b"-") -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def paths(root: Path, **options: bool) -> list[str]:
    return [file.path for file in scan(root, **options).files]


def test_images_by_name_sorted_and_recursive(tmp_path: Path) -> None:
    fill(tmp_path, "b.JPG", "a.png", "deep/er/c.Jpeg", "deep/d.tiff", "é/ü.webp", "notes.txt", "x.jpg.part")
    found = scan(str(tmp_path))
    assert [file.path for file in found.files] == ["a.png", "b.JPG", "deep/d.tiff", "deep/er/c.Jpeg", "é/ü.webp"]
    assert found.ignored == 2
    assert found.rejected == []
    status = (tmp_path / "a.png").stat()
    assert (found.files[0].size, found.files[0].mtime_ns) == (1, status.st_mtime_ns)


def test_hidden_and_foreign_folders_are_skipped(tmp_path: Path) -> None:
    fill(tmp_path, ".hidden.jpg", ".lookalike/t.jpg", "__MACOSX/a.jpg", "._a.jpg", "sub/._b.jpg", "sub/b.jpg")
    found = scan(tmp_path)
    assert ([file.path for file in found.files], found.ignored) == (["sub/b.jpg"], 0)


def test_files_without_an_ending_are_looked_into(tmp_path: Path) -> None:
    fill(tmp_path, "picture", "also", content=PNG)
    fill(tmp_path, "README", "empty.", content=b"text")
    fill(tmp_path, "none", content=b"")
    found = scan(tmp_path)
    assert ([file.path for file in found.files], found.ignored) == (["also", "picture"], 3)


def test_links(tmp_path: Path) -> None:
    fill(tmp_path, "real/a.jpg", "real/z.txt")
    (tmp_path / "real" / "twin.jpg").symlink_to("a.jpg")
    (tmp_path / "real" / "up").symlink_to("..")
    (tmp_path / "again").symlink_to("real")
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "gone.txt").symlink_to("nowhere.txt")
    (tmp_path / "circle.png").symlink_to("circle.png")
    found = scan(tmp_path)
    assert [file.path for file in found.files] == ["real/a.jpg", "real/twin.jpg"]
    assert [(item.path, item.reason) for item in found.rejected] == [
        ("circle.png", "its links lead in a circle"),
        ("gone.jpg", "a broken link"),
    ]
    assert found.ignored == 2
    assert paths(tmp_path, follow_links=False) == ["real/a.jpg"]


def test_linked_folders_elsewhere_are_visited_once(tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere", "a.jpg", "in/b.jpg")
    root = tmp_path / "root"
    root.mkdir()
    (root / "one").symlink_to(tmp_path / "elsewhere")
    (root / "two").symlink_to(tmp_path / "elsewhere")
    assert len(paths(root)) == 2


def test_special_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device.png").symlink_to("/dev/null")
    found = scan(tmp_path)
    assert [(item.path, item.reason) for item in found.rejected] == [
        ("device.png", "a device, not a file"),
        ("pipe.jpg", "a named pipe, not a file"),
    ]
    assert (found.files, found.ignored) == ([], 1)


def test_names_that_are_not_unicode(tmp_path: Path) -> None:
    try:
        (Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.jpg"))).write_bytes(b"-")
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    found = scan(tmp_path)
    assert found.files == []
    assert "caf" in found.rejected[0].path
    found.rejected[0].path.encode("utf-8")
    assert "Unicode" in found.rejected[0].reason


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a.jpg", "locked/b.jpg")
    real = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = scan(tmp_path)
    assert [file.path for file in found.files] == ["a.jpg"]
    assert [(item.path, item.reason) for item in found.rejected] == [("locked", "folder: permission denied")]


def test_deeper_than_recursion_goes(tmp_path: Path) -> None:
    here, levels = Path.cwd(), sys.getrecursionlimit() + 50
    try:
        os.chdir(tmp_path)
        for _ in range(levels):
            Path("d").mkdir()
            os.chdir("d")
        fill(Path(), "a.jpg")
        found = scan(tmp_path)
        Path("a.jpg").unlink()
        for _ in range(levels):
            os.chdir("..")
            Path("d").rmdir()
    finally:
        os.chdir(here)
    assert [file.path for file in found.files] == ["d/" * levels + "a.jpg"]
    assert found.rejected == []


def test_paths_longer_than_the_system_takes(tmp_path: Path) -> None:
    here = Path.cwd()
    fill(tmp_path, "a.jpg")
    try:
        os.chdir(tmp_path)
        for _ in range(30):
            Path("d" * 200).mkdir()
            os.chdir("d" * 200)
        found = scan(tmp_path)
    finally:
        os.chdir(here)
    assert [file.path for file in found.files] == ["a.jpg"]
    assert [item.reason for item in found.rejected] == ["folder: the name is too long"]


@pytest.mark.parametrize("name", ["missing", "file.jpg", "a\0b"])
def test_what_is_no_folder(tmp_path: Path, name: str) -> None:
    fill(tmp_path, "file.jpg")
    with pytest.raises(InputError) as caught:
        scan(f"{tmp_path}/{name}")
    assert "\n" not in str(caught.value)


def test_many_files_are_quick(tmp_path: Path) -> None:
    for index in range(1000):
        os.close(os.open(tmp_path / f"{index}.jpg", os.O_CREAT | os.O_WRONLY))
    started = time.perf_counter()
    assert len(scan(tmp_path).files) == 1000
    assert time.perf_counter() - started < 2
