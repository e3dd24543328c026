"""The routes of labelling, over a socket."""

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from lookalike.judgments.readers.read import read_judgments

API = "/api/v1/label"


def refused(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    assert set(response.json()) == {"error"}
    assert "\n" not in response.json()["error"]
    return str(response.json()["error"])


def ask(site: Any, annotator: str, count: int = 1, candidates: int = 2) -> list[dict[str, Any]]:
    given = {"annotator": annotator, "count": count, "candidates": candidates}
    response = site.client.get(f"{API}/questions", params=given)
    assert response.status_code == 200, response.text
    return list(response.json()["questions"])


def judgment(question: dict[str, Any], choice: str = "a", **more: Any) -> dict[str, Any]:
    a, b = question["candidates"]
    told = {"reference": question["reference"], "a": a, "b": b, "choice": choice, "trial": question["trial"]}
    return {"kind": "judgment", "id": uuid.uuid4().hex, **told, **more}


def send(site: Any, annotator: str, *answers: dict[str, Any]) -> httpx.Response:
    response: httpx.Response = site.client.post(f"{API}/answers", json={"annotator": annotator, "answers": answers})
    return response


def test_question_answer_undo_and_progress(site: Any) -> None:
    first, second = ask(site, "ann", 2)
    assert set(first) == {"reference", "candidates", "trial", "context"}
    sent = judgment(first, "b", response_seconds=2.5, answered_at=1.7e9)
    assert send(site, "ann", sent, judgment(second, response_seconds=1.5)).json() == {"received": 2, "new": 2}
    assert send(site, "ann", sent).json() == {"received": 1, "new": 0}
    progress = site.client.get(f"{API}/progress", params={"annotator": " ann "}).json()
    assert (progress["annotator"], progress["answers"], progress["seconds_per_answer"]) == ("ann", 2, 2.0)
    assert progress["repeated"] == {"share": None, "low": None, "high": None, "n": 0}
    assert (progress["strategy"], progress["context"]) == ("informative", "")
    body = {"annotator": "ann", "ids": [sent["id"]]}
    assert site.client.post(f"{API}/undo", json=body).json() == {"received": 1, "new": 1}
    assert site.client.post(f"{API}/undo", json=body).json() == {"received": 1, "new": 0}
    assert send(site, "ann", sent).json() == {"received": 1, "new": 0}
    assert site.client.get(f"{API}/progress", params={"annotator": "ann"}).json()["answers"] == 1


def test_rankings_and_skips(site: Any) -> None:
    first, second = ask(site, "rob", 2, candidates=3)
    order = [first["candidates"][place] for place in (2, 0, 1)]
    ranking = {
        "kind": "ranking",
        "id": uuid.uuid4().hex,
        "reference": first["reference"],
        "candidates": first["candidates"],
        "ranking": order,
        "grades": [1, 3, 3],
    }
    skip = {
        "kind": "skip",
        "id": uuid.uuid4().hex,
        "reference": second["reference"],
        "candidates": second["candidates"],
    }
    assert send(site, "rob", ranking, skip).json() == {"received": 2, "new": 2}
    progress = site.client.get(f"{API}/progress", params={"annotator": "rob"}).json()
    assert (progress["answers"], progress["judgments"], progress["skipped"]) == (1, 3, 1)
    message = refused(send(site, "rob", ranking | {"id": uuid.uuid4().hex, "grades": [3, 1, 1]}), 422)
    assert "never go down" in message


def test_live_accuracy_comes_with_the_answers(taught: Any, eventually: Callable[..., bool]) -> None:
    def found() -> dict[str, Any]:
        response = taught.client.get(f"{API}/accuracy", params={"annotator": "uma"})
        assert response.status_code == 200, response.text
        return dict(response.json())

    send(taught, "uma", *map(judgment, ask(taught, "uma", 6)))
    assert eventually(lambda: found()["up_to_date"], 30)
    first = found()
    assert (first["annotator"], first["own"]) == ("uma", 6)
    assert first["everyone"] >= 6
    by_name = {one["name"]: one for one in first["models"]}
    assert {name: one["kind"] for name, one in by_name.items()} == {
        "compact": "encoder",
        "whole": "model",
        "half": "model",
        "gate": "ensemble",
        "vote": "ensemble",
    }
    assert by_name["compact"]["own"] == by_name["whole"]["own"]  # the same distances
    assert by_name["compact"]["own"]["n"] == 6
    assert 0 <= by_name["gate"]["own"]["share"] <= 1
    assert (by_name["gate"]["told"] + by_name["gate"]["everyone"]["n"], by_name["gate"]["unknown"]) == (
        first["everyone"],
        0,
    )
    send(taught, "uma", *map(judgment, ask(taught, "uma", 2)))
    assert not found()["up_to_date"]
    assert eventually(lambda: found()["up_to_date"] and found()["own"] == 8, 30)


def test_live_accuracy_is_refused_as_the_rest_is(site: Any, closed: Any) -> None:
    for given in ({}, {"annotator": " "}, {"annotator": "a" * 81}):
        assert "annotator" in refused(site.client.get(f"{API}/accuracy", params=given), 422)
    for who, status in ((None, 401), ("reader", 403), ("annotator", 200), ("admin", 200)):
        assert closed.ask("GET", f"{API}/accuracy?annotator=annotator", who).status_code == status
    assert closed.ask("GET", f"{API}/accuracy?annotator=somebody", "annotator").status_code == 403
    answers = site.client.get("/api/v1/openapi.json").json()["paths"][f"{API}/accuracy"]["get"]["responses"]
    assert set(answers) == {"200", "403", "422", "503"}


def test_the_export_is_csv(site: Any, tmp_path: Any) -> None:
    send(site, "eva, the 1st", judgment(ask(site, "eva, the 1st")[0]))
    response = site.client.get(f"{API}/judgments.csv", params={"annotator": "eva, the 1st"})
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert "judgments.csv" in response.headers["content-disposition"]
    (tmp_path / "j.csv").write_bytes(response.content)
    assert len(read_judgments("csv", tmp_path / "j.csv")) == 1
    assert "gave no judgments" in refused(site.client.get(f"{API}/judgments.csv", params={"annotator": "nobody"}), 422)


def test_pictures_are_of_the_collection_alone(site: Any) -> None:
    response = site.client.get(f"{API}/pictures/a/02.jpg")
    assert (response.status_code, response.headers["content-type"]) == (200, "image/jpeg")
    again = site.client.get(f"{API}/pictures/a/02.jpg", headers={"if-none-match": response.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for image in ("a/99.jpg", "%2e%2e/.lookalike/workspace.json", "/etc/passwd", "%00"):
        refused(site.client.get(f"{API}/pictures/{image}"), 404)


ONE = {"kind": "judgment", "id": "12345678", "reference": "a/00.jpg", "a": "a/02.jpg", "b": "a/04.jpg", "choice": "a"}
RANK = {"kind": "ranking", "id": "12345678", "reference": "a/00.jpg"}


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        ([], 422, "body"),
        ({}, 422, "annotator"),
        ({"annotator": "ann", "answers": []}, 422, "answers"),
        ({"annotator": " ", "answers": [ONE]}, 422, "annotator"),
        ({"annotator": "a" * 81, "answers": [ONE]}, 422, "annotator"),
        ({"annotator": "a\0", "answers": [ONE]}, 422, "annotator"),
        ({"annotator": 7, "answers": [ONE]}, 422, "annotator"),
        ({"annotator": "ann", "answers": [ONE] * 201}, 422, "answers"),
        ({"annotator": "ann", "answers": [ONE], "admin": True}, 422, "admin"),
        ({"annotator": "ann", "answers": ["x"]}, 422, "answers.0"),
        ({"annotator": "ann", "answers": [ONE | {"kind": "guess"}]}, 422, "answers.0"),
        ({"annotator": "ann", "answers": [ONE | {"choice": "c"}]}, 422, "answers.0.judgment.choice"),
        ({"annotator": "ann", "answers": [ONE | {"id": "short"}]}, 422, "answers.0.judgment.id"),
        ({"annotator": "ann", "answers": [ONE | {"id": "1234567#2"}]}, 422, "answers.0.judgment.id"),
        ({"annotator": "ann", "answers": [ONE | {"grade_a": 0}]}, 422, "answers.0.judgment.grade_a"),
        ({"annotator": "ann", "answers": [ONE | {"grade_a": True}]}, 422, "answers.0.judgment.grade_a"),
        ({"annotator": "ann", "answers": [ONE | {"response_seconds": -1}]}, 422, "response_seconds"),
        ({"annotator": "ann", "answers": [ONE | {"context": "x" * 201}]}, 422, "context"),
        ({"annotator": "ann", "answers": [ONE | {"trial": "again"}]}, 422, "trial"),
        ({"annotator": "ann", "answers": [ONE | {"b": "a/02.jpg"}]}, 422, "three different images"),
        ({"annotator": "ann", "answers": [ONE | {"b": "nothing.jpg"}]}, 422, "holds no image nothing.jpg"),
        ({"annotator": "ann", "answers": [RANK | {"candidates": ["x"] * 4, "ranking": [], "grades": []}]}, 422, "3"),
    ],
)
def test_wrong_answers_are_one_clear_line(site: Any, body: Any, status: int, where: str) -> None:
    before = site.client.get(f"{API}/progress", params={"annotator": "ann"}).json()["everyone"]
    assert where in refused(site.client.post(f"{API}/answers", json=body), status)
    assert site.client.get(f"{API}/progress", params={"annotator": "ann"}).json()["everyone"] == before


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"x=1", "application/x-www-form-urlencoded", 422),
        (b"{}", "text/plain", 422),
        (b'{"annotator": "\\ud800", "answers": []}', "application/json", 422),
        (b'{"annotator": "a", "\\ud800": 1, "answers": []}', "application/json", 422),
        (b'{"annotator": "a", "answers": [{"kind": "\\ud800"}]}', "application/json", 422),
        (
            b'{"annotator": NaN, "answers": [{"kind": "judgment", "response_seconds": Infinity}]}',
            "application/json",
            422,
        ),
        (b" " * (2**20 + 1), "application/json", 413),
    ],
)
@pytest.mark.parametrize("route", ["answers", "undo"])
def test_bodies_that_make_no_sense(site: Any, content: bytes, kind: str, status: int, route: str) -> None:
    refused(site.client.post(f"{API}/{route}", content=content, headers={"content-type": kind}), status)


def test_a_body_without_a_length_is_limited_too(site: Any) -> None:
    sent = 0

    def endless() -> Any:
        nonlocal sent
        while sent < 500:
            sent += 1
            yield bytes(2**16)

    refused(site.client.post(f"{API}/answers", content=endless(), headers={"content-type": "application/json"}), 413)
    assert sent < 400


def test_parameters_out_of_range(site: Any) -> None:
    for route in ("questions", "progress"):
        assert "annotator" in refused(site.client.get(f"{API}/{route}"), 422)
        assert "annotator" in refused(site.client.get(f"{API}/{route}", params={"annotator": " "}), 422)
    for name, value in (("count", 0), ("count", 51), ("candidates", 1), ("candidates", 4), ("count", "many")):
        assert name in refused(site.client.get(f"{API}/questions", params={"annotator": "ann", name: value}), 422)
    assert "ids" in refused(site.client.post(f"{API}/undo", json={"annotator": "ann", "ids": []}), 422)


def test_nobody_undoes_for_another_and_no_other_site_posts(site: Any) -> None:
    sent = judgment(ask(site, "ann")[0])
    assert send(site, "ann", sent).json()["new"] == 1
    body = {"annotator": "bob", "ids": [sent["id"]]}
    assert "is not by 'bob'" in refused(site.client.post(f"{API}/undo", json=body), 422)
    headers = {"origin": "https://evil.example"}
    refused(site.client.post(f"{API}/undo", json=body | {"annotator": "ann"}, headers=headers), 403)


def test_the_schema_says_what_bodies_are(site: Any) -> None:
    schema = site.client.get("/api/v1/openapi.json").json()
    body = schema["paths"][f"{API}/answers"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["$ref"].endswith("/AnswersBody")
    kinds = schema["components"]["schemas"]["AnswersBody"]["properties"]["answers"]["items"]["discriminator"]["mapping"]
    assert set(kinds) == {"judgment", "ranking", "skip"}
    failure = schema["paths"][f"{API}/answers"]["post"]["responses"]["422"]["content"]["application/json"]["schema"]
    assert failure["$ref"].endswith("/Failure")
