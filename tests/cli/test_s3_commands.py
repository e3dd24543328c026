"""The command line on a collection at an address."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lookalike.core.workspace import Workspace
from lookalike.jobs.live import LiveCollection

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def writable(monkeypatch: pytest.MonkeyPatch) -> None:
    """What --read-only sets ends with the test."""
    monkeypatch.setenv("LOOKALIKE_READ_ONLY", "0")


def test_index_search_and_serve_at_an_address(
    lookalike: Run, s3: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{s3}/shop/photos"
    code, out, err = lookalike("index", photos, "--workspace", address, "--json")
    assert (code, json.loads(out)["images"]) == (0, 24), err
    assert f"24 images in {address}" in lookalike("index", photos, "--workspace", address, "--quiet")[1]
    assert not list(tmp_path.glob("s3:*"))
    query = tmp_path / "query.jpg"
    shutil.copy(photos / "b" / "001.jpg", query)

    monkeypatch.setenv("LOOKALIKE_DATA", str(tmp_path / "another-machine"))
    photos.rename(tmp_path / "not-here")
    code, out, err = lookalike("search", query, "--workspace", address, "--read-only", "--json", "-k", 2)
    assert (code, json.loads(out)["results"][0]["image"]) == (0, "b/001.jpg"), err
    assert lookalike("duplicates", "--workspace", address, "--json")[0] == 0
    live = LiveCollection(Path(address))
    hits = live.search(["b/001.jpg"], k=1)
    assert hits[0].image == "b/001.jpg"
    assert live.thumbnail("b/001.jpg")

    code, _, err = lookalike("index", tmp_path / "not-here", "--workspace", address)
    assert (code, err.count("\n")) == (2, 1)
    assert f"{address} is open read-only" in err  # this process is a replica now


def test_errors_of_the_store_are_one_line(lookalike: Run, s3: str, photos: Path) -> None:
    for command, words in (
        (("index", photos, "--workspace", "s3://no-such-bucket/x"), "there is no such bucket at http"),
        (("search", photos / "a" / "000.jpg", "--workspace", f"{s3}/none"), "there is no collection at s3://"),
        (("search", photos / "a" / "000.jpg", "--workspace", "gs://x/y"), "gs:// cannot be used"),
    ):
        code, out, err = lookalike(*command)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert words in err


def test_a_replica_searches_by_models_what_a_writer_has_made(
    lookalike: Run, s3: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{s3}/models"
    names = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))
    rows = [f"{names[i]},{names[(i + 1 + i % 3) % 24]},{names[(i + 9) % 24]},1,0" for i in range(24)]
    Path("answers.csv").write_text("\n".join(["reference,a,b,votes_a,votes_b", *rows]) + "\n")
    at = ("--workspace", address, "--quiet")
    assert lookalike("index", photos, *at)[0] == 0
    assert lookalike("import", "csv", "answers.csv", "--images", photos, *at)[0] == 0
    small = ("--set", "epochs=2", "--set", "members=1", "--set", "reduce=8", "--no-measure")
    assert lookalike("train", "adaptation", "--name", "one", *small, *at)[0] == 0
    query = photos / "b" / "001.jpg"
    asked = ("search", query, "--model", "one", "--workspace", address, "--json")
    monkeypatch.setenv("LOOKALIKE_READ_ONLY", "1")
    code, _, err = lookalike(*asked)
    assert code == 2
    assert re.search("has no vectors by one, and is open read-only: run `lookalike search", err)
    monkeypatch.setenv("LOOKALIKE_READ_ONLY", "0")
    code, written, err = lookalike(*asked)
    assert code == 0, err

    models = Workspace(address).models_folder
    monkeypatch.setenv("LOOKALIKE_DATA", str(tmp_path / "another-machine"))
    shutil.copytree(models, Workspace(address).models_folder)
    (photos / "a" / "000.jpg").unlink()  # a writer would take it out
    code, read, err = lookalike(*asked, "--read-only")
    assert (code, json.loads(read)["results"]) == (0, json.loads(written)["results"]), err
