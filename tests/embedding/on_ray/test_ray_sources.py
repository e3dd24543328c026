"""Archives and tables on Ray: the collection of the local run, whatever dies on the way, here and at an address."""

import io
import os
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import fs, parquet

from lookalike.core.errors import ClusterError, StorageError
from lookalike.embedding.collection import Collection
from lookalike.embedding.on_ray import run as running
from lookalike.embedding.on_ray.cluster import connected
from lookalike.embedding.on_ray.worker import Worker
from lookalike.images.folder import ImageFile
from lookalike.images.sources.base import ImageSource
from lookalike.jobs.index import index_source

pytestmark = pytest.mark.usefixtures("ray_cluster")


def everything(place: Path) -> tuple[dict[str, tuple[object, ...]], list[tuple[str, str]]]:
    collection = Collection.open(place)
    rows = collection._table.rows(collection._column, collection._table.paths(collection._column))
    assert len(rows) == collection._table.count()
    found = {path: (r.hash, r.size, r.mtime_ns, r.thumbnail, r.vector.tobytes()) for path, r in rows.items()}
    return found, [(entry.path, entry.reason) for entry in collection.rejected()]


@pytest.fixture
def shards(tmp_path: Path, make_photo: Callable[..., Path]) -> Path:
    """150 photographs and three damaged ones in three archives, the last one cut; and a hundred in a table."""
    folder = tmp_path / "shards"
    folder.mkdir()
    data = [make_photo(tmp_path / "one.jpg", number).read_bytes() for number in range(150)]
    for shard in range(3):
        with tarfile.open(folder / f"s-{shard}.tar", "w") as archive:
            for number, content in enumerate([*data[shard::3], data[0][:300]]):
                member = tarfile.TarInfo(f"{number:03}.jpg")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    os.truncate(folder / "s-2.tar", 40_000)
    images = [{"bytes": content, "path": None} for content in data[:100]]
    parquet.write_table(pa.table({"image": images}), folder / "p.parquet", row_group_size=30)
    return folder


def test_killed_workers_lose_and_double_nothing_of_archives(shards: Path, tmp_path: Path, killed: list[int]) -> None:
    here = index_source(tmp_path / "here", shards / "*.tar", "classic")
    there = index_source(tmp_path / "there", shards / "*.tar", "classic", on="ray", workers=2)
    assert killed, "the kills met no worker"
    assert everything(tmp_path / "there") == everything(tmp_path / "here")
    assert (there.added, there.images, len(there.rejected)) == (here.added, here.images, len(here.rejected))
    assert here.images > 100
    assert [entry.path for entry in here.rejected] == ["s-0.tar/050", "s-1.tar/050", "s-2.tar"]
    assert index_source(tmp_path / "there", shards / "*.tar", on="ray").unchanged == here.images


def test_row_groups_of_a_table_go_to_workers_whole(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[list[int]] = []
    chunks = running.Run._chunks

    def noted(self: running.Run, source: ImageSource, files: Sequence[ImageFile]) -> object:
        made = chunks(self, source, files)
        sizes.append([sum(map(len, task.chunk)) for task in made])
        return made

    monkeypatch.setattr(running.Run, "_chunks", noted)
    index_source(tmp_path / "here", shards / "p.parquet")
    assert index_source(tmp_path / "there", shards / "p.parquet", on="ray", workers=2).images == 100
    assert everything(tmp_path / "there") == everything(tmp_path / "here")
    assert sizes == [[30, 30, 30, 10]]


def test_workers_read_an_object_store_with_keys_of_their_own(
    s3: str, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    server = fs.S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"], region="us-east-1")
    for name in ("s-0.tar", "s-1.tar", "p.parquet"):
        with server.open_output_stream(f"{s3.removeprefix('s3://')}/in/{name}") as stream:
            stream.write((shards / name).read_bytes())
    ray.shutdown()  # a new one has the environment of this test
    with connected("ray"):
        for number, source in enumerate((f"{s3}/in/s-{{0..1}}.tar", f"{s3}/in")):
            here, there = tmp_path / f"here-{number}", tmp_path / f"there-{number}"
            assert index_source(here, source, "classic").images == 100
            assert index_source(there, source, "classic", on="ray", workers=2).images == 100
            assert everything(there) == everything(here)


def test_a_machine_that_does_not_see_the_archives_says_so(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = [ImageFile("s-0.tar/000", 10, 1, "s-0.tar", 512)]
    for source in (str(tmp_path / "nowhere" / "*.tar"), f"{s3}/in/*.tar"):
        with pytest.raises(ClusterError, match=r"does not see .*/s-0\.tar: the photographs must be"):
            Worker(source).check(samples)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(StorageError, match="cannot be reached, or does not answer"):
        Worker(f"{s3}/in/*.tar").check(samples)
