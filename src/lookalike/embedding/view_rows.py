"""What a network says of many pictures in several views, kept on disk: encoded once, read in every pass."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookalike.core.lanes import cores
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.core.types import Pixels
from lookalike.embedding.encoder import Encoder
from lookalike.embedding.kept_views import mapped, views_digest
from lookalike.embedding.lens import Lens

__all__ = ["view_rows"]

AT_ONCE = 64


def view_rows(
    folder: Path,
    encoder: Encoder,
    files: Sequence[Path],
    lenses: Sequence[Lens | None],
    on_progress: OnProgress = silent,
) -> NDArray[np.float16]:
    """Encode pictures through lenses, as they are seen there and mirrored.

    Parameters
    ----------
    folder : Path
        Where the rows are kept; made if it is not there. What another run made there of the same pictures is taken.
    encoder : Encoder
    files : sequence of Path
        One per picture.
    lenses : sequence of Lens or None
        None looks plainly.
    on_progress : callable

    Returns
    -------
    float16 (2, L, N, dim)
        As they are and mirrored, by lens and picture; mapped from a file.

    Raises
    ------
    ImageDecodeError
        A file cannot be read.
    StorageError
        The folder cannot be written, or the disk has no room for all of them.

    Examples
    --------
    >>> import tempfile
    >>> from lookalike.embedding.encoder import load_encoder
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.new("RGB", (40, 30), "red").save(folder / "red.png")
    >>> rows = view_rows(folder / "rows", load_encoder("compact"), [folder / "red.png"], [None])
    >>> rows.shape, bool(np.allclose(rows[0], rows[1], atol=0.02))
    ((2, 1, 1, 256), True)
    """
    digest = views_digest(encoder.spec, files, lenses, encoder.spec.fingerprint)
    rows: NDArray[np.float16] = mapped(folder / f"{digest}.rows", (2, len(lenses), len(files), encoder.dim), np.float16)
    # A row counts as there once its mark is; it is set after the row.
    there = mapped(folder / f"{digest}.marks", (len(lenses), len(files)))
    done, total = int(there.sum()), there.size
    with ThreadPoolExecutor(cores()) as threads:
        for number, lens in enumerate(lenses):
            left = np.flatnonzero(there[number] == 0)
            for start in range(0, len(left), AT_ONCE):
                some = left[start : start + AT_ONCE]
                shown = np.stack([*threads.map(lambda place, lens=lens: _seen(encoder, files[place], lens), some)])
                rows[0, number, some] = encoder.forward(shown)
                rows[1, number, some] = encoder.forward(shown[:, :, ::-1])
                there[number, some] = 1
                done += len(some)
                on_progress(Progress("encoding views", done, total))
    return rows


def _seen(encoder: Encoder, path: Path, lens: Lens | None) -> Pixels:
    return encoder.pixels(path) if lens is None else lens.pixels(encoder, path)
