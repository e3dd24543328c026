import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from lookalike.core.errors import InputError, StorageError
from lookalike.search.fused import FusedLayout, FusedModel, fuse
from lookalike.search.fused_reduction import fit_layout
from lookalike.search.fused_table import FusedTable

LAYOUT = FusedLayout([FusedModel("a", 3), FusedModel("b", 2)])


def rows(values: list[float]) -> np.ndarray:
    """Rows that can be told apart by their first number."""
    made = np.zeros((len(values), LAYOUT.width), np.float16)
    made[:, 0] = values
    return made


def content(table: FusedTable) -> dict[str, float]:
    table.refresh()
    found = table.scan()
    assert len(found.ids) == len(set(found.ids.to_pylist()))
    return dict(zip(found.ids.to_pylist(), found.vectors[:, 0].tolist(), strict=True))


@pytest.fixture
def table(tmp_path: Path) -> FusedTable:
    return FusedTable.create(str(tmp_path), "fused", LAYOUT)


def test_rows_are_added_replaced_and_removed_by_id(table: FusedTable) -> None:
    table.put(["x", "y'z", "ü"], rows([1, 2, 3]), np.array([7, 8, 9]))
    before = table.stamps()[1]
    table.put(["y'z", "new"], rows([4, 5]))
    table.remove(["x", "absent"])
    assert content(table) == {"y'z": 4, "ü": 3, "new": 5}
    places, after = table.stamps()
    assert len(np.intersect1d(before, after)) == 1  # the row that nobody touched
    ids, stamps, made_of = table.ids()
    assert dict(zip(ids.to_pylist(), made_of.tolist(), strict=True)) == {"y'z": 0, "ü": 9, "new": 0}
    np.testing.assert_array_equal(stamps, after)
    taken = table.take(places[after == before[2]])
    assert (taken.ids.to_pylist(), taken.vectors[0, 0]) == (["ü"], 3)
    assert table.rows_of(["new", "absent"]).vectors[:, 0].tolist() == [5]


def test_merging_files_changes_no_stamp(table: FusedTable) -> None:
    for number in range(6):
        table.put([f"{number}"], rows([number]))
    table.remove(["3"])
    before = np.sort(table.stamps()[1])
    table.merge_files()
    table.refresh()
    np.testing.assert_array_equal(np.sort(table.stamps()[1]), before)


def test_an_empty_table_gives_empty_arrays(table: FusedTable) -> None:
    table.put([], rows([]))
    assert table.scan().vectors.shape == (0, LAYOUT.width)
    assert table.take(np.empty(0, np.int64)).vectors.dtype == np.float16
    assert [len(column) for column in (*table.stamps(), *table.ids())] == [0] * 5


def test_another_process_opens_it_from_the_uri_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layout = fit_layout({"a": rng.normal(size=(2000, 30)), "b": rng.normal(size=(2000, 4))}, budget=16)
    FusedTable.create(str(tmp_path), "fused", layout)
    FusedTable.create(str(tmp_path), "again", layout)
    opened = FusedTable.open(str(tmp_path), "fused").layout
    assert opened.names == layout.names
    assert opened.models[0].max_error == layout.models[0].max_error > 0
    sample = {"a": rng.normal(size=(5, 30)), "b": rng.normal(size=(5, 4))}
    np.testing.assert_array_equal(fuse(opened, sample), fuse(layout, sample))
    assert FusedTable.create(str(tmp_path), "fused", LAYOUT).layout.names == layout.names  # the first one stays
    FusedTable.drop(str(tmp_path), "fused")
    assert "fused" not in FusedTable.names(str(tmp_path))
    with pytest.raises(StorageError, match="cannot open the table fused"):
        FusedTable.open(str(tmp_path), "fused")


def test_an_id_that_is_no_text_is_named(table: FusedTable) -> None:
    with pytest.raises(InputError, match="not text that can be stored"):
        table.put(["\udcff.jpg"], rows([1]))


WRITER = textwrap.dedent("""
    import sys
    import numpy as np
    from lookalike.search.fused_table import FusedTable

    who, rounds = int(sys.argv[2]), int(sys.argv[3])
    table = FusedTable.open(sys.argv[1], "fused")
    for number in range(rounds):
        ids = [f"{who}-{number}-{i}" for i in range(4)] + [f"both-{number}"]
        made = np.zeros((5, 16), np.float16)
        made[:, 0] = who
        table.put(ids, made)
        table.remove([f"{who}-{number}-0"])
        print(number, flush=True)
""")


def write(folder: Path, who: int, rounds: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), str(who), str(rounds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_writers_lose_no_row_and_leave_none_twice(table: FusedTable, tmp_path: Path) -> None:
    writers = [write(tmp_path, who, 12) for who in (1, 2)]
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0
    found = content(table)
    kept = {f"{who}-{number}-{i}": who for who in (1, 2) for number in range(12) for i in (1, 2, 3)}
    assert {id_: value for id_, value in found.items() if not id_.startswith("both")} == kept
    assert {id_ for id_ in found if id_.startswith("both")} == {f"both-{number}" for number in range(12)}


def test_a_killed_writer_loses_nothing_that_it_was_told_is_written(table: FusedTable, tmp_path: Path) -> None:
    for who, lines in ((1, 1), (2, 4)):
        writer = write(tmp_path, who, 100)
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(lines)]
        writer.kill()
        writer.wait()
        told += [int(line) for line in writer.stdout.read().split()]
        writer.stdout.close()
        found = content(table)
        for number in told:
            assert all(found[f"{who}-{number}-{i}"] == who for i in (1, 2, 3))
            assert f"{who}-{number}-0" not in found
        table.put([f"after-{who}"], rows([9]))  # and the table can be written as before
