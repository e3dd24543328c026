"""Archives and tables of pictures: what is found in them, sound or damaged, and how little of them is read."""

import io
import tarfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from lookalike.core.errors import ImageDecodeError, InputError
from lookalike.core.progress import silent
from lookalike.images.folder import FolderScan, ImageFile
from lookalike.images.sources import ahead
from lookalike.images.sources.ahead import fetched
from lookalike.images.sources.base import WHOLE, ImageSource, Part
from lookalike.images.sources.opening import open_source


def look(source: ImageSource, keep: Path) -> FolderScan:
    return source.look(WHOLE, keep, silent)


def held(source: ImageSource, found: FolderScan) -> dict[str, Any]:
    contents = list(source.contents(found.files))
    assert [file for file, _ in contents] == found.files
    read = {file.path: c() if callable(c) else c for file, c in contents}
    return {path: c.reason if isinstance(c, ImageDecodeError) else c for path, c in read.items()}


def write_tar(path: Path, members: dict[str, bytes], **kind: Any) -> Path:
    with tarfile.open(path, "w", **kind) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_picture_of_a_sample_is_found_by_its_key(tmp_path: Path, kind: int) -> None:
    long = "folder/" * 20 + "k"
    members = {
        "./a/1.jpg": b"one", "a/1.json": b"{}", "a/1.mask.png": b"mask", "a/2.cls": b"7", "a/2.PNG": b"two",
        "photo.1.jpg": b"p1", "photo.2.jpg": b"p2", "a/.3.jpg": b"hidden", "__MACOSX/4.jpg": b"", "empty.jpg": b"",
        f"{long}.webp": b"long",
    }  # fmt: skip
    source = open_source(write_tar(tmp_path / "s.tar", members, format=kind))
    found = look(source, tmp_path)
    expected = {"a/1": b"one", "a/2": b"two", "photo.1": b"p1", "photo.2": b"p2", "empty": b"", long: b"long"}
    assert held(source, found) == {f"s.tar/{key}": data for key, data in expected.items()}
    assert (found.ignored, found.rejected) == (5, [])


def test_links_and_keys_that_come_again_are_left_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        for name, data in (("1.jpg", b"first"), ("2.json", b""), ("1.jpeg", b"second")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("secret.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    source = open_source(tmp_path / "s.tar")
    found = look(source, tmp_path)
    assert held(source, found) == {"s.tar/1": b"first"}
    assert found.ignored == 2
    assert [(entry.path, entry.reason[:28]) for entry in found.rejected] == [
        ("s.tar/1", "another picture of the archi")
    ]


def test_a_cut_archive_gives_what_is_before_the_cut(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "s.tar", {f"{number}.jpg": bytes([number]) * 700 for number in range(5)}).read_bytes()
    source = open_source(tmp_path / "s.tar")
    seen = set()
    for length in range(0, len(whole) - 512, 256):
        (tmp_path / "s.tar").write_bytes(whole[:length])
        found = look(source, tmp_path)
        assert held(source, found) == {f"s.tar/{n}": bytes([n]) * 700 for n in range(len(found.files))}
        assert len(found.files) == min(5, (length + 324) // 1536)  # a member is 512, 700 and 324 bytes
        # Of two blocks of zeros that mark the end, one is enough.
        assert len(found.rejected) == (length < 5 * 1536 + 512)
        seen.update(entry.reason.partition(";")[0].partition("(")[0] for entry in found.rejected)
    assert {"the archive is empty", "the archive is cut: it ends in 3.jpg"} <= seen
    assert "the archive is cut: it ends without the mark of an end" in seen
    (tmp_path / "s.tar").write_bytes(whole[:1536] + b"\xff" * 512 + whole[2048:])
    assert look(source, tmp_path).rejected[0].reason == (
        "the archive is damaged at byte 1,536; 1 pictures before that are taken"
    )
    (tmp_path / "s.tar").write_bytes(b"\x1f\x8b" + b"packed" * 200)
    assert look(source, tmp_path).rejected[0].reason.startswith("not a tar archive, or damaged")


def test_a_header_that_says_it_is_huge_is_not_read(tmp_path: Path) -> None:
    member = tarfile.TarInfo("x")
    member.type, member.size = tarfile.XHDTYPE, 2**32
    with (tmp_path / "s.tar").open("wb") as file:
        file.write(member.tobuf(tarfile.USTAR_FORMAT))
        file.truncate(2**32 + 4096)
    assert "a header is too long" in look(open_source(tmp_path / "s.tar"), tmp_path).rejected[0].reason


def test_missing_archives_are_named_and_none_is_an_error(tmp_path: Path) -> None:
    write_tar(tmp_path / "s-1.tar", {"a.jpg": b"a"})
    found = look(open_source(tmp_path / "s-{0..2}.tar"), tmp_path)
    assert [(entry.path, entry.reason) for entry in found.rejected] == [
        ("s-0.tar", "no such file"), ("s-2.tar", "no such file"),
    ]  # fmt: skip
    for name in ("t-{0..2}.tar", "t.tar", "*.parquet", "t.parquet"):
        with pytest.raises(InputError, match=r"there is no file .*: correct the name"):
            look(open_source(tmp_path / name), tmp_path)
    with pytest.raises(InputError, match=r"there is no folder .*nowhere"):
        look(open_source(tmp_path / "nowhere" / "*.tar"), tmp_path)


def test_an_unchanged_shard_is_not_opened_again_and_a_changed_one_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tar(tmp_path / "s.tar", {"a.jpg": b"a"})
    source = open_source(tmp_path / "s.tar")
    found = look(source, tmp_path / "kept")
    with monkeypatch.context() as patch:
        patch.setattr(type(source), "listing", lambda *_: pytest.fail("listed again"))
        assert look(open_source(tmp_path / "s.tar"), tmp_path / "kept") == found
    (kept,) = (tmp_path / "kept").iterdir()
    for damage in (b"", b"[]", b'{"stamp": 1}', kept.read_bytes().replace(b"items", b"itens")):
        kept.write_bytes(damage)
        assert look(source, tmp_path / "kept") == found
    write_tar(tmp_path / "s.tar", {"b.jpg": b"longer" * 99, "a.jpg": b"a"})
    assert held(source, found) == {"s.tar/a": "its archive has changed since it was listed: index it again"}
    assert [file.path for file in look(source, tmp_path / "kept").files] == ["s.tar/b", "s.tar/a"]


PICTURES = [bytes([65 + number]) * 20 for number in range(10)]


@pytest.mark.parametrize(
    "columns",
    [
        {"image": pa.array([{"bytes": data, "path": None} for data in PICTURES])},
        {"label": pa.array(range(10)), "image": pa.array(PICTURES, pa.large_binary()), "mask": pa.array(PICTURES)},
        {"Content": pa.array(PICTURES), "caption": pa.array(["text"] * 10)},
    ],
)
def test_rows_of_any_usual_form_are_read_in_order(tmp_path: Path, columns: dict[str, pa.Array]) -> None:
    parquet.write_table(pa.table(columns), tmp_path / "p.parquet", row_group_size=4)
    source = open_source(tmp_path / "p.parquet")
    found = look(source, tmp_path)
    assert held(source, found) == {f"p.parquet/{number:06}": data for number, data in enumerate(PICTURES)}
    assert [len(part) for part in source.parts(found.files, 1)] == [4, 4, 2]
    some = FolderScan([found.files[number] for number in (1, 5, 6, 9)], [], 0)
    assert list(held(source, some).values()) == [PICTURES[number] for number in (1, 5, 6, 9)]


def test_rows_have_the_ids_of_a_column(tmp_path: Path) -> None:
    ids = ["x/1", None, "b", "", "b", "c"]
    parquet.write_table(pa.table({"id": ids, "image": PICTURES[:6]}), tmp_path / "p.parquet")
    source = open_source(tmp_path / "p.parquet")
    found = look(source, tmp_path)
    assert held(source, found) == {
        "p.parquet/x/1": PICTURES[0], "p.parquet/b": PICTURES[2], "p.parquet/c": PICTURES[5],
    }  # fmt: skip
    assert [(entry.path, entry.reason) for entry in found.rejected] == [
        ("p.parquet/row 1", "the row has no id"),
        ("p.parquet/row 3", "the row has no id"),
        ("p.parquet/row 4", "another row has the id b: the first is taken"),
    ]


def test_rows_may_name_files(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.jpg", "in/b.jpg"):
        (tmp_path / name).write_bytes(name.encode())
    paths = ["a.jpg", "./in/b.jpg", str(tmp_path / "a.jpg"), "gone.jpg", None, "https://x/y.jpg", "in"]
    parquet.write_table(pa.table({"file_name": paths, "label": ["x"] * 7}), tmp_path / "p.parquet")
    parquet.write_table(
        pa.table({"image": [{"bytes": b"in it", "path": "x"}, {"bytes": None, "path": "a.jpg"}]}),
        tmp_path / "q.parquet",
    )
    source = open_source(tmp_path / "*.parquet")
    assert list(held(source, look(source, tmp_path)).values()) == [
        b"a.jpg", b"in/b.jpg", b"a.jpg", "no such file", "the row holds no picture, and no path",
        "https:// is not fetched: store the pictures first", "a folder, not a file", b"in it", b"a.jpg",
    ]  # fmt: skip


def test_a_table_without_pictures_or_a_damaged_one_says_so(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"text": ["a"], "n": [1]}), tmp_path / "a.parquet")
    parquet.write_table(pa.table({"left": [b"a"], "right": [b"b"]}), tmp_path / "b.parquet")
    parquet.write_table(pa.table({"image": PICTURES}), tmp_path / "c.parquet")
    (tmp_path / "c.parquet").write_bytes((tmp_path / "c.parquet").read_bytes()[:-9])
    (tmp_path / "d.parquet").write_bytes(b"")
    found = look(open_source(tmp_path / "*.parquet"), tmp_path)
    assert {entry.path: entry.reason for entry in found.rejected} == {
        "a.parquet": "no column of text, n holds pictures, or paths of them: name the right one image or path",
        "b.parquet": "pictures may be in the columns left, right: name the right one image",
        "c.parquet": "not a Parquet file, or cut: its end is not one of Parquet",
        "d.parquet": "not a Parquet file, or cut: its end is not one of Parquet",
    }


def test_a_damaged_row_group_leaves_the_others(tmp_path: Path) -> None:
    rows = [bytes([65 + number]) * 5000 for number in range(8)]
    parquet.write_table(
        pa.table({"image": rows}), tmp_path / "p.parquet", row_group_size=4, use_dictionary=False, compression="zstd"
    )
    source = open_source(tmp_path / "p.parquet")
    found = look(source, tmp_path)
    start = parquet.ParquetFile(tmp_path / "p.parquet").metadata.row_group(1).column(0).data_page_offset
    data = bytearray((tmp_path / "p.parquet").read_bytes())
    data[start + 30 : start + 60] = b"\xff" * 30
    (tmp_path / "p.parquet").write_bytes(data)
    found = look(source, tmp_path)
    contents = list(held(source, found).values())
    assert contents[:4] == rows[:4]
    assert all(str(reason).startswith("its part of the Parquet file cannot be read") for reason in contents[4:])


def test_what_is_read_ahead_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "BYTES", 100)
    asked: list[int] = []

    def wanted() -> Any:
        for number in range(50):
            asked.append(number)
            yield ImageFile(str(number), 30, 1), Part(str(number), 0, 30)

    given = fetched(wanted(), lambda file, _: file.path.encode())
    for number in range(50):
        file, content = next(given)
        assert (file.path, content) == (str(number), str(number).encode())
        assert len(asked) <= number + 4


def test_large_pictures_are_left_to_who_decodes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "LARGE", 100)
    members = {"a.jpg": b"a" * 100, "b.jpg": b"b" * 101}
    source = open_source(write_tar(tmp_path / "s.tar", members))
    found = look(source, tmp_path)
    assert [callable(content) for _, content in source.contents(found.files)] == [False, True]
    assert list(held(source, found).values()) == list(members.values())


def test_trouble_that_is_not_of_one_picture_ends_it_all() -> None:
    def fetch(file: ImageFile, part: Part) -> bytes:
        if file.path == "bad":
            raise ImageDecodeError(file.path, "bad")
        raise RuntimeError("the store is gone")

    given = fetched(((ImageFile(name, 1, 1), Part(name)) for name in ("bad", "good")), fetch)
    assert isinstance(next(given)[1], ImageDecodeError)
    with pytest.raises(RuntimeError, match="the store is gone"):
        next(given)
