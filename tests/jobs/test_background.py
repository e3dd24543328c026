"""Background jobs: one at a time, in processes of their own, that can be cancelled, killed and left alone."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

from lookalike.core.errors import InputError, LookalikeError, UnknownNameError, WorkspaceError
from lookalike.core.runs import read_run
from lookalike.embedding.collection import Collection
from lookalike.jobs.background import BackgroundJobs, Job, NoJobError
from lookalike.jobs.background_files import TURN
from lookalike.jobs.kept_leaderboard import is_out_of_date, list_standings, read_leaderboard
from lookalike.jobs.runs import NoRunError, list_runs, whole_run
from lookalike.jobs.tasks import choices, read_task
from lookalike.judgments.store import JudgmentStore
from lookalike.judgments.table import Judgments

INDEX = read_task({"task": "index"})


@pytest.fixture
def workspace(photos: Path) -> Path:
    """A collection of 24 photographs, and 60 judgments about them."""
    collection = Collection.create(photos.parent / ".lookalike", photos)
    collection.sync()
    ids = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.jpg"))
    rng = np.random.default_rng(0)
    asked = np.array([rng.choice(ids, 3, replace=False) for _ in range(60)]).T
    answers = Judgments.from_ids(*asked, [1] * 60, [0] * 60, context=[name[0] for name in asked[0]])
    JudgmentStore(collection.workspace.judgments_file).import_judgments(answers, "people.csv", "d1")
    return collection.workspace.path


@pytest.fixture
def jobs(workspace: Path) -> Iterator[BackgroundJobs]:
    made = BackgroundJobs(workspace)
    yield made
    made.close()


def wait(jobs: BackgroundJobs, id: str, ready: Callable[[Job], bool] = lambda job: job.over) -> Job:
    deadline = time.monotonic() + 60
    while not ready(job := jobs.job(id)):
        assert time.monotonic() < deadline, job
        time.sleep(0.05)
    return job


def is_process(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def long_training(name: str = "slow") -> Any:
    parameters = {"epochs": 1_000_000, "width": 8}
    return read_task({"task": "train-adaptation", "name": name, "parameters": parameters, "measure": None})


def test_a_job_runs_in_a_process_of_its_own_and_leaves_a_run(
    jobs: BackgroundJobs, photos: Path, make_photo: Any
) -> None:
    make_photo(photos / "new.jpg", 99)
    (photos / "broken.jpg").write_bytes(b"no picture")
    begun = jobs.start(INDEX)
    assert begun.state in ("waiting", "running")
    job = wait(jobs, begun.id)
    assert (job.state, job.error) == ("done", None)
    assert job.result is not None
    assert (job.result["images"], job.result["added"]) == (25, 1)
    assert [one["path"] for one in job.result["rejected"]] == ["broken.jpg"]
    assert job.stages
    assert all(stage["done"] <= stage["total"] or stage["total"] == 0 for stage in job.stages)
    assert job.made <= (job.started or 0) <= (job.ended or 0)
    assert read_run(jobs.workspace.runs_folder, job.runs[0])["result"]["added"] == 1
    # Another server of the same workspace, or this one started again, tells the same.
    assert BackgroundJobs(jobs.workspace.path).jobs() == [job]


def test_jobs_work_one_after_the_other_in_their_order(jobs: BackgroundJobs) -> None:
    with FileLock(jobs.workspace.jobs_folder / TURN):
        begun = [jobs.start(INDEX) for _ in range(3)]
        assert len({job.id for job in begun}) == 3
        assert jobs.job(begun[0].id).state == "waiting"
    ended = [wait(jobs, job.id) for job in begun]
    assert [job.state for job in ended] == ["done"] * 3
    for first, second in pairwise(ended):
        assert (first.ended or 0) <= (second.started or 0) + 0.3
    assert [job.id for job in jobs.jobs()] == [job.id for job in reversed(begun)]


def test_a_running_job_is_cancelled_for_good(jobs: BackgroundJobs) -> None:
    pytest.importorskip("torch")
    begun = jobs.start(long_training())
    wait(jobs, begun.id, lambda job: bool(job.stages) and job.stages[-1]["done"] > 0)
    process = json.loads((jobs.workspace.jobs_folder / begun.id / "job.json").read_text())["pid"]
    job = jobs.cancel(begun.id)
    assert (job.state, job.error) == ("cancelled", "cancelled")
    assert jobs.cancel(begun.id) == job
    deadline = time.monotonic() + 5
    while is_process(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_process(process)
    assert not (jobs.workspace.models_folder / "slow.safetensors").exists()
    assert wait(jobs, jobs.start(INDEX).id).state == "done"


def test_a_waiting_job_is_cancelled_and_the_next_one_goes_on(jobs: BackgroundJobs) -> None:
    with FileLock(jobs.workspace.jobs_folder / TURN):
        first, second = jobs.start(INDEX), jobs.start(INDEX)
        assert jobs.cancel(first.id).state == "cancelled"
    assert wait(jobs, second.id).state == "done"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_job_has_failed(jobs: BackgroundJobs) -> None:
    with FileLock(jobs.workspace.jobs_folder / TURN):
        begun = jobs.start(INDEX)
        asked = json.loads((jobs.workspace.jobs_folder / begun.id / "job.json").read_text())
        os.kill(asked["pid"], signal.SIGKILL)
        job = wait(jobs, begun.id)
    assert job.state == "failed"
    assert "was killed" in (job.error or "")


def test_a_job_ends_with_its_server(workspace: Path) -> None:
    server = BackgroundJobs(workspace)
    with FileLock(server.workspace.jobs_folder / TURN):
        begun = server.start(INDEX)
        server.close()
    job = BackgroundJobs(workspace).job(begun.id)
    assert (job.state, job.error) == ("cancelled", "the server stopped")


def test_what_fails_says_why(jobs: BackgroundJobs) -> None:
    with jobs.workspace.lock():
        job = wait(jobs, jobs.start(INDEX).id)
    assert job.state == "failed"
    assert "another lookalike is writing" in (job.error or "")


def test_no_more_than_a_few_wait(jobs: BackgroundJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lookalike.jobs.background.MOST_WAITING", 1)
    with FileLock(jobs.workspace.jobs_folder / TURN):
        for _ in range(2):
            jobs.start(INDEX)
        with pytest.raises(WorkspaceError, match="waiting already"):
            jobs.start(INDEX)


@pytest.mark.parametrize("id", ["", "..", "../..", "20261121T214714.123456Z-index", "x\0y"])
def test_there_is_no_such_job(jobs: BackgroundJobs, id: str) -> None:
    with pytest.raises(NoJobError):
        jobs.job(id)
    with pytest.raises(NoJobError):
        jobs.cancel(id)


@pytest.mark.parametrize(
    ("task", "error", "says"),
    [
        ({"task": "index", "encoder": "onnx:/etc/passwd"}, UnknownNameError, "onnx:/etc/passwd"),
        ({"task": "train-adaptation", "name": "classic"}, InputError, "name of an encoder"),
        ({"task": "train-adaptation", "name": "a", "form": "odd"}, UnknownNameError, "form"),
        ({"task": "train-adaptation", "name": "a", "form": "within"}, InputError, "pairs alone"),
        ({"task": "train-adaptation", "name": "a", "parameters": {"epoch": 3}}, InputError, "no parameter 'epoch'"),
        ({"task": "train-adaptation", "name": "a", "parameters": {"epochs": 0}}, InputError, "epochs is at least 1"),
        ({"task": "train-adaptation", "name": "a", "parameters": {"seed": 0}}, InputError, "'seed' is given on its"),
        ({"task": "train-adaptation", "name": "a", "encoders": ["timm:x@/w.pth"]}, UnknownNameError, "timm"),
        ({"task": "train-adaptation", "name": "a", "features": "taps"}, UnknownNameError, "feature set"),
        ({"task": "train-adaptation", "name": "a", "source": "/etc/passwd"}, UnknownNameError, "import of judgments"),
        ({"task": "train-context", "parameters": {"start": "x"}}, InputError, "the model to start from"),
        ({"task": "train-context", "start": "x"}, UnknownNameError, "model"),
        ({"task": "train-context", "counts": [3]}, InputError, "set discover too"),
        ({"task": "train-contrastive", "name": "a", "loss": "odd"}, InputError, "odd"),
        ({"task": "train-quantizer", "name": "a", "parameters": {"words": "x"}}, InputError, "words"),
        ({"task": "combine", "kinds": ["grid"]}, InputError, "no models to combine"),
        ({"task": "combine", "kinds": ["grid"], "members": ["/m.safetensors"]}, UnknownNameError, "safetensors"),
        ({"task": "combine", "kinds": ["grid", "mlp"], "name": "a"}, InputError, "one kind"),
        ({"task": "combine", "kinds": ["grid"], "parameters": {"odd": 1}}, InputError, "odd"),
        ({"task": "evaluate"}, InputError, "no models to measure"),
        ({"task": "evaluate", "models": ["../x"]}, UnknownNameError, "model"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_at_once(
    workspace: Path, task: dict[str, Any], error: type[LookalikeError], says: str
) -> None:
    jobs = BackgroundJobs(workspace)
    with pytest.raises(error, match=says) as refused:
        jobs.start(read_task(task))
    assert "\n" not in str(refused.value)
    assert jobs.jobs() == []


def test_nothing_is_started_in_a_workspace_that_is_only_read(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_READ_ONLY", "1")
    with pytest.raises(WorkspaceError, match="read-only"):
        BackgroundJobs(workspace).start(INDEX)


def test_a_module_of_the_folder_the_server_was_started_in_is_not_run(
    jobs: BackgroundJobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "filelock.py").write_text("open('run', 'w')")
    assert wait(jobs, jobs.start(INDEX).id).state == "done"
    assert not (tmp_path / "run").exists()


def test_models_are_trained_combined_and_measured(jobs: BackgroundJobs) -> None:
    pytest.importorskip("torch")
    assert choices(jobs.workspace)["contexts"] == ["a", "b", "c"]
    few = {"epochs": 2, "members": 1}
    asked: list[dict[str, Any]] = [
        {"task": "train-global", "name": "all", "parameters": few, "measure": {"by": "reference", "folds": 2}},
        {"task": "combine", "kinds": ["vote", "grid"], "folds": {"by": "reference", "folds": 2}},
        {"task": "evaluate", "folds": {"by": "reference", "folds": 2}},
    ]
    for one in asked:
        job = wait(jobs, jobs.start(read_task(one)).id)
        assert (job.state, job.error) == ("done", None)
        assert job.runs
    kept = read_leaderboard(jobs.workspace)
    assert kept is not None
    assert {"all", "vote", "grid", "mlp", "gate"} < {row["model"] for row in kept["rows"]}
    assert not is_out_of_date(jobs.workspace)
    assert all(set(row["by_context"]) == {"a", "b", "c"} for row in kept["rows"])
    by_reference = kept["by_reference"]
    assert np.shape(by_reference["agreement"]) == (len(kept["rows"]), len(by_reference["references"]))
    assert {one["name"]: one["passes"] for one in list_standings(jobs.workspace)} == {"all": 2, "grid": 0, "vote": 0}
    runs, total = list_runs(jobs.workspace)
    assert total == len(runs) == 4  # two of `combine`
    assert [run["command"] for run in runs[:3]] == ["evaluate", "combine", "combine"]
    assert len(whole_run(jobs.workspace, next(run["id"] for run in runs if run["passes"]))["result"]["history"]) == 2
    with pytest.raises(NoRunError):
        whole_run(jobs.workspace, "../../etc/passwd")
    assert choices(jobs.workspace)["models"] == ["all"]
    assert choices(jobs.workspace)["ensembles"] == ["grid", "vote"]


def test_the_server_itself_loads_nothing_heavy() -> None:
    import subprocess

    script = "import sys, lookalike.web.app; print([m for m in ('torch', 'sklearn', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
