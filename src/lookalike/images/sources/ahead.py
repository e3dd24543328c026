"""Fetching contents a little ahead of those who decode them, within a bound of memory."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from lookalike.core.errors import ImageDecodeError
from lookalike.core.file_store import FileStore, refused
from lookalike.images.folder import ImageFile
from lookalike.images.reading import read_bytes
from lookalike.images.sources.base import LARGEST, Content, Held, Part

__all__ = ["fetched", "read_part"]

READERS = 8
"""Requests at once: a store answers each in tens of milliseconds."""

FILES, BYTES = 32, 64 * 2**20
"""So much is on its way or waits at most, or one picture that is larger."""

LARGE = 8 * 2**20
"""A picture of more is fetched by who decodes it, so that few are in memory."""

UNSAID = 2 * 2**20  # taken for the size of what has not told it


def fetched(
    wanted: Iterable[tuple[ImageFile, Content | Part]], fetch: Callable[[ImageFile, Part], bytes]
) -> Iterator[Held]:
    """Give contents in order, and fetch what has to be fetched in threads, ahead.

    Parameters
    ----------
    wanted : iterable
        Asked for one after the other, no further ahead than the bound.
    fetch : callable
        Raises an `ImageDecodeError` for what cannot be had; any other error ends it all.

    Examples
    --------
    >>> files = [(ImageFile(name, 1, 1), Part(name)) for name in "ab"]
    >>> [content for _, content in fetched(files, lambda file, part: part.address.encode())]
    [b'a', b'b']
    """
    pool = ThreadPoolExecutor(READERS, thread_name_prefix="lookalike-fetch")
    waiting: deque[tuple[ImageFile, Content | Future[bytes], int]] = deque()
    under_way = 0
    try:
        for file, content in wanted:
            size = len(content) if isinstance(content, bytes) else 0
            if not isinstance(content, Part):
                waiting.append((file, content, size))
            elif file.size > LARGE:
                waiting.append((file, partial(fetch, file, content), size))
            else:
                size = file.size if file.size > 0 else UNSAID
                waiting.append((file, pool.submit(fetch, file, content), size))
            under_way += size
            while waiting and (under_way > BYTES or len(waiting) > FILES):
                under_way -= waiting[0][2]
                yield _settled(*waiting.popleft()[:2])
        while waiting:
            yield _settled(*waiting.popleft()[:2])
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _settled(file: ImageFile, content: Content | Future[bytes]) -> Held:
    if not isinstance(content, Future):
        return file, content
    try:
        return file, content.result()
    except ImageDecodeError as error:
        return file, error


def read_part(part: Part) -> bytes:
    """Read a picture, or a part of a file, wherever it is.

    Raises
    ------
    ImageDecodeError
        It is not there, too large, or no file.
    StorageError
        The object store does not answer.
    """
    remote = re.fullmatch(r"(s3://[^/]+)/(.+)", part.address, re.DOTALL)
    if remote is None:
        return read_bytes(Path(part.address))
    store, key = FileStore(remote[1]), remote[2]
    try:
        with store.open(key) as handle:
            size = handle.size()
            if size > LARGEST:
                raise ImageDecodeError(part.address, f"it has {size / 2**20:,.0f} MB (limit {LARGEST // 2**20} MB)")
            data: bytes = handle.read_at(size, 0)
    except (OSError, RuntimeError) as error:
        raise ImageDecodeError(part.address, refused(error, f"cannot read {part.address}")) from None
    return data
