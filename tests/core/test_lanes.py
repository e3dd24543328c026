import threading
import time

import pytest

from lookalike.core.lanes import cores, in_lanes


def test_every_item_is_done_once() -> None:
    assert sorted(in_lanes(lambda x: x + 1, iter(range(100)), lanes=3)) == list(range(1, 101))
    assert list(in_lanes(lambda x: x, [], lanes=3)) == []


def test_a_slow_reader_holds_the_lanes_back() -> None:
    started = []
    results = in_lanes(lambda x: started.append(x) or x, iter(range(1000)), lanes=2)
    next(results)
    time.sleep(0.05)
    assert len(started) <= 2 * 2 + 1
    results.close()


def test_lanes_run_at_the_same_time() -> None:
    meet = threading.Barrier(3, timeout=5)
    assert len(list(in_lanes(lambda _: meet.wait(), range(3), lanes=3))) == 3


def test_an_exception_reaches_the_reader_and_ends_the_run() -> None:
    done = []

    def work(item: int) -> int:
        if item == 3:
            raise KeyError(item)
        done.append(item)
        return item

    with pytest.raises(KeyError):
        list(in_lanes(work, range(10_000), lanes=2))
    assert len(done) < 100


def test_lanes_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(12)), raising=False)
    assert cores() == 12
    assert list(in_lanes(lambda _: cores(), range(3), lanes=3)) == [4, 4, 4]
    nested = in_lanes(lambda _: list(in_lanes(lambda _: cores(), range(2), lanes=2)), range(3), lanes=3)
    assert list(nested) == [[2, 2]] * 3
    assert list(in_lanes(lambda _: cores(), range(2), lanes=40)) == [1, 1]
    assert cores() == 12
