"""What happens to a run that is killed, and to one that meets many damaged files."""

import random
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lookalike.embedding.collection import Collection

MakePhoto = Callable[..., Path]
KILLS = 10

RUN = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    import lookalike.embedding.writer as writer
    from lookalike.embedding.collection import Collection
    from lookalike.embedding.encoder import Encoder

    writer.COMMIT_IMAGES, writer.MERGE_ABOVE = 8, 3           # many commits and merges to be killed in
    forward = Encoder.forward
    def slow(self, pixels):
        time.sleep(0.05)                                       # a run long enough to be killed in its middle
        return forward(self, pixels)
    Encoder.forward = slow
    collection = Collection.open(sys.argv[1])
    print("ready", flush=True)
    collection.sync()
""")


def everything(collection: Collection) -> dict[str, tuple[object, ...]]:
    column = collection._column
    rows = collection._table.rows(column, collection._table.paths(column))
    return {
        p: (r.hash, r.size, r.mtime_ns, r.width, r.height, r.thumbnail, r.vector.tobytes()) for p, r in rows.items()
    }


@pytest.fixture
def many(tmp_path: Path, make_photo: MakePhoto) -> Path:
    """A folder of 240 photographs, five of them damaged."""
    folder = tmp_path / "many"
    for number in range(240):
        make_photo(folder / f"{number % 7}" / f"{number:03}.jpg", number)
    for number in range(5):
        (folder / f"{number}" / "bad.jpg").write_bytes(b"\xff\xd8\xff" + bytes(number))
    return folder


def test_indexing_killed_at_ten_random_moments_ends_as_if_undisturbed(
    many: Path, tmp_path: Path, network: Path
) -> None:
    undisturbed = Collection.create(tmp_path / "undisturbed", many, f"onnx:{network}")
    expected = undisturbed.sync()
    moments = random.Random(0)
    Collection.create(tmp_path / "killed", many, f"onnx:{network}")
    sizes = [0]
    for _ in range(KILLS):
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(tmp_path / "killed")], stdout=subprocess.PIPE, text=True
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(moments.uniform(0, 0.35))
            process.kill()
        sizes.append(len(Collection.open(tmp_path / "killed")))
    assert sizes == sorted(sizes), "an image that was written is lost"
    assert len(set(sizes)) > 3, "the kills met no run in its middle"
    killed = Collection.open(tmp_path / "killed")
    report = killed.sync()
    assert everything(killed) == everything(undisturbed)
    assert len(killed._table.stored(killed._column)) == report.images == expected.images == 240
    assert [entry.path for entry in report.rejected] == [entry.path for entry in expected.rejected]


def damage(path: Path, kind: int) -> None:
    """Spoil a JPEG in one of eight ways."""
    data = path.read_bytes()
    spoiled = {
        0: b"",
        1: data[: len(data) // 2],
        2: data[:2],
        3: b"This is not a picture.\n" * 20,
        4: b"\x00" * len(data),
        5: data[100:],
        6: b"\x89PNG\r\n\x1a\n" + data[8:],
        7: b"GIF89a\xff\xff\xff\xff" + data[10:],
    }
    path.write_bytes(spoiled[kind])


def test_a_thousand_good_files_and_two_hundred_damaged_ones(
    tmp_path: Path, network: Path, make_photo: MakePhoto
) -> None:
    folder = tmp_path / "photos"
    for number in range(1000):
        make_photo(folder / f"{number % 10}" / f"{number:04}.jpg", number)
    bad = [make_photo(folder / f"{number % 10}" / f"bad{number:03}.jpg", number) for number in range(200)]
    for number, path in enumerate(bad):
        damage(path, number % 8)
    report = Collection.create(tmp_path / "w", folder, f"onnx:{network}").sync()
    assert (report.images, report.added) == (1000, 1000)
    assert [entry.path for entry in report.rejected] == sorted(p.relative_to(folder).as_posix() for p in bad)
    assert all(entry.reason and "\n" not in entry.reason for entry in report.rejected)
