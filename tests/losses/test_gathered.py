"""Two processes that share their negatives: the mean of their losses and gradients is that of one process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from lookalike.losses.contrastive import nt_xent, paired_targets  # noqa: E402
from lookalike.losses.gathered import gathered_nt_xent, gathered_rows  # noqa: E402

PROGRAM = """
import sys, torch
from torch import distributed
from torch.nn.functional import normalize
from lookalike.losses.gathered import gathered_nt_xent

torch.set_num_threads(1)
distributed.init_process_group("gloo")
rank = distributed.get_rank()
held = torch.load(sys.argv[1], weights_only=True)
weights = held["weights"].requires_grad_()
temperature = held["temperature"].requires_grad_()
left, right = (normalize(held[side].chunk(2)[rank] @ weights) for side in ("left", "right"))
loss = gathered_nt_xent(left, right, temperature)
loss.backward()
for tensor in (loss.detach(), weights.grad, temperature.grad):
    distributed.all_reduce(tensor)
    tensor /= 2
if rank == 0:
    torch.save([loss.detach(), weights.grad, temperature.grad], sys.argv[1])
distributed.destroy_process_group()
"""


def test_two_processes_are_as_one(tmp_path: Path) -> None:
    rng = torch.Generator().manual_seed(0)
    drawn = {side: torch.randn(6, 5, generator=rng, dtype=torch.float64) for side in ("left", "right")}
    weights = torch.randn(5, 4, generator=rng, dtype=torch.float64)
    temperature = torch.tensor(0.2, dtype=torch.float64)
    torch.save({**drawn, "weights": weights, "temperature": temperature}, tmp_path / "held.pt")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    started = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, tmp_path / "held.pt"], env={**shared, "RANK": str(rank)})
        for rank in range(2)
    ]
    try:
        assert [one.wait(120) for one in started] == [0, 0]
    finally:
        for one in started:
            one.kill()
    found = torch.load(tmp_path / "held.pt", weights_only=True)
    weights.requires_grad_()
    temperature.requires_grad_()
    rows = torch.nn.functional.normalize(torch.cat([drawn["left"], drawn["right"]]) @ weights)
    loss = nt_xent(rows, paired_targets(6), temperature)
    loss.backward()
    torch.testing.assert_close(found, [loss.detach(), weights.grad, temperature.grad])


def test_one_process_alone_needs_no_group() -> None:
    rows = torch.nn.functional.normalize(torch.randn(6, 4, generator=torch.Generator().manual_seed(1)))
    assert gathered_rows(rows) is rows
    assert float(gathered_nt_xent(rows[:3], rows[3:], 0.1)) == float(nt_xent(rows, paired_targets(3), 0.1))
