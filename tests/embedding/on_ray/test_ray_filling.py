"""A collection filled on Ray is the one filled here, whatever dies on the way."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lookalike.core.errors import ClusterError, EncoderError
from lookalike.embedding import writer
from lookalike.embedding.collection import Collection
from lookalike.embedding.encoder import Encoder, load_encoder
from lookalike.embedding.on_ray import run as running
from lookalike.embedding.on_ray.filling import RayFilling
from lookalike.embedding.plan import IndexReport
from lookalike.images.folder import ImageFile
from lookalike.images.sources.opening import open_source

MakePhoto = Callable[..., Path]
WorkerProcesses = Callable[[int], list[int]]
pytestmark = pytest.mark.usefixtures("ray_cluster")


def everything(collection: Collection) -> dict[str, tuple[object, ...]]:
    column = collection._column
    rows = collection._table.rows(column, collection._table.paths(column))
    return {
        p: (r.hash, r.size, r.mtime_ns, r.width, r.height, r.thumbnail, r.vector.tobytes()) for p, r in rows.items()
    }


def outcome(report: IndexReport) -> tuple[object, ...]:
    return (
        *(
            getattr(report, name)
            for name in ("images", "added", "updated", "reused", "removed", "unchanged", "ignored")
        ),
        [(entry.path, entry.reason) for entry in report.rejected],
    )


def on_ray(workspace: Path, root: Path, workers: int = 2) -> tuple[Collection, IndexReport]:
    collection = Collection.create(workspace, root)
    with RayFilling("ray", workers) as filling:
        return collection, collection.sync(filling=filling)


@pytest.fixture
def mixed(tmp_path: Path, make_photo: MakePhoto) -> Path:
    """A folder of 150 photographs, twelve damaged files and two notes."""
    folder = tmp_path / "mixed"
    for number in range(150):
        make_photo(folder / f"{number % 7}" / f"{number:03}.jpg", number)
    for number in range(12):
        data = (folder / f"{number % 7}" / f"{number:03}.jpg").read_bytes()
        bad = (b"", data[: len(data) // 2], b"no picture\n" * 20, data[90:])[number % 4]
        (folder / f"{number % 5}" / f"bad{number:02}.jpg").write_bytes(bad)
    for number in range(2):
        (folder / f"note{number}.txt").write_text("ignored")
    return folder


@pytest.fixture
def here(mixed: Path, tmp_path: Path) -> tuple[Collection, IndexReport]:
    collection = Collection.create(tmp_path / "here", mixed)
    return collection, collection.sync()


def test_vectors_counts_and_rejections_are_those_of_the_local_run(
    mixed: Path, tmp_path: Path, here: tuple[Collection, IndexReport]
) -> None:
    collection, report = on_ray(tmp_path / "there", mixed)
    assert outcome(report) == outcome(here[1])
    assert (report.images, len(report.rejected)) == (150, 12)
    assert everything(collection) == everything(here[0])
    assert collection.rejected() == here[0].rejected()


def test_a_later_run_follows_the_folder_and_encodes_nothing_twice(
    mixed: Path, tmp_path: Path, make_photo: MakePhoto, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection, _ = on_ray(tmp_path / "there", mixed)
    moved, changed, gone = (mixed / "1" / f"{number:03}.jpg" for number in (1, 8, 15))
    moved.rename(mixed / "moved.jpg")
    make_photo(changed, 1000)
    gone.unlink()
    make_photo(mixed / "new.jpg", 1001)
    with RayFilling("ray", 2) as filling:
        report = collection.sync(filling=filling)
        assert (report.added, report.updated, report.reused, report.removed) == (1, 1, 1, 2)
        monkeypatch.setattr(RayFilling, "_opened", lambda *_: pytest.fail("asks the cluster about nothing"))
        for path in mixed.rglob("bad*"):
            path.unlink()
        assert collection.sync(filling=filling).unchanged == 150
    fresh = Collection.create(tmp_path / "fresh", mixed)
    fresh.sync()
    assert everything(collection) == everything(fresh)


def test_no_image_is_lost_or_doubled_when_workers_are_killed(
    mixed: Path,
    tmp_path: Path,
    here: tuple[Collection, IndexReport],
    killed: list[int],
    capfd: pytest.CaptureFixture[str],
) -> None:
    collection, report = on_ray(tmp_path / "there", mixed)
    assert len(killed) >= 3, "the kills met no worker"
    assert outcome(report) == outcome(here[1])
    assert collection._table.count() == 150
    assert everything(collection) == everything(here[0])
    assert capfd.readouterr().out == "", "standard output belongs to --json"


def test_files_at_which_workers_die_are_named_and_what_is_written_stays(
    mixed: Path, tmp_path: Path, killed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "DEATHS", 1)
    monkeypatch.setattr(writer, "COMMIT_IMAGES", 8)
    with pytest.raises(ClusterError, match=r"workers died one after another of the files .*jpg to .*jpg"):
        on_ray(tmp_path / "there", mixed)
    collection = Collection.open(tmp_path / "there")
    held = len(collection)
    assert held > 0
    report = collection.sync()
    assert (report.unchanged, report.added) == (held, 150 - held)


def test_workers_with_another_encoder_or_without_the_folder_are_refused(
    mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder("classic")
    files = [ImageFile("0/000.jpg", 1, 1)]
    with RayFilling("ray", 1) as filling:
        with pytest.raises(ClusterError, match=r"does not see .*nowhere/0/000\.jpg: the photographs must be"):
            list(filling(encoder, open_source(tmp_path / "nowhere"), files, ()))
        other = replace(encoder.spec, fingerprint="another")
        monkeypatch.setattr(Encoder, "spec", property(lambda _: other))
        with pytest.raises(EncoderError, match="classic is another version on a machine of the cluster"):
            list(filling(encoder, open_source(mixed), files, ()))
        with pytest.raises(ClusterError, match="there are 0 GPUs in the cluster, not 2"):
            list(RayFilling("ray", gpus=2)(encoder, open_source(mixed), files, ()))


def test_a_gpu_encodes_what_processors_have_decoded(
    mixed: Path, tmp_path: Path, here: tuple[Collection, IndexReport]
) -> None:
    import ray

    ray.shutdown()
    ray.init(address="local", num_cpus=3, num_gpus=1, include_dashboard=False, log_to_driver=False)
    collection = Collection.create(tmp_path / "there", mixed)
    with RayFilling("ray", gpus=1) as filling:
        assert outcome(collection.sync(filling=filling)) == outcome(here[1])
    assert everything(collection) == everything(here[0])
