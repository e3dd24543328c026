"""What a process of the cluster does: read files, encode them. It knows nothing of Ray, and writes nothing."""

from __future__ import annotations

import platform
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import closing
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike.core.errors import ClusterError
from lookalike.embedding.encoder import Encoder, load_encoder
from lookalike.embedding.fill import Filled, Prepared, finish, opened, prepare
from lookalike.encoders.spec import EncoderSpec
from lookalike.images.folder import ImageFile
from lookalike.images.sources.opening import open_source

__all__ = ["Chunk", "Hashes", "KnownHashes", "Worker", "known_hashes"]

Chunk: TypeAlias = Sequence[Sequence[ImageFile]]
"""Batches of files: what one call takes, grouped as the local run groups them."""

Hashes: TypeAlias = NDArray[np.bytes_]
"""Raw SHA-256 of contents, sorted, (N,) of 32 bytes: the processes of one machine read one copy of it."""


def known_hashes(encoded: Sequence[str]) -> Hashes:
    """Lay hashes out so that they can be shared.

    Examples
    --------
    >>> "ab" * 32 in KnownHashes(known_hashes(["cd" * 32, "ab" * 32]))
    True
    """
    return np.sort(np.array([bytes.fromhex(digest) for digest in encoded], dtype="S32"))


class KnownHashes(Container[str]):
    """Which contents have been encoded before.

    Parameters
    ----------
    hashes : Hashes
    """

    def __init__(self, hashes: Hashes) -> None:
        self._hashes = hashes

    def __contains__(self, digest: object) -> bool:
        wanted = np.array(bytes.fromhex(str(digest)), dtype="S32")
        place = int(np.searchsorted(self._hashes, wanted))
        return place < len(self._hashes) and bool(self._hashes[place] == wanted)


class Worker:
    """Reads and encodes the files of one source.

    Parameters
    ----------
    source : str
        Its name; a folder as this machine sees it.
    """

    def __init__(self, source: str) -> None:
        self._source = open_source(source)
        self._encoder: Encoder | None = None

    def check(self, samples: Sequence[ImageFile]) -> None:
        """Make sure that the files can be seen from here: else every one of them would count as gone.

        Parameters
        ----------
        samples : sequence of ImageFile
            Some files that were in the source a moment ago.

        Raises
        ------
        ClusterError
            None of them is.
        StorageError
            The object store does not answer here, or has no key for this machine.
        """
        if not any(self._source.sees(sample) for sample in samples):
            name = self._source.name
            raise ClusterError(
                f"the machine {platform.node()} does not see {name.base}/{samples[0].shard or samples[0].path}: "
                "the photographs must be in a folder that every machine sees under the same name, or in an object store"
            )

    def load(self, name: str, device: str, samples: Sequence[ImageFile]) -> EncoderSpec:
        """Load the encoder, and return its card; see `check`."""
        self.check(samples)
        self._encoder = load_encoder(name, device=device)
        return self._encoder.spec

    def prepare(self, spec: EncoderSpec, chunk: Chunk, encoded: Hashes) -> tuple[None, list[Prepared]]:
        """Read and decode; of the two results the first, which is nothing, says that the second is there."""
        return None, list(self._prepared(spec, chunk, encoded))

    def finish(self, chunk: Iterable[Prepared]) -> Filled:
        """Encode what was decoded, here or elsewhere."""
        if self._encoder is None:
            raise RuntimeError("load comes first")
        out = Filled()
        for prepared in chunk:
            out.extend(finish(self._encoder, prepared))
        return out

    def fill(self, spec: EncoderSpec, chunk: Chunk, encoded: Hashes) -> Filled:
        """Do all steps; batch by batch, so that few decoded pictures are in memory."""
        return self.finish(self._prepared(spec, chunk, encoded))

    def _prepared(self, spec: EncoderSpec, chunk: Chunk, encoded: Hashes) -> Iterator[Prepared]:
        known = KnownHashes(encoded)
        with closing(opened(self._source, [file for batch in chunk for file in batch], iter(chunk))) as held:
            for batch in held:
                yield prepare(spec, batch, known)
