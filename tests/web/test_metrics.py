"""Metrics: every request once, under the route that answered it."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families


def numbers(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def requests(site: Any, **labels: str) -> float:
    found = numbers(site.client.get("/metrics").text)
    return found.get(("lookalike_requests_total", tuple(sorted(labels.items()))), 0.0)


def test_requests_are_counted_by_route_and_status(site: Any) -> None:
    thumbnails = {"method": "GET", "route": "/api/v1/thumbnails/{image}", "status": "200"}
    absent = thumbnails | {"status": "404"}
    before, missing = requests(site, **thumbnails), requests(site, **absent)
    for image in ("a/02.jpg", "a/04.jpg", "b/05.jpg"):
        assert site.client.get(f"/api/v1/thumbnails/{image}").status_code == 200
    site.client.get("/api/v1/thumbnails/a/99.jpg")
    assert requests(site, **thumbnails) == before + 3
    assert requests(site, **absent) == missing + 1


def test_refused_requests_and_odd_methods_are_counted_too(site: Any) -> None:
    refused = {"method": "POST", "route": "other", "status": "403"}
    odd = {"method": "other", "route": "other", "status": "405"}
    before, strange = requests(site, **refused), requests(site, **odd)
    site.client.post("/api/v1/search", json={}, headers={"origin": "https://evil.example"})
    answer = site.client.request("BREW", "/style.css")
    assert requests(site, **refused) == before + 1
    assert requests(site, **{**odd, "status": str(answer.status_code)}) == strange + 1


def test_it_says_how_many_images_and_how_long(site: Any) -> None:
    site.client.get("/api/v1/health")
    found = numbers(site.client.get("/metrics").text)
    assert found["lookalike_images", ()] == 13
    health = (("method", "GET"), ("route", "/api/v1/health"))
    counted = found["lookalike_request_seconds_count", health]
    assert counted >= 1
    assert 0 < found["lookalike_request_seconds_sum", health] < 10 * counted


def test_with_keys_metrics_want_one(closed: Any) -> None:
    assert closed.ask("GET", "/metrics").status_code == 401
    assert "lookalike_requests_total" in closed.ask("GET", "/metrics", "reader").text
