"""Several processes that train one network: started by ``torchrun``, one per GPU.

This module imports torch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

from lookalike.core.errors import InputError
from lookalike.core.lanes import cores

__all__ = ["Processes", "joined_processes", "started_by_torchrun"]


@dataclass(frozen=True, slots=True)
class Processes:
    """Where a process stands among those that train together.

    Attributes
    ----------
    rank : int
        From 0; that one reads and writes checkpoints, and reports.
    count : int
    here : int
        How many of them run on this machine.
    """

    rank: int = 0
    count: int = 1
    here: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0

    @property
    def lanes(self) -> int:
        """Threads that read pictures: one per core that falls to a process, and one to wait for the disk."""
        return max(1, cores() // self.here) + 1

    def wait(self) -> None:
        """Wait until all processes have come this far."""
        if self.count > 1:
            distributed.barrier()

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Let the first go through a block alone, then all others: what it left on the disk is there for them."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()

    def wrap(self, network: nn.Module) -> nn.Module:
        """Make a network average its gradients over all processes, beginning with the weights of the first."""
        return network if self.count == 1 else DistributedDataParallel(network)

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the sum of a tensor over all processes."""
        if self.count > 1:
            tensor = tensor.clone()
            distributed.all_reduce(tensor)
        return tensor

    def align(self, network: nn.Module) -> None:
        """Give all processes the buffers of the first; their parameters are the same already."""
        if self.count > 1:
            for buffer in network.buffers():
                distributed.broadcast(buffer, 0)


def started_by_torchrun() -> bool:
    """Whether the environment says that this is one of several processes.

    Examples
    --------
    >>> started_by_torchrun()
    False
    """
    return os.environ.get("WORLD_SIZE", "1") != "1"


@contextmanager
def joined_processes(device: str = "auto") -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started, as its environment says; without it there is only this one.

    Parameters
    ----------
    device : str
        As in `lookalike.load_encoder`. On GPUs, each process takes the one of its number on this machine.

    Raises
    ------
    InputError
        The environment is incomplete, the others do not come, or there are fewer GPUs than processes here.

    Examples
    --------
    >>> with joined_processes() as processes:
    ...     processes.count
    1
    """
    if not started_by_torchrun():
        yield Processes()
        return
    on_gpu = torch.cuda.is_available() if device == "auto" else device.startswith("cuda")
    try:
        if on_gpu:
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        distributed.init_process_group("nccl" if on_gpu else "gloo")
    except (KeyError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__
        raise InputError(
            f"cannot join {os.environ.get('WORLD_SIZE')} processes ({reason}): start by torchrun"
        ) from error
    try:
        here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        yield Processes(distributed.get_rank(), distributed.get_world_size(), here)
        distributed.barrier()  # whoever leaves first would take the connections of the others with it
    finally:
        distributed.destroy_process_group()
