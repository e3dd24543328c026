"""Limits: as many requests as the bucket holds, no more over time than its rate, and nobody pays for another."""

from __future__ import annotations

from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st

from lookalike.jobs.keys import Role, add_key
from lookalike.web import limits
from lookalike.web.limits import Buckets


@given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from([1.0, 10.0])), max_size=60))
def test_no_more_is_let_through_than_rate_and_burst_allow(asked: list[tuple[float, float]]) -> None:
    now = [0.0]
    buckets = Buckets(rate=2, burst=20, now=lambda: now[0])
    through = 0.0
    for pause, tokens in asked:
        now[0] += pause
        wait = buckets.take("ann", tokens)
        if wait:
            # Whoever waits so long gets through.
            assert buckets.take("ann", 0.0) == 0.0
            now[0] += wait + 1e-6
            assert buckets.take("ann", tokens) == 0.0
        through += tokens
        assert through <= 20 + 2 * now[0] + 1e-6


def test_clients_have_buckets_of_their_own() -> None:
    buckets = Buckets(rate=1, burst=3, now=lambda: 0.0)
    assert [buckets.take("ann", 1) for _ in range(4)] == [0, 0, 0, 1.0]
    assert buckets.take("bob", 3) == 0


def test_what_is_remembered_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "CLIENTS", 3)
    buckets = Buckets(rate=1, burst=1, now=lambda: 0.0)
    for number in range(5):
        assert buckets.take(str(number), 1) == 0
    assert buckets.take("4", 1) > 0
    assert buckets.take("0", 1) == 0  # forgotten


def test_a_key_that_asks_too_much_waits_and_others_do_not(closed: Any) -> None:
    secret = add_key(closed.workspace, "greedy", Role.READER)
    with httpx.Client(base_url=closed.url, trust_env=False, headers={"Authorization": f"Bearer {secret}"}) as client:
        statuses = []
        while 429 not in statuses and len(statuses) < 200:
            answer = client.post("/api/v1/search", json={"image": "00.jpg"})
            statuses.append(answer.status_code)
    assert set(statuses) == {200, 429}
    assert len(statuses) >= limits.BURST / limits.SEARCH
    assert answer.json()["error"].startswith("too many requests: wait 1 second")
    assert answer.headers["retry-after"] == "1"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert closed.ask("GET", "/api/v1/images", "reader").status_code == 200
