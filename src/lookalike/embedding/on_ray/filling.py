"""Files become rows on the machines of a cluster; whoever asked for it writes them."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from types import TracebackType
from typing import Any

from lookalike.core.errors import ClusterError, InputError
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.fill import Filled
from lookalike.embedding.on_ray.cluster import check_place, connected
from lookalike.embedding.on_ray.pool import Pool
from lookalike.embedding.on_ray.run import Run
from lookalike.embedding.on_ray.worker import Worker, known_hashes
from lookalike.images.folder import ImageFile
from lookalike.images.sources.base import ImageSource

__all__ = ["RayFilling"]

SAMPLES = 20


class RayFilling:
    """Decodes and encodes on a Ray cluster; a `Filling` for `Collection.sync`. Use it in a ``with`` block.

    The cluster is not touched before there is something to encode; workers stay for the whole block.

    Parameters
    ----------
    place : str
        ``"ray"`` for this machine, or ``"ray://HOST:PORT"``.
    workers : int, optional
        Processes, each on a processor; without it, one on every processor of the cluster.
    gpus : int
        How many GPUs to encode on, by one process each; the other processes then decode.

    Raises
    ------
    InputError
        There is no such place, or a number is out of range.

    Examples
    --------
    >>> with RayFilling("ray", workers=2) as filling:       # nothing to encode: no cluster is started
    ...     pass
    >>> RayFilling("ray", workers=0)
    Traceback (most recent call last):
    lookalike.core.errors.InputError: workers must be at least 1, not 0
    """

    def __init__(self, place: str, workers: int | None = None, gpus: int = 0) -> None:
        check_place(place)
        if place == "local":
            raise InputError("local is this process: name a cluster, ray or ray://HOST:PORT")
        if workers is not None and workers < 1:
            raise InputError(f"workers must be at least 1, not {workers}")
        if gpus < 0:
            raise InputError(f"gpus must be 0 or more, not {gpus}")
        self._place, self._workers, self._gpus = place, workers, gpus
        self._stack = contextlib.ExitStack()
        self._ray: Any = None
        self._pools: tuple[Pool, Pool] | None = None
        self._made_for = ("", "")

    def __enter__(self) -> RayFilling:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_pools()
        self._stack.close()

    def __call__(
        self, encoder: Encoder, source: ImageSource, files: Sequence[ImageFile], encoded: Collection[str], /
    ) -> Iterator[Filled]:
        """Encode files; see `lookalike.embedding.fill.fill`.

        Raises
        ------
        ClusterError
            Ray is absent, the cluster does not answer, its machines do not see the files, or its workers die of one
            and the same files.
        StorageError
            The object store does not answer its machines, or they have no key.
        EncoderError
            Workers have another version of the encoder, or cannot load it.
        """
        if not files:
            return
        if self._ray is None:
            self._ray = self._stack.enter_context(connected(self._place))
        readers, encoders = self._opened(encoder, source, files)
        run = Run(self._ray, readers, encoders, encoder, self._ray.put(known_hashes(list(encoded))))
        try:
            yield from run.results(source, files)
        except BaseException:
            self._close_pools()  # with whatever they are still at
            raise

    def _opened(self, encoder: Encoder, source: ImageSource, files: Sequence[ImageFile]) -> tuple[Pool, Pool]:
        """Return the workers that read and those that encode: the same ones, where there are no GPUs."""
        made_for = (source.name.text, encoder.spec.fingerprint)
        if self._pools is not None and self._made_for == made_for:
            return self._pools
        self._close_pools()
        samples = list(files[:SAMPLES])
        processors = self._processors()
        ray, arguments = self._ray, [source.name.text]
        if not self._gpus:
            both = Pool(
                ray, processors, 0, Worker, arguments, lambda one: one.load.remote(encoder.name, "cpu", samples)
            )
            self._pools = both, both
        else:
            self._pools = (
                Pool(ray, processors, 0, Worker, arguments, lambda one: one.check.remote(samples)),
                Pool(ray, self._gpus, 1, Worker, arguments, lambda one: one.load.remote(encoder.name, "auto", samples)),
            )
        self._made_for = made_for
        return self._pools

    def _processors(self) -> int:
        """Count the workers on processors; those on GPUs need a processor each as well."""
        there = self._ray.cluster_resources()
        if there.get("GPU", 0) < self._gpus:
            raise ClusterError(f"there are {there.get('GPU', 0):.0f} GPUs in the cluster, not {self._gpus}")
        return self._workers or max(1, int(there.get("CPU", 0)) - self._gpus)

    def _close_pools(self) -> None:
        for pool in set(self._pools or ()):
            pool.close()
        self._pools = None
