"""Workers of one kind on a cluster: started, given calls, and replaced when they die."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from lookalike.core.errors import ClusterError, LookalikeError

__all__ = ["Pool", "is_lost", "raise_cause"]

CALLS_EACH = 2
"""Calls that a worker has at once: one waits for the disk, or is on its way, while the other computes."""

STARTS_LOST = 3  # more workers than this, and than there should be, that die before they are ready: give up


@dataclass(slots=True, eq=False)
class _Member:
    actor: Any
    calls: int = 0


class Pool:
    """Workers of one kind.

    A worker that dies is replaced wherever the cluster has room, and gets calls once it is ready; until then, and for
    good where there is no room, the others do the work. Ray's own restarts would leave the calls of a lost machine
    waiting for a machine that does not come back.

    Parameters
    ----------
    ray : module
    workers : int
        How many.
    gpus : int
        How many GPUs each has for itself.
    kind, arguments : type, sequence
        The class of the workers, and what it is made with.
    begin : callable
        Of a new actor; makes the call that gets it ready.
    """

    def __init__(
        self, ray: Any, workers: int, gpus: int, kind: type, arguments: Sequence[Any], begin: Callable[[Any], Any]
    ) -> None:
        self._ray, self._begin, self._arguments = ray, begin, arguments
        self.size = workers
        self._kind = ray.remote(kind).options(
            num_cpus=1, num_gpus=gpus, max_restarts=0, max_concurrency=CALLS_EACH, scheduling_strategy="SPREAD"
        )
        self._ready: list[_Member] = []
        self._starting: dict[Any, _Member] = {}
        self._at: dict[Any, _Member] = {}
        self._lost_starts = 0
        for _ in range(workers):
            self._start()

    @property
    def starting(self) -> list[Any]:
        """Workers that are not ready yet: what to wait for, and to give to `started`."""
        return list(self._starting)

    @property
    def ready(self) -> bool:
        """Whether any worker is there to do the work."""
        return bool(self._ready)

    @property
    def free(self) -> bool:
        """Whether a worker could take a call."""
        return any(member.calls < CALLS_EACH for member in self._ready)

    def call(self, method: str, *arguments: Any, results: int = 1) -> Any:
        """Give a call to the worker that has the fewest.

        Returns what to wait for, and to give to `result`; or, of several results, a list that begins with it.
        """
        member = min(self._ready, key=lambda one: one.calls)
        given = getattr(member.actor, method).options(num_returns=results).remote(*arguments)
        member.calls += 1
        self._at[given if results == 1 else given[0]] = member
        return given

    def started(self, ref: Any) -> Any:
        """Take in a worker that has got ready, and return what it said; None for one that died of it.

        Raises
        ------
        LookalikeError
            It cannot do the work, and says why, or too many have died.
        """
        member = self._starting.pop(ref)
        try:
            said = self._ray.get(ref)
        except Exception as error:
            if not is_lost(self._ray, error):
                raise_cause(error)
            self._lost_starts += 1
            if self._lost_starts > max(STARTS_LOST, self.size):
                raise ClusterError(f"workers die as they start: {_why(error)}") from error
            self._start()
            return None
        self._ready.append(member)
        return said

    def result(self, ref: Any) -> Any:
        """Return what a call gave; raises what `is_lost` knows where its worker, or what it was to work on, is gone."""
        member = self._at.pop(ref)
        member.calls -= 1
        try:
            return self._ray.get(ref)
        except Exception as error:
            if isinstance(error, self._ray.exceptions.RayActorError) and member in self._ready:
                self._ready.remove(member)
                self._ray.kill(member.actor)  # it may live, beyond a broken network
                self._start()
            if not is_lost(self._ray, error):
                raise_cause(error)
            raise

    def close(self) -> None:
        """End all workers."""
        for member in [*self._ready, *self._starting.values()]:
            self._ray.kill(member.actor)

    def _start(self) -> None:
        actor = self._kind.remote(*self._arguments)
        self._starting[self._begin(actor)] = _Member(actor)


def is_lost(ray: Any, error: Exception) -> bool:
    """Tell a worker or data that are gone, which another worker makes good, from an error in the work."""
    kinds = ray.exceptions
    gone = (kinds.RayActorError, kinds.OutOfMemoryError, kinds.NodeDiedError, kinds.ObjectLostError)
    return isinstance(error, gone) or isinstance(getattr(error, "cause", None), gone)


def raise_cause(error: Exception) -> NoReturn:
    """Raise what went wrong in a worker as it was there."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, LookalikeError):
        raise cause from None
    raise error


def _why(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
