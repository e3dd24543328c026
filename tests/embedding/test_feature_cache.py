"""Features that are kept: nothing is encoded twice, and nothing that was encoded is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike import load_encoder
from lookalike.core.errors import ImageDecodeError, StorageError
from lookalike.core.vectors import unit_rows
from lookalike.core.workspace import Workspace
from lookalike.embedding import feature_cache
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.feature_cache import cached_features, unit_features
from lookalike.embedding.feature_files import FeatureFiles
from lookalike.embedding.lens import Mirrored
from lookalike.images.folder import Rejected

Images = dict[str, Path]


@pytest.fixture
def images(photos: Path) -> Images:
    return {path.stem: path for path in sorted(photos.rglob("*.jpg"))}


@pytest.fixture
def encoder(network: Path) -> Encoder:
    return load_encoder(f"onnx:{network}")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "w")


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of pictures in every batch that a network is given."""
    batches: list[int] = []
    forward = Encoder.forward
    monkeypatch.setattr(Encoder, "forward", lambda self, pixels: batches.append(len(pixels)) or forward(self, pixels))
    return batches


def chunks(workspace: Workspace) -> list[Path]:
    return sorted((workspace.path / "features").glob("*/*.npz"))


def test_features_are_kept_as_the_encoder_gives_them(workspace: Workspace, encoder: Encoder, images: Images) -> None:
    expected = encoder.encode(list(images.values()))
    raw = cached_features(workspace, encoder, images)
    assert raw.ids.tolist() == list(images)
    np.testing.assert_allclose(raw.vectors, expected, atol=1e-5)
    assert abs(np.linalg.norm(raw.vectors[0]) - 1) > 0.1
    np.testing.assert_allclose(unit_features(workspace, encoder, images).vectors, unit_rows(expected), atol=1e-6)


def test_the_cache_encodes_new_and_changed_files_alone(
    workspace: Workspace, encoder: Encoder, images: Images, make_photo: Callable[..., Path], encoded: list[int]
) -> None:
    first = cached_features(workspace, encoder, images)
    assert sum(encoded) == 24
    make_photo(images["003"], 900)
    second = cached_features(workspace, encoder, {**images, "twin": images["004"]})
    assert sum(encoded) == 25
    assert not np.allclose(second.vectors[second.rows(["003"])], first.vectors[first.rows(["003"])])
    np.testing.assert_array_equal(second.vectors[second.rows(["twin"])], first.vectors[first.rows(["004"])])
    assert cached_features(workspace, encoder, {}).vectors.shape == (0, encoder.dim)
    images["005"].unlink()
    with pytest.raises(ImageDecodeError, match=r"005\.jpg"):
        cached_features(workspace, encoder, images)


def test_mirrored_pictures_are_kept_apart(
    workspace: Workspace, encoder: Encoder, images: Images, encoded: list[int]
) -> None:
    plain = cached_features(workspace, encoder, images)
    flipped = cached_features(workspace, encoder, images, lens=Mirrored())
    pixels = np.stack([encoder.pixels(path)[:, ::-1] for path in images.values()])
    np.testing.assert_allclose(flipped.vectors, encoder.forward(np.ascontiguousarray(pixels)), atol=1e-5)
    assert not np.allclose(flipped.vectors, plain.vectors)
    encoded.clear()
    for lens, before in ((None, plain), (Mirrored(), flipped)):
        again = cached_features(workspace, encoder, images, lens=lens)
        np.testing.assert_array_equal(again.vectors, before.vectors)
    assert encoded == []


def test_chunks_are_written_once_and_merged_at_the_end(
    workspace: Workspace, encoder: Encoder, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_cache, "CHUNK_IMAGES", 5)
    sizes: list[int] = []
    append = FeatureFiles.append

    def counted(self: FeatureFiles, paths: list[str], *rest: object) -> None:
        sizes.append(len(paths))
        append(self, paths, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(FeatureFiles, "append", counted)
    features = cached_features(workspace, encoder, images)
    assert sum(sizes) == 24, "a row was written twice"
    assert max(sizes) <= 8  # five, and what a batch brings beyond
    assert len(chunks(workspace)) == 1
    ordered = dict(sorted(images.items(), key=lambda entry: str(entry[1])))
    mapped = cached_features(workspace, encoder, ordered)
    assert mapped.vectors.base is not None, "rows in the order of the file are mapped, not copied"
    np.testing.assert_array_equal(mapped.vectors, features.vectors[features.rows(list(ordered))])


def test_time_also_ends_a_chunk(
    workspace: Workspace, encoder: Encoder, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_cache, "CHUNK_SECONDS", -1.0)
    monkeypatch.setattr(FeatureFiles, "merge", lambda self: None)
    cached_features(workspace, encoder, images)
    assert len(chunks(workspace)) == 6  # a batch of four each


def test_whoever_writes_into_features_changes_no_file(workspace: Workspace, encoder: Encoder, images: Images) -> None:
    one = dict(list(images.items())[:1])
    before = cached_features(workspace, encoder, one).vectors.copy()
    cached_features(workspace, encoder, one).vectors[:] = 7
    np.testing.assert_array_equal(cached_features(workspace, encoder, one).vectors, before)


def test_what_was_encoded_before_an_error_is_kept(
    workspace: Workspace, encoder: Encoder, images: Images, encoded: list[int]
) -> None:
    images["020"].write_bytes(b"no image")
    with pytest.raises(ImageDecodeError, match=r"020\.jpg"):
        cached_features(workspace, encoder, images)
    before = sum(encoded)
    rejected: list[Rejected] = []
    features = cached_features(workspace, encoder, images, rejected=rejected)
    assert sum(encoded) < before + 24
    assert [(entry.path, "not an image" in entry.reason) for entry in rejected] == [("020", True)]
    assert features.ids.tolist() == [name for name in images if name != "020"]
    expected = encoder.encode([images[name] for name in features.ids.tolist()])
    np.testing.assert_allclose(features.vectors, expected, atol=1e-5)


def test_a_picture_without_finite_features_is_named(
    workspace: Workspace, encoder: Encoder, images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward = Encoder.forward

    def broken(self: Encoder, pixels: np.ndarray) -> np.ndarray:
        features = forward(self, pixels)
        features[0] = np.nan
        return features

    monkeypatch.setattr(Encoder, "forward", broken)
    with pytest.raises(ImageDecodeError, match="no finite numbers"):
        cached_features(workspace, encoder, images)
    rejected: list[Rejected] = []
    assert len(cached_features(workspace, encoder, images, rejected=rejected)) + len(rejected) == 24
    assert rejected


KILLED = textwrap.dedent("""
    import sys
    from pathlib import Path
    from lookalike import load_encoder
    from lookalike.core.workspace import Workspace
    from lookalike.embedding import feature_cache

    feature_cache.CHUNK_IMAGES = 8
    encoder = load_encoder("onnx:" + sys.argv[1])
    images = {path.name: path for path in Path(sys.argv[2]).rglob("*.jpg")}
    def tell(step):
        if step.done >= 16:
            print(step.done, flush=True)
            input()
    feature_cache.cached_features(Workspace(Path(sys.argv[3])), encoder, images, tell)
""")


def test_a_killed_run_loses_no_more_than_a_chunk(
    workspace: Workspace, encoder: Encoder, network: Path, photos: Path, images: Images, encoded: list[int]
) -> None:
    command = [sys.executable, "-c", KILLED, str(network), str(photos), str(workspace.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "16\n"
        process.kill()
    features = cached_features(workspace, encoder, images)
    assert 8 <= sum(encoded) <= 16, "of 24, 8 to 16 were written before the kill"
    np.testing.assert_allclose(features.vectors, encoder.encode(list(images.values())), atol=1e-5)


@pytest.mark.parametrize("suffix", ["npy", "npz"])
@pytest.mark.parametrize("kept", [0, 200])
def test_a_damaged_chunk_is_made_again(
    workspace: Workspace, encoder: Encoder, images: Images, suffix: str, kept: int
) -> None:
    expected = cached_features(workspace, encoder, images).vectors.copy()
    (file,) = (workspace.path / "features").glob(f"*/*.{suffix}")
    file.write_bytes(file.read_bytes()[:kept])
    np.testing.assert_array_equal(cached_features(workspace, encoder, images).vectors, expected)
    assert len(chunks(workspace)) == 1


def test_a_cache_that_cannot_be_written_is_one_error(workspace: Workspace, encoder: Encoder, images: Images) -> None:
    workspace.path.write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="cannot write"):
        cached_features(workspace, encoder, images)


def test_links_lead_to_the_same_features(
    workspace: Workspace, encoder: Encoder, photos: Path, tmp_path: Path, encoded: list[int]
) -> None:
    cached_features(workspace, encoder, {"a": photos / "a" / "000.jpg"})
    (tmp_path / "link").symlink_to(photos)
    cached_features(workspace, encoder, {"a": tmp_path / "link" / "a" / "000.jpg"})
    assert sum(encoded) == 1


Step = st.one_of(st.none(), st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 9)), min_size=1, max_size=5))


@settings(max_examples=25, deadline=None)
@given(st.lists(Step, max_size=12))
def test_files_hold_what_a_dict_would(tmp_path_factory: pytest.TempPathFactory, steps: list[object]) -> None:
    files = FeatureFiles(tmp_path_factory.mktemp("files"), dim=2)
    model: dict[str, int] = {}
    for step in steps:
        if step is None:
            files.merge()
            continue
        rows = dict(step)  # type: ignore[call-overload]
        model |= rows
        stamps = np.array([[value, 0] for value in rows.values()])
        files.append(list(rows), stamps, np.array([[value, -value] for value in rows.values()], np.float32))
    held = files.read()
    names = sorted(model)
    stamps = np.array([[model[name], 0] for name in names], np.int64).reshape(-1, 2)
    rows = held.rows(names, stamps)
    assert (rows >= 0).all()
    assert held.take(rows).tolist() == [[model[name], -model[name]] for name in names]
    assert (held.rows(names, stamps + 1) == -1).all()
    assert len(held.chunks) <= max(1, sum(step is not None for step in steps))


def test_small_chunks_do_not_rewrite_a_large_one(tmp_path: Path) -> None:
    files = FeatureFiles(tmp_path, dim=1)
    for start in range(0, 400, 100):
        names = [f"{number:03}" for number in range(start, start + 100)]
        files.append(names, np.ones((100, 2), np.int64), np.ones((100, 1), np.float32))
    files.merge()
    (large,) = tmp_path.glob("*.npy")
    for number in range(20):
        files.append([f"new{number}"], np.ones((1, 2), np.int64), np.ones((1, 1), np.float32))
        files.merge()
    assert large.exists()
    assert len(list(tmp_path.glob("*.npy"))) <= 5
    assert len(files.read().places) == 420
    for _ in range(2):  # most of it anew: the large one gives way
        files.append(names := sorted(files.read().places), np.full((420, 2), 2), np.ones((420, 1), np.float32))
    files.merge()
    assert not large.exists()
    (only,) = files.read().chunks
    assert only.paths == names


def test_merging_clears_what_a_killed_process_left(tmp_path: Path) -> None:
    files = FeatureFiles(tmp_path, dim=1)
    files.append(["a"], np.ones((1, 2), np.int64), np.ones((1, 1), np.float32))
    whole = set(tmp_path.iterdir())
    for name in ("00000002.npy", ".00000003-abc.npy", ".00000003-abc.npz"):
        (tmp_path / name).write_bytes(b"half")
    assert list(files.read().places) == ["a"]
    files.merge()
    assert set(tmp_path.iterdir()) == whole


def test_several_writers_lose_nothing(tmp_path: Path) -> None:
    def write(writer: int) -> None:
        files = FeatureFiles(tmp_path, dim=1)
        for number in range(6):
            files.append([f"{writer}-{number}"], np.ones((1, 2), np.int64), np.full((1, 1), writer, np.float32))
            if number % 3 == 2:
                files.merge()

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    held = FeatureFiles(tmp_path, dim=1).read()
    names = [f"{writer}-{number}" for writer in range(4) for number in range(6)]
    rows = held.rows(names, np.ones((24, 2), np.int64))
    assert held.take(rows)[:, 0].tolist() == [int(name[0]) for name in names]


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names there are Unicode")
def test_names_that_are_not_unicode_are_kept(tmp_path: Path) -> None:
    name = os.fsdecode(b"/photos/\xff.jpg")
    files = FeatureFiles(tmp_path, dim=1)
    files.append([name], np.ones((1, 2), np.int64), np.ones((1, 1), np.float32))
    assert list(files.read().places) == [name]
