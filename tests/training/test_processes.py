"""Several processes see together what one would have seen; one that is killed goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lookalike.core.errors import InputError  # noqa: E402
from lookalike.training.checkpoints import Checkpoints, changing  # noqa: E402
from lookalike.training.processes import Processes, joined_processes, started_by_torchrun  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")

PROGRAM = """
import json, os, signal, sys
from pathlib import Path
import numpy as np, torch

tests, folder, cut = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
sys.path.insert(0, str(tests))
from conftest import make_toy, make_world
from lookalike.similarity.heads import HEADS
from lookalike.training.checkpoints import Checkpoints, changing
from lookalike.training.finetune_settings import finetune_settings
from lookalike.training.finetuning import Finetuning
from lookalike.training.processes import joined_processes
from lookalike.training.questions import questions_of

torch.set_num_threads(1)


def tell(progress):
    if progress.stage == "training" and progress.done == cut:
        os.kill(os.getpid(), signal.SIGKILL)


def train(processes, checkpoints=None):
    world = make_world(folder)
    given = {"epochs": 2, "batch": 16, "learning_rate": 0.01, "keep": "last", "checkpoint_minutes": 1e-9}
    settings, rows = finetune_settings(given), world.judgments.split("reference", 4, 0)[0]
    questions = questions_of(world.judgments, rows.train_rows[:50], rows.test_rows)
    encoder, head = make_toy(folder), HEADS["antisymmetric"]
    start = head.start(encoder.spec.dim, np.random.default_rng(0))
    run = Finetuning(encoder, head.formula, start, world.files, questions, settings, processes)
    return run, run.train(checkpoints, on_progress=tell)


def keep(processes, run, done):
    tensors = {name: value.numpy() for name, value in changing(run._network).items()}
    np.savez(folder / f"{processes.rank}.npz", **tensors)
    held = [done.after.distance_a.tolist(), done.after.distance_b.tolist()]
    (folder / f"{processes.rank}.json").write_text(json.dumps([processes.count, done.history, held]))


def main():
    with joined_processes("cpu") as processes:
        checkpoints = Checkpoints(folder / "checkpoints", "this") if cut else None
        keep(processes, *train(processes, checkpoints))


if __name__ == "__main__":
    main()
"""


def start(folder: Path, cut: int = 0, **environment: str) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    asked = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(folder), str(cut)]
    return subprocess.Popen(asked, env={**os.environ, "OMP_NUM_THREADS": "1", **environment})


def here(folder: Path) -> dict[str, Any]:
    """Return what the program defines, for this process."""
    folder.mkdir(exist_ok=True)
    names: dict[str, Any] = {"__name__": "program"}
    argv, sys.argv = sys.argv, ["", str(Path(__file__).parent), str(folder), "0"]
    try:
        exec(compile(PROGRAM, "program", "exec"), names)
        return names
    finally:
        sys.argv = argv
        sys.path.remove(str(Path(__file__).parent))


def test_two_processes_as_one_and_one_that_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    killed = start(tmp_path / "killed", cut=6)
    group = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    other = start(tmp_path / "two", RANK="1", LOCAL_RANK="1", **group)
    whole, expected = here(tmp_path / "one")["train"](Processes())
    with monkeypatch.context() as joined:
        for name, value in {**group, "RANK": "0", "LOCAL_RANK": "0"}.items():
            joined.setenv(name, value)
        assert started_by_torchrun()
        here(tmp_path / "two")["main"]()
    assert other.wait(120) == 0
    assert killed.wait(120) == -signal.SIGKILL

    checkpoints = Checkpoints(tmp_path / "killed" / "checkpoints", "this")
    resumed, done = here(tmp_path / "killed")["train"](Processes(), checkpoints)
    weights = changing(whole._network)
    assert done.history == expected.history
    assert all(torch.equal(value, weights[name]) for name, value in changing(resumed._network).items())

    told = [json.loads((tmp_path / "two" / f"{rank}.json").read_text()) for rank in "01"]
    assert told[0] == told[1]
    count, history, held = told[0]
    assert count == 2
    for one, both in zip(expected.history, history, strict=True):
        assert both == pytest.approx(one, rel=1e-3)
    np.testing.assert_allclose(held, [expected.after.distance_a, expected.after.distance_b], atol=1e-3)
    for rank in "01":
        with np.load(tmp_path / "two" / f"{rank}.npz") as tensors:
            for name, value in weights.items():
                np.testing.assert_allclose(tensors[name], value, rtol=1e-3, atol=1e-4, err_msg=name)


def test_alone_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    with joined_processes() as alone:
        assert (alone.rank, alone.count, alone.first) == (0, 1, True)
        layer, numbers = torch.nn.Linear(2, 2), torch.ones(2)
        assert alone.wrap(layer) is layer
        assert alone.sum(numbers) is numbers
        alone.wait()
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not started_by_torchrun()


def test_processes_of_one_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lookalike.training.processes.cores", lambda: 8)
    assert [Processes(0, 4, here).lanes for here in (1, 4, 16)] == [9, 3, 2]


def test_an_environment_that_lacks_something_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with (
        pytest.raises(InputError, match=r"cannot join 2 processes \(.*RANK.*\): start by torchrun"),
        joined_processes(),
    ):
        pass
