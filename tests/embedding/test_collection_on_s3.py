"""The same collection at an address.

A local S3 server holds it; processes with folders of their own stand for machines.
"""

import os
import re
import subprocess
import sys
import textwrap
import urllib.request
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lookalike.core.errors import StorageError, WorkspaceError
from lookalike.core.workspace import Workspace
from lookalike.embedding.collection import Collection
from lookalike.search.fused_table import FusedTable

MODELS = {"a": 6, "b": 4}


def vectors(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=(count, dim)) for name, dim in MODELS.items()}


def machine(folder: Path, program: str, *arguments: object) -> subprocess.Popen[str]:
    """Start Python on another machine: it shares nothing with this one but the environment's server and key."""
    environment = {**os.environ, "LOOKALIKE_DATA": str(folder)}
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.PIPE, text=True, env=environment
    )


def printed(process: subprocess.Popen[str]) -> list[str]:
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    return out.split()


def objects(address: str) -> list[bytes]:
    """Return the names and digests of all objects in a bucket."""
    url = f"{os.environ['AWS_ENDPOINT_URL']}/{address.removeprefix('s3://')}"
    with urllib.request.urlopen(url) as answer:
        return re.findall(rb"<Key>.*?</ETag>", answer.read(), flags=re.DOTALL)


def rows(address: str) -> list[dict[str, object]]:
    table = Collection.open(address, read_only=True)._table._table
    return list(table.search().select(["path", "removed"]).to_arrow().to_pylist())


@pytest.fixture
def collection(s3: str, photos: Path) -> Collection:
    """24 photographs at an address."""
    collection = Collection.create(f"{s3}/photos", root=photos)
    assert collection.sync().added == 24
    return collection


def test_what_is_at_the_address_and_what_is_on_this_machine(
    collection: Collection, photos: Path, tmp_path: Path
) -> None:
    address = collection.workspace.place
    assert FusedTable.names(address) == ["images", "settings"]
    assert collection.workspace.path.is_relative_to(tmp_path / "this-machine")
    assert not list(tmp_path.rglob("*.lance"))
    assert Collection.open(Path(address)).search(photos / "a" / "000.jpg", 1)[0].image == "a/000.jpg"
    for file in (tmp_path / "this-machine").rglob("*.*"):
        assert b"the-secret-of-tests" not in (file.read_bytes() if file.is_file() else b"")
    with pytest.raises(WorkspaceError, match="holds a collection already"):
        Collection.create(address, root=photos)


SEARCH = """
    import sys
    from lookalike.embedding.collection import Collection
    replica = Collection.open(sys.argv[1], read_only=True)
    for line in sys.stdin:
        print(*[hit.image for hit in replica.search(line.strip(), 3)], flush=True)
"""


def test_a_replica_on_another_machine_sees_what_is_written_at_its_next_search(
    collection: Collection, photos: Path, tmp_path: Path, make_photo: Callable[..., Path]
) -> None:
    replica = machine(tmp_path / "other-machine", SEARCH, collection.workspace.place)
    assert replica.stdin is not None
    assert replica.stdout is not None

    def found(picture: Path) -> list[str]:
        replica.stdin.write(f"{picture}\n")
        replica.stdin.flush()
        return replica.stdout.readline().split()

    with replica:
        assert found(photos / "b" / "001.jpg")[0] == "b/001.jpg"
        new = make_photo(photos / "new.jpg", 77)
        collection.add([new])
        assert found(new)[0] == "new.jpg"
        other = make_photo(tmp_path / "elsewhere.jpg", 77)
        new.unlink()
        collection.sync()
        assert "new.jpg" not in found(other)
        replica.stdin.close()


def test_a_replica_writes_nothing(collection: Collection, photos: Path, s3: str) -> None:
    collection.add_vectors(["x", "y"], vectors(2))
    before = objects(s3)
    replica = Collection.open(collection.workspace.place, read_only=True)
    replica.search(photos / "a" / "000.jpg", 2, where="width > 10")
    replica.search_vectors(vectors(1), [1, 2], k=1)
    replica.prepare_vectors()
    replica.duplicates()
    for write in (
        replica.sync,
        replica.compact,
        lambda: replica.add([photos / "a" / "000.jpg"]),
        lambda: replica.add_vectors(["z"], vectors(1)),
        lambda: replica.remove_vectors(["x"]),
    ):
        with pytest.raises(WorkspaceError, match="photos is open read-only") as refused:
            write()
        assert "\n" not in str(refused.value)
    assert objects(s3) == before != []


INDEX = """
    import sys
    import lookalike.embedding.writer as writer
    from lookalike.embedding.collection import Collection
    writer.COMMIT_IMAGES, writer.SHARED = 4, 1                 # many commits that can meet
    print(Collection.open(sys.argv[1]).sync(sys.argv[2]).images)
"""


def test_writers_on_several_machines_lose_no_image_and_leave_none_twice(
    s3: str, photos: Path, tmp_path: Path, make_photo: Callable[..., Path]
) -> None:
    address = f"{s3}/together"
    Collection.create(address, root=photos)
    folders = [photos / "a", photos / "b", photos]
    writers = [machine(tmp_path / f"{number}", INDEX, address, folder) for number, folder in enumerate(folders)]
    for writer in writers:
        printed(writer)
    found = rows(address)
    assert sorted(str(row["path"]) for row in found) == sorted(
        path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg")
    )
    assert not any(row["removed"] for row in found)
    assert Collection.open(address).sync().added == 0


ADD = """
    import sys
    import numpy as np
    from lookalike.embedding.collection import Collection
    who = int(sys.argv[2])
    collection = Collection.open(sys.argv[1])
    for number in range(6):
        rows = {"a": np.full((3, 6), who + 1.0), "b": np.ones((3, 4))}
        collection.add_vectors([f"{who}-{number}-0", f"{who}-{number}-1", f"both-{number}"], rows)
"""


def test_vectors_of_two_writers_are_all_there_once(s3: str, tmp_path: Path) -> None:
    address = f"{s3}/given"
    Collection.create(address)
    for writer in [machine(tmp_path / f"{who}", ADD, address, who) for who in (1, 2)]:
        printed(writer)
    query = {"a": np.ones((1, 6)), "b": np.ones((1, 4))}
    ids, _ = Collection.open(address, read_only=True).search_vectors(query, [1, 1], k=100)
    expected = {f"{who}-{number}-{i}" for who in (1, 2) for number in range(6) for i in (0, 1)}
    assert sorted(id_ for id_ in ids[0].tolist() if id_) == sorted(expected | {f"both-{number}" for number in range(6)})


KILLED = """
    import os, sys
    from pathlib import Path
    import numpy as np
    from lookalike.embedding.collection import Collection
    collection, root = Collection.open(sys.argv[1]), Path(sys.argv[2])
    collection.add([root / "a" / "000.jpg"])
    collection.add_vectors(["told"], {"a": np.ones((1, 6)), "b": np.ones((1, 4))})
    print("told", flush=True)
    Path(sys.argv[3]).write_text(str(os.getpid()))             # the next commit is the end
    if sys.argv[4] == "images":
        collection.sync()
    else:
        collection.add_vectors(["untold"], {"a": np.ones((1, 6)), "b": np.ones((1, 4))})
    print("untold", flush=True)
"""


@pytest.mark.parametrize("what", ["images", "vectors"])
def test_a_writer_killed_between_writing_and_committing_leaves_what_it_was_told_is_written(
    s3: str, s3_server: object, photos: Path, tmp_path: Path, what: str
) -> None:
    address = f"{s3}/killed"
    Collection.create(address, root=photos)
    writer = machine(tmp_path / "killed", KILLED, address, photos, s3_server.trap, what)  # type: ignore[attr-defined]
    out, _ = writer.communicate(timeout=180)
    assert (out.split(), writer.returncode) == (["told"], -9)
    left = Collection.open(address)
    assert [row["path"] for row in rows(address)] == ["a/000.jpg"]
    assert left.search(photos / "a" / "000.jpg", 5)[0].image == "a/000.jpg"
    query = {"a": np.ones((1, 6)), "b": np.ones((1, 4))}
    assert left.search_vectors(query, [1, 1], k=2)[0].tolist() == [["told", ""]]
    assert (left.sync().added, len(rows(address))) == (23, 24)


def test_another_collection_in_the_same_place_is_not_searched_by_the_old_index(
    s3: str, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lookalike.search.disposable.EXACT_BELOW", 5)
    states = []
    for inside in ("a", "b"):
        Collection.create(f"{s3}/again", root=photos).sync(photos / inside)
        collection = Collection.open(f"{s3}/again", read_only=True)
        states.append(collection._table.state)
        some = sorted((photos / inside).iterdir())[0]
        assert collection.search(some, 1)[0].image == f"{inside}/{some.name}"
        assert list(collection.workspace.index_folder.glob("*.faiss"))
        for name in FusedTable.names(f"{s3}/again"):
            FusedTable.drop(f"{s3}/again", name)
    assert states[0].split(".")[1] == states[1].split(".")[1]
    assert states[0] != states[1]


def test_compacting_and_settings_of_two_encoders(collection: Collection, photos: Path, network: Path) -> None:
    address = collection.workspace.place
    (photos / "a" / "000.jpg").unlink()
    collection.sync()
    collection.compact()
    assert len(rows(address)) == 23
    other = Collection.open(address, encoder=f"onnx:{network}")
    assert other.sync().added + other.sync().images >= 23
    assert len(Collection.open(address, read_only=True)) == 23
    config = Workspace(address).config()
    Workspace(address).configure(config.using(config.root, "other"))
    assert Workspace(address).config().encoders[-1] == "other"


def test_what_is_not_there_is_said_in_one_line(s3: str, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=f"there is no collection at {s3}/none"):
        Collection.open(f"{s3}/none")
    for use in (Collection.open, Collection.create):
        with pytest.raises(StorageError, match="there is no such bucket at http"):
            use("s3://no-such-bucket/x")


def test_without_a_key_that_is_said(s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(StorageError, match=r"no key for http.* was found: set AWS_ACCESS_KEY_ID"):
        Collection.open(f"{s3}/none")
