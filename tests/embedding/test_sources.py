"""A collection of pictures that are not files in a folder: the same one, kept in step alike."""

import io
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import fs, parquet

from lookalike.core.errors import InputError, StorageError, WorkspaceError
from lookalike.embedding.collection import Collection
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.writer import Writer
from lookalike.jobs.features import collection_files
from lookalike.jobs.index import index_source
from lookalike.jobs.live import LiveCollection
from lookalike.jobs.queries import queries_of
from lookalike.jobs.search import Wanted, search_collection
from lookalike.jobs.tasks import Index
from lookalike.jobs.trash import dry_run

Pictures = dict[str, bytes]


def put(where: str, data: bytes) -> None:
    if not where.startswith("s3://"):
        Path(where).parent.mkdir(parents=True, exist_ok=True)
        Path(where).write_bytes(data)
        return
    server = fs.S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"], region="us-east-1")
    with server.open_output_stream(where.removeprefix("s3://")) as stream:
        stream.write(data)


def packed(pictures: Pictures) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in pictures.items():
            for member, content in ((f"{name}.jpg", data), (f"{name}.json", b"{}")):
                head = tarfile.TarInfo(member)
                head.size = len(content)
                archive.addfile(head, io.BytesIO(content))
    return buffer.getvalue()


def tabled(pictures: Pictures) -> bytes:
    buffer = io.BytesIO()
    images = [{"bytes": data, "path": None} for data in pictures.values()]
    parquet.write_table(pa.table({"id": list(pictures), "image": images}), buffer, row_group_size=7)
    return buffer.getvalue()


@dataclass
class Stored:
    """The same pictures in some form: `write` stores them again, `id_of` is the path of a picture."""

    source: str
    write: Callable[[Pictures], None]
    id_of: Callable[[str], str]


def in_shards(base: str, ending: str, pack: Callable[[Pictures], bytes]) -> Stored:
    def write(pictures: Pictures) -> None:
        for shard in (0, 1):
            some = {name: data for name, data in pictures.items() if (name > "b/9") == shard}
            put(f"{base}/s-{shard}.{ending}", pack(some))

    return Stored(f"{base}/s-{{0..1}}.{ending}", write, lambda name: f"s-{'01'[name > 'b/9']}.{ending}/{name}")


@pytest.fixture(params=["s3", "tar", "s3 tar", "parquet", "s3 parquet"])
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> Stored:
    form = request.param
    base = f"{request.getfixturevalue('s3')}/in" if form.startswith("s3") else str(tmp_path / "in")
    if form == "s3":
        return Stored(base, lambda p: [put(f"{base}/{n}.jpg", d) for n, d in p.items()] and None, lambda n: f"{n}.jpg")
    return in_shards(base, form.split()[-1], packed if form.endswith("tar") else tabled)


@pytest.fixture
def pictures(photos: Path) -> Pictures:
    """24 photographs by their path without the ending."""
    return {file.relative_to(photos).as_posix()[:-4]: file.read_bytes() for file in sorted(photos.rglob("*.jpg"))}


def everything(collection: Collection) -> dict[str, tuple[object, ...]]:
    rows = collection._table.rows(collection._column, collection._table.paths(collection._column))
    return {p: (r.hash, r.size, r.width, r.height, r.thumbnail, r.vector.tobytes()) for p, r in rows.items()}


def test_the_collection_is_that_of_a_folder_and_follows_its_source(
    stored: Stored, pictures: Pictures, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "workspace"
    stored.write(pictures)
    assert index_source(place, stored.source).added == 24
    folder = Collection.create(tmp_path / "other", photos)
    folder.sync()
    collection = Collection.open(place)
    mine = everything(collection)
    assert mine == {stored.id_of(path[:-4]): row for path, row in everything(folder).items()}
    assert collection.search(photos / "b" / "001.jpg", 1)[0].image == stored.id_of("b/001")

    with monkeypatch.context() as patch:
        patch.setattr(Encoder, "forward", lambda *_: pytest.fail("encoded again"))
        patch.setattr(type(collection.source), "contents", lambda *_: iter(()))
        report = index_source(place, stored.source)
        assert (report.unchanged, report.added, report.reused) == (24, 0, 0)

    changed = {**pictures, "b/001": pictures["c/002"], "d/new": b"no picture"}
    if "{" in stored.source:
        del changed["a/000"]
    stored.write(changed)
    report = index_source(place, stored.source)
    gone = {"a/000"} - set(changed)
    assert (report.added, report.images, report.removed) == (0, 24 - len(gone), len(gone))
    # Of a shard that was written again all pictures are read, and what is known is not encoded.
    assert [(entry.path, entry.reason) for entry in report.rejected] == [
        (stored.id_of("d/new"), "not an image: looks like text")
    ]
    now = everything(Collection.open(place))
    assert now[stored.id_of("b/001")] == mine[stored.id_of("c/002")]
    assert {path: row for path, row in now.items() if path != stored.id_of("b/001")} == {
        path: row for path, row in mine.items() if path not in {stored.id_of(n) for n in ("b/001", *gone)}
    }
    assert index_source(place, stored.source).unchanged == report.images


def test_what_needs_files_says_so_and_all_else_works_by_thumbnails(
    stored: Stored, pictures: Pictures, photos: Path, tmp_path: Path
) -> None:
    place, query = tmp_path / "workspace", photos / "a" / "000.jpg"
    stored.write({**pictures, "copy": pictures["a/000"]})
    index_source(place, stored.source, "classic")
    (found,) = search_collection(place, queries_of([query], [], [], []), Wanted(k=2, sheet=tmp_path / "sheet.png"))
    assert found.root == stored.source
    assert {hit.image for hit in found.hits} == {stored.id_of("a/000"), stored.id_of("copy")}
    (again,) = search_collection(place, queries_of([Path(stored.id_of("b/001"))], [], [], []), Wanted(k=1))
    assert (again.hits[0].image, again.hits[0].distance < 0.05) == (stored.id_of("b/001"), True)
    collection = Collection.open(place)
    assert [sorted(hit.image for hit in group) for group in collection.duplicates()] == [
        sorted([stored.id_of("a/000"), stored.id_of("copy")])
    ]
    live = LiveCollection(place)
    assert live.picture(stored.id_of("a/000")) == live.thumbnail(stored.id_of("a/000"))
    assert live.search([stored.id_of("b/001")], k=1)[0].image == stored.id_of("b/001")
    task = Index(task="index")
    task.check(live.workspace)
    assert task.run(live.workspace, lambda _: None)["unchanged"] == 25
    with pytest.raises(InputError, match="not in a folder of this machine: there are no files to remove"):
        dry_run(place, [stored.id_of("copy")])
    with pytest.raises(WorkspaceError, match="needs them as files: copy them into a folder"):
        collection_files(live.workspace)
    with pytest.raises(WorkspaceError, match="needs them as files"):
        collection.add([query])
    with pytest.raises(WorkspaceError, match=r"holds the collection of .*: use --workspace DIR to make another"):
        index_source(place, photos)


def test_more_shards_join_and_a_part_is_looked_at_alone(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, place, base = sorted(pictures), tmp_path / "workspace", tmp_path / "in"
    for shard in range(3):
        put(f"{base}/{shard}.tar", packed({name: pictures[name] for name in names[shard::3]}))
    assert index_source(place, base / "{0..1}.tar", "classic").added == 16
    assert index_source(place, base / "{0..2}.tar").added == 8
    for shard in range(3):
        (base / f"{shard}.tar").unlink()
    put(f"{base}/1.tar", packed({}))
    report = index_source(place, base / "{1..2}.tar")
    assert (report.removed, report.images) == (16, 8)
    assert [(entry.path, entry.reason) for entry in report.rejected] == [("2.tar", "no such file")]
    assert Collection.open(place).source.name.text == f"{base.as_posix()}/{{0..2}}.tar"


def test_a_store_that_is_gone_takes_no_image_with_it(
    s3: str, pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, base = tmp_path / "workspace", f"{s3}/in"
    for name, data in pictures.items():
        put(f"{base}/{name}.jpg", data)
    index_source(place, base, "classic")
    put(f"{base}/new.jpg", b"")
    with pytest.raises(InputError, match=f"there is nothing at the address {base}/none"):
        index_source(place, f"{base}/none")
    source = Collection.open(place).source
    found = source.look(("",), tmp_path, lambda _: None)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match="cannot be reached, or does not answer"):
        index_source(place, base)
    with pytest.raises(StorageError, match=r"cannot read s3://.*cannot be reached"):
        list(source.contents(found.files))
    assert len(Collection.open(place)) == 24


def test_a_missing_bucket_and_an_empty_prefix_are_one_line(s3: str, tmp_path: Path) -> None:
    put(f"{s3}/notes/a.txt", b"text")
    for source, fault in (
        ("s3://no-such-bucket/x", "there is no such bucket at http"),
        (f"{s3}/none", f"there is nothing at the address {s3}/none: correct it"),
        (f"{s3}/notes", f"there are no pictures below {s3}/notes: correct the address"),
        (f"{s3}/notes/x.tar", f"there is no file {s3}/notes/x.tar: correct the name"),
        (f"{s3}/none/*.tar", f"there is nothing at the address {s3}/none: correct it"),
    ):
        with pytest.raises((InputError, StorageError), match=fault.replace(".", r"\.").replace("*", r"\*")) as told:
            index_source(tmp_path / "workspace", source, "classic")
        assert "\n" not in str(told.value)
    assert not (tmp_path / "workspace").exists(), "of a mistyped name nothing is left"


def test_pictures_without_an_ending_are_known_by_their_first_bytes(s3: str, pictures: Pictures, tmp_path: Path) -> None:
    for name, data in {"1": pictures["a/000"], "2": b"text", ".hidden": pictures["a/000"], "3": b""}.items():
        put(f"{s3}/in/{name}", data)
    report = index_source(tmp_path / "workspace", f"{s3}/in", "classic")
    assert (report.images, report.ignored, report.rejected) == (1, 2, [])


def test_a_killed_run_of_an_archive_goes_on(
    pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(f"{tmp_path}/s.tar", packed(pictures))
    place = tmp_path / "workspace"
    monkeypatch.setattr("lookalike.embedding.writer.COMMIT_IMAGES", 4)
    commit, commits = Writer._commit, []

    def until_the_second(self: Writer) -> None:
        commits.append(self)
        if len(commits) == 2:
            raise KeyboardInterrupt
        commit(self)

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "_commit", until_the_second)
        with pytest.raises(KeyboardInterrupt):
            index_source(place, tmp_path / "s.tar")
    held = len(Collection.open(place))
    assert 0 < held < 24
    report = index_source(place, tmp_path / "s.tar")
    assert (report.unchanged, report.added, report.images) == (held, 24 - held, 24)
