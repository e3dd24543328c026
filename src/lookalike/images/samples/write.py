"""Sample photos on disk: one JPEG per scene, and a table of the scenes as the ground truth."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from lookalike.core.errors import InputError
from lookalike.core.files import write_aside
from lookalike.core.progress import OnProgress, Progress, silent
from lookalike.images.samples.render import render
from lookalike.images.samples.scene import FACTORS, Scene

__all__ = ["SCENES_FILE", "read_scenes", "write_samples"]

SCENES_FILE = "scenes.csv"
"""Name of the table beside the folders of pictures."""

_COLUMNS = ("path", "context", "seed", *FACTORS)


def write_samples(
    folder: Path,
    scenes: Sequence[Scene],
    size: int = 224,
    quality: int = 92,
    on_progress: OnProgress = silent,
) -> list[Path]:
    """Render scenes into ``folder/CONTEXT/NNNN.jpg``, and list them in ``folder/scenes.csv``.

    Pictures are rendered by as many threads as there are cores. Each file appears whole or not at all; the table is
    written last, so where it is, all of its pictures are.

    Parameters
    ----------
    folder : Path
        Made if absent; files of the same names are replaced.
    scenes : sequence of Scene
        Numbered from 0 within each context, in this order.
    size : int
        Side of the pictures in pixels, at least 64.
    quality : int
        Of the JPEGs, 1 to 95.
    on_progress : callable
        Called after each picture.

    Returns
    -------
    list of Path
        The pictures, in the order of the scenes.

    Raises
    ------
    InputError
        The size or the quality is out of range.
    StorageError
        The folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> [path] = write_samples(folder, [Scene("abstract", (0.5,) * 9, seed=1)], size=64)
    >>> path.relative_to(folder).as_posix()
    'abstract/0000.jpg'
    """
    if not 1 <= quality <= 95:
        raise InputError(f"the quality of a JPEG is from 1 to 95, not {quality}")
    names = _names(scenes)
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for done, (name, data) in enumerate(zip(names, _encoded(pool, scenes, size, quality), strict=True)):
            with write_aside(folder / name) as aside:
                aside.write_bytes(data)
            on_progress(Progress("rendering", done + 1, len(scenes)))
    with write_aside(folder / SCENES_FILE) as aside, aside.open("w", newline="", encoding="utf-8") as table:
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(_COLUMNS)
        for name, scene in zip(names, scenes, strict=True):
            rows.writerow([name, scene.context, scene.seed, *(repr(value) for value in scene.factors)])
    return [folder / name for name in names]


def read_scenes(path: Path) -> list[tuple[str, Scene]]:
    r"""Read the table that `write_samples` wrote.

    Parameters
    ----------
    path : Path
        The file ``scenes.csv``.

    Returns
    -------
    list of (str, Scene)
        The picture's path, relative to the table's folder and with ``/``, and what it shows.

    Raises
    ------
    InputError
        The file is absent, lacks a column, or a row is not a scene; the message names the line.

    Examples
    --------
    >>> import tempfile
    >>> table = Path(tempfile.mkdtemp()) / "scenes.csv"
    >>> _ = table.write_text("path,context,seed," + ",".join(FACTORS) + "\nocean/0000.jpg,ocean,7" + ",0.25" * 9)
    >>> [(name, scene)] = read_scenes(table)
    >>> name, scene.seed
    ('ocean/0000.jpg', 7)
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a table of scenes ({error})") from None
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in _COLUMNS if name not in (reader.fieldnames or [])]
    if missing:
        raise InputError(f"{path}: not a table of scenes, the column {missing[0]} is missing")
    return [_read_row(path, reader.line_num, row) for row in reader]


def _read_row(path: Path, line: int, row: dict[str, str]) -> tuple[str, Scene]:
    try:
        factors = tuple(float(row[name]) for name in FACTORS)
        return row["path"], Scene(row["context"], factors, int(row["seed"]))
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}, line {line}: not a scene ({error})") from None


def _names(scenes: Sequence[Scene]) -> list[str]:
    seen: Counter[str] = Counter()
    names = []
    for scene in scenes:
        names.append(f"{scene.context}/{seen[scene.context]:04d}.jpg")
        seen[scene.context] += 1
    return names


def _encoded(pool: ThreadPoolExecutor, scenes: Sequence[Scene], size: int, quality: int) -> Iterator[bytes]:
    """Render ahead of the reader, but only a little, so that few pictures wait in memory."""
    ahead = 2 * (os.cpu_count() or 1)
    waiting: list[Future[bytes]] = []
    for scene in scenes:
        waiting.append(pool.submit(_encode, scene, size, quality))
        if len(waiting) > ahead:
            yield waiting.pop(0).result()
    for future in waiting:
        yield future.result()


def _encode(scene: Scene, size: int, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(render(scene, size)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
