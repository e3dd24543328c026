"""``/api/v1/jobs``: started, followed and cancelled over HTTP; who may; and what is refused."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest
from filelock import FileLock

from lookalike.core.workspace import Workspace
from lookalike.jobs.background_files import TURN
from lookalike.web.doors import needed


def over(ask: Any, id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while (job := ask(id))["state"] in ("waiting", "running"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return dict(job)


def test_a_job_is_started_and_followed_to_its_end(site: Any) -> None:
    answer = site.client.post("/api/v1/jobs", json={"task": "index"})
    assert answer.status_code == 202
    job = answer.json()
    assert job["title"] == "Index the photographs"
    told = []
    with site.client.stream("GET", f"/api/v1/jobs/{job['id']}/events", timeout=60) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["x-content-type-options"] == "nosniff"
        for line in stream.iter_lines():
            if line.startswith("event: "):
                told.append([line[7:]])
            elif line.startswith("data: "):
                told[-1].append(json.loads(line[6:]))
    assert [kind for kind, _ in told[:-1]] == ["progress"] * (len(told) - 1)
    kind, end = told[-1]
    assert (kind, end["state"], end["result"]["images"]) == ("end", "done", 13)
    assert site.client.get(f"/api/v1/jobs/{job['id']}").json() == end
    assert site.client.get("/api/v1/jobs").json()["jobs"][0] == end
    run = site.client.get(f"/api/v1/runs/{end['runs'][0]}").json()
    assert (run["command"], run["result"]["images"]) == ("index", 13)
    listed = site.client.get("/api/v1/runs", params={"limit": 1}).json()
    assert listed["runs"][0]["id"] == run["id"]
    assert site.client.get("/api/v1/runs", params={"before": run["id"]}).json()["total"] == listed["total"]


def test_a_job_is_cancelled(site: Any) -> None:
    folder = site.collection.workspace.jobs_folder
    folder.mkdir(exist_ok=True)
    with FileLock(folder / TURN):
        id = site.client.post("/api/v1/jobs", json={"task": "index"}).json()["id"]
        cancelled = site.client.delete(f"/api/v1/jobs/{id}").json()
    assert cancelled["state"] == "cancelled"
    with site.client.stream("GET", f"/api/v1/jobs/{id}/events") as stream:
        assert next(stream.iter_lines()) == "event: end"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"task": "remove-all"}, "tag"),
        ({}, "task"),
        ({"task": "index", "photos": "/etc"}, "photos"),
        ({"task": "index", "encoder": "onnx:/etc/passwd"}, "no encoder to use from here 'onnx:/etc/passwd'"),
        ({"task": "train-adaptation", "name": "../x"}, "name"),
        ({"task": "train-adaptation", "name": "x", "plot": "/tmp/x.png"}, "plot"),
        ({"task": "train-adaptation", "name": "x", "parameters": {"epochs": {"a": 1}}}, "epochs"),
        ({"task": "train-adaptation", "name": "x", "parameters": {"epochs": "--workspace=/"}}, "epochs"),
        ({"task": "train-contrastive", "name": "x", "augmentation": "/etc/views.json"}, "augmentation"),
        ({"task": "combine", "kinds": []}, "kinds"),
        ({"task": "evaluate", "folds": {"by": "luck"}}, "folds"),
        ([], "body"),
    ],
)
def test_a_bad_job_is_refused_in_one_line(site: Any, body: Any, says: str) -> None:
    before = site.client.get("/api/v1/jobs").json()["jobs"]
    answer = site.client.post("/api/v1/jobs", json=body)
    assert answer.status_code == 422, answer.text
    assert says in answer.json()["error"]
    assert "\n" not in answer.json()["error"]
    assert site.client.get("/api/v1/jobs").json()["jobs"] == before


@pytest.mark.parametrize("path", ["/jobs/no", "/jobs/no/events", "/jobs/20261121T214714.123456Z-index", "/runs/no"])
def test_what_is_not_there_is_404(site: Any, path: str) -> None:
    answer = site.client.get(f"/api/v1{path}")
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("there is no")


def test_a_leaderboard_without_models_is_empty(site: Any) -> None:
    found = site.client.get("/api/v1/leaderboard").json()
    assert found == {"measured": None, "out_of_date": False, "models": []}
    assert site.client.get("/api/v1/jobs/choices").json()["encoders"][0] == "compact"


def test_an_admin_starts_and_cancels_and_a_reader_sees(closed: Any) -> None:
    assert closed.ask("POST", "/api/v1/jobs", "annotator", json={"task": "index"}).status_code == 403
    begun = closed.ask("POST", "/api/v1/jobs", "admin", json={"task": "index"})
    assert begun.status_code == 202
    path = f"/api/v1/jobs/{begun.json()['id']}"
    assert closed.ask("DELETE", path, "annotator").status_code == 403
    assert closed.ask("GET", path, "reader").status_code == 200
    assert over(lambda _: closed.ask("GET", path, "reader").json(), path)["state"] == "done"
    assert closed.ask("DELETE", path, "admin").json()["state"] == "done"
    for other in ("/api/v1/leaderboard", "/api/v1/runs", "/api/v1/jobs/choices"):
        assert closed.ask("GET", other, "reader").status_code == 200
        assert httpx.get(closed.url + other, trust_env=False).status_code == 401


def test_every_way_to_change_a_job_wants_an_admin() -> None:
    for path in ("/api/v1/jobs", "/api/v1/jobs/", "/api/v1/jobs/x", "/api/v1/jobs/x/anything-new"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            role = needed(path, method)
            assert role is not None
            assert role.name == "ADMIN"


def test_jobs_of_a_workspace_are_in_its_folder(site: Any) -> None:
    assert Workspace(site.collection.workspace.path).jobs_folder.is_dir()
