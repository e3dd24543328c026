from pathlib import Path

import numpy as np
import pytest

from lookalike.core.errors import StorageError
from lookalike.search.image_rows import ImageRow, vector_column
from lookalike.search.store import ImageTable

COLUMN, OTHER = "vector_a", "vector_b"


def row(path: str, digest: str = "h", value: float = 1.0, dim: int = 3) -> ImageRow:
    vector = np.full(dim, value, np.float32)
    return ImageRow(path, digest, 10, 20, 640, 480, "JPEG", b"thumb-" + path.encode(), vector)


@pytest.fixture
def table(tmp_path: Path) -> ImageTable:
    table = ImageTable.create(str(tmp_path / "collection"))
    table.ensure_column(COLUMN, 3)
    return table


def test_rows_come_back_whole_and_sorted(table: ImageTable) -> None:
    table.append(COLUMN, [row("z/ü'n.jpg", value=2), row("a.jpg", value=1)])
    paths, vectors = table.vectors(COLUMN)
    assert paths == table.paths(COLUMN) == ["a.jpg", "z/ü'n.jpg"]
    np.testing.assert_array_equal(vectors, [[1, 1, 1], [2, 2, 2]])
    assert vectors.dtype == np.float32
    found = table.rows(COLUMN, ["z/ü'n.jpg", "absent.jpg"])
    assert list(found) == ["z/ü'n.jpg"]
    assert found["z/ü'n.jpg"].thumbnail == "thumb-z/ü'n.jpg".encode()
    assert table.sizes(["a.jpg"]) == {"a.jpg": (640, 480)}


def test_removed_images_are_not_found_and_come_back_with_their_vectors(table: ImageTable) -> None:
    table.append(COLUMN, [row("a.jpg"), row("b.jpg", value=5)])
    table.mark_removed(["b.jpg"])
    assert table.paths(COLUMN) == ["a.jpg"]
    assert table.count() == 1
    assert table.stored(COLUMN)["b.jpg"].removed
    table.set_present({"b.jpg": 99})
    assert table.stored(COLUMN)["b.jpg"].mtime_ns == 99
    np.testing.assert_array_equal(table.vectors(COLUMN)[1][1], [5, 5, 5])


def test_compacting_forgets_removed_images_and_keeps_the_others(table: ImageTable) -> None:
    table.append(COLUMN, [row("a.jpg"), row("b.jpg")])
    table.mark_removed(["b.jpg"])
    table.compact()
    assert list(table.stored(COLUMN)) == ["a.jpg"]


def test_changed_content_drops_what_other_encoders_made_of_the_old(table: ImageTable) -> None:
    table.append(COLUMN, [row("a.jpg", digest="old"), row("b.jpg")])
    table.ensure_column(OTHER, 2)
    table.set_vectors(OTHER, [row("a.jpg", value=7, dim=2), row("b.jpg", value=8, dim=2)])
    np.testing.assert_array_equal(table.vectors(COLUMN)[1], np.ones((2, 3)))
    table.replace(COLUMN, [row("a.jpg", digest="new", value=3)])
    assert table.paths(OTHER) == ["b.jpg"]
    assert not table.stored(OTHER)["a.jpg"].has_vector
    assert table.stored(COLUMN)["a.jpg"].hash == "new"
    np.testing.assert_array_equal(table.vectors(COLUMN)[1][0], [3, 3, 3])


def test_every_write_is_one_version(table: ImageTable) -> None:
    before = table.version
    table.append(COLUMN, [row(f"{i}.jpg") for i in range(50)])
    assert table.version == before + 1
    table.append(COLUMN, [])
    table.mark_removed([])
    assert table.version == before + 1


def test_an_empty_column_gives_an_empty_matrix(table: ImageTable) -> None:
    paths, vectors = table.vectors(COLUMN)
    assert (paths, vectors.shape) == ([], (0, 3))


def test_a_table_opens_again_and_an_absent_one_is_one_clear_error(table: ImageTable, tmp_path: Path) -> None:
    table.append(COLUMN, [row("a.jpg")])
    assert ImageTable.open(str(tmp_path / "collection")).count() == 1
    with pytest.raises(StorageError, match="cannot open the table"):
        ImageTable.open(str(tmp_path / "nowhere"))


def test_columns_differ_by_fingerprint_and_not_by_folder() -> None:
    assert vector_column("onnx:/a/n.onnx", "1") == vector_column("onnx:/b/n.onnx", "1")
    assert vector_column("onnx:/a/n.onnx", "1") != vector_column("onnx:/a/n.onnx", "2")
