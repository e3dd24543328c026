from pathlib import Path

import pytest

from lookalike.core.errors import InputError, StorageError
from lookalike.core.files import read_json, write_aside, write_json


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "kept.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), write_aside(target) as aside:
        aside.write_text(f"half{1 // 0}")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_temporary_name_keeps_the_suffix(tmp_path: Path) -> None:
    with write_aside(tmp_path / "sheet.png") as aside:
        assert aside.suffix == ".png"
        aside.write_bytes(b"x")


def test_a_folder_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        write_json(tmp_path / "file" / "below.json", {})


@pytest.mark.parametrize(("content", "message"), [(b"{\n  oops", "line 2"), (b"\xff\xfe", "not UTF-8")])
def test_what_is_not_json_is_named_with_its_place(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "card.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_json(path)
