"""Keys: made once, kept as hashes, taken back at once, and never lost to another command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lookalike.core.errors import InputError, UnknownNameError
from lookalike.jobs.keys import KeyRing, Role, add_key, list_keys, revoke_key

MAKE = """
import sys
from pathlib import Path
from lookalike.jobs.keys import Role, add_key
for number in range(10):
    add_key(Path(sys.argv[1]), f"{sys.argv[2]} {number}", Role.READER)
"""


def test_only_hashes_are_kept(tmp_path: Path) -> None:
    secret = add_key(tmp_path, "ann", Role.ANNOTATOR)
    text = (tmp_path / "keys.json").read_text()
    assert secret not in text
    assert secret.removeprefix("lk-") not in text
    assert [key.as_json()["role"] for key in list_keys(tmp_path)] == ["annotator"]


def test_a_ring_sees_what_is_added_and_taken_back(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path)
    assert not len(ring)
    first, second = add_key(tmp_path, "ann", Role.READER), add_key(tmp_path, "bob", Role.ADMIN)
    assert first != second
    held = ring.holder(second)
    assert held is not None
    assert (held.name, held.role) == ("bob", Role.ADMIN)
    revoke_key(tmp_path, "bob")
    assert ring.holder(second) is None
    assert ring.holder(first) is not None
    assert ring.holder("") is None
    assert ring.holder("\udcff") is None


@pytest.mark.parametrize("name", ["", " ann", "a" * 65, "a/b", "a\nb", "<b>"])
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="is no name for a key"):
        add_key(tmp_path, name, Role.READER)


def test_a_name_has_one_key(tmp_path: Path) -> None:
    add_key(tmp_path, "ann", Role.READER)
    with pytest.raises(InputError, match="'ann' has a key: revoke it first"):
        add_key(tmp_path, "ann", Role.ADMIN)
    with pytest.raises(UnknownNameError, match="anna"):
        revoke_key(tmp_path, "anna")


@pytest.mark.parametrize("text", ["[]", '{"keys": []}', '{"format": 1, "keys": [{"name": "a"}]}', '{"format": 9}', "{"])
def test_a_damaged_file_lets_nobody_in(tmp_path: Path, text: str) -> None:
    secret = add_key(tmp_path, "ann", Role.READER)
    ring = KeyRing(tmp_path)
    (tmp_path / "keys.json").write_text(text)
    with pytest.raises(InputError, match=r"keys\.json"):
        ring.holder(secret)


def test_commands_at_once_lose_no_key(tmp_path: Path) -> None:
    running = [subprocess.Popen([sys.executable, "-c", MAKE, str(tmp_path), name]) for name in ("ann", "bob")]
    assert [one.wait(60) for one in running] == [0, 0]
    assert len(json.loads((tmp_path / "keys.json").read_text())["keys"]) == 20
