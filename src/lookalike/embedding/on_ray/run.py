"""One run over the workers of a cluster: chunks of files out, rows in.

A chunk is one call to a worker, which reads, decodes and encodes, gives back rows, and writes nothing. So a worker that
dies has left nothing half done: its chunks are done again by others, and what comes back is taken once. With GPUs a
chunk takes two calls: to a worker on a processor, which decodes, and to one on a GPU; the pictures go from the one to
the other without passing here.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lookalike.core.errors import ClusterError, EncoderError
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.fill import Filled
from lookalike.embedding.on_ray.pool import CALLS_EACH, Pool, is_lost
from lookalike.embedding.on_ray.worker import Chunk
from lookalike.encoders.spec import EncoderSpec
from lookalike.images.folder import ImageFile
from lookalike.images.sources.base import ImageSource, cut

__all__ = ["Run"]

CHUNK_IMAGES = 32

DEATHS = 6
"""A chunk at which so many workers died is taken for the reason."""

START_SECONDS = 600.0
"""How long to wait while there is no worker at all: a cluster may have to rent a machine."""


@dataclass(slots=True, eq=False)
class _Task:
    """A chunk on its way; `prepared` is where its decoded pictures are, between the two calls."""

    chunk: Chunk
    deaths: int = 0
    pool: Pool | None = None
    prepared: Any = None


class Run:
    """See the module.

    Parameters
    ----------
    ray : module
    readers, encoders : Pool
        The same where one worker does all steps.
    encoder : Encoder
        What the workers' encoder must be.
    encoded : reference of Hashes
        Of contents that need no encoding.
    """

    def __init__(self, ray: Any, readers: Pool, encoders: Pool, encoder: Encoder, encoded: Any) -> None:
        self._ray, self._readers, self._encoders, self._encoded = ray, readers, encoders, encoded
        self._encoder = encoder
        self._spec: EncoderSpec = encoder.spec
        self._new: deque[_Task] = deque()
        self._prepared: deque[_Task] = deque()
        self._away: dict[Any, _Task] = {}
        self._alone_since = time.monotonic()

    def results(self, source: ImageSource, files: Sequence[ImageFile]) -> Iterator[Filled]:
        """Yield what became of every chunk, in the order in which they finish.

        Raises
        ------
        ClusterError
            No worker could be started, or workers die of one and the same files.
        """
        try:
            while not self._encoders.ready:  # its card says how large a batch is
                self._take_in()
            self._new = self._chunks(source, files)
            left = len(self._new)
            while left:
                self._hand_out()
                for filled in self._take_in():
                    left -= 1
                    yield filled
        except (ConnectionError, self._ray.exceptions.RaySystemError) as error:
            raise ClusterError(
                f"the cluster went away ({error}): what was written stays, and the next run goes on from there"
            ) from error

    def _chunks(self, source: ImageSource, files: Sequence[ImageFile]) -> deque[_Task]:
        size = self._spec.batch
        parts = source.parts(files, size * max(1, CHUNK_IMAGES // size))
        return deque(_Task(list(cut(part, size))) for part in parts)

    def _hand_out(self) -> None:
        """Give every worker something to do, while there is something."""
        while self._prepared and self._encoders.free:
            task = self._prepared.popleft()
            self._send(task, self._encoders, "finish", task.prepared)
        one_call = self._readers is self._encoders
        while self._new and self._readers.free and len(self._prepared) < CALLS_EACH * self._encoders.size:
            task = self._new.popleft()
            self._send(task, self._readers, "fill" if one_call else "prepare", self._spec, task.chunk, self._encoded)

    def _send(self, task: _Task, pool: Pool, method: str, *arguments: Any) -> None:
        task.pool = pool
        if method == "prepare":
            ref, task.prepared = pool.call(method, *arguments, results=2)
        else:
            ref, task.prepared = pool.call(method, *arguments), None
        self._away[ref] = task

    def _take_in(self) -> list[Filled]:
        """Wait for something to happen, and return what has been filled."""
        pools = {self._readers, self._encoders}
        starting = {ref: pool for pool in pools for ref in pool.starting}
        if all(pool.ready for pool in pools):
            self._alone_since = time.monotonic()
        elif time.monotonic() - self._alone_since > START_SECONDS:
            raise ClusterError(f"no worker could be started in {START_SECONDS:.0f} s: the cluster has no room for one")
        done, _ = self._ray.wait([*self._away, *starting], num_returns=1, timeout=5.0, fetch_local=False)
        filled = []
        for ref in done:
            if ref in starting:
                self._check(starting[ref].started(ref))
            elif (said := self._settle(ref)) is not None:
                filled.append(said)
        return filled

    def _check(self, spec: EncoderSpec | None) -> None:
        """Look at the card of a worker's encoder: vectors of another version must not stand among ours."""
        if spec is None:
            return
        if spec.fingerprint != self._encoder.spec.fingerprint:
            raise EncoderError(
                f"{spec.name} is another version on a machine of the cluster: "
                "install the same lookalike, and put the same weights, on all machines"
            )
        self._spec = spec

    def _settle(self, ref: Any) -> Filled | None:
        """Take in a finished call; a lost one is done again."""
        task = self._away.pop(ref)
        assert task.pool is not None
        try:
            said = task.pool.result(ref)
        except self._ray.exceptions.RayError as error:
            if not is_lost(self._ray, error):
                raise
            task.deaths += 1
            task.prepared = None
            if task.deaths >= DEATHS:
                files = [file.path for batch in task.chunk for file in batch]
                raise ClusterError(
                    f"{DEATHS} workers died one after another of the files {files[0]} to {files[-1]}: "
                    "one of them may need more memory than a worker has"
                ) from error
            self._new.appendleft(task)
            return None
        if task.prepared is not None:
            self._prepared.append(task)
            return None
        filled: Filled = said
        return filled
