"""What a search is given: one picture, many, or several at once that are liked or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lookalike.core.errors import ImageDecodeError, InputError
from lookalike.core.progress import OnProgress, Progress
from lookalike.core.types import Rows, Vectors
from lookalike.images.folder import Rejected, scan

__all__ = ["EncodedQueries", "Query", "encoded_queries", "queries_of"]

AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Query:
    """The pictures of one search.

    Attributes
    ----------
    picture : Path, optional
        What the search is by; it is liked as well. A file, or the path of an image in the collection
        (`lookalike.jobs.query_pictures`).
    like, unlike : tuple of Path
        More pictures that what is found should look like, and pictures that it should not look like.
    """

    picture: Path | None
    like: tuple[Path, ...] = ()
    unlike: tuple[Path, ...] = ()

    @property
    def liked(self) -> tuple[Path, ...]:
        """All pictures that are liked, the first of them first."""
        return (() if self.picture is None else (self.picture,)) + self.like

    @property
    def pictures(self) -> tuple[Path, ...]:
        """All pictures, the liked ones first."""
        return self.liked + self.unlike

    @property
    def title(self) -> str:
        """Names of the pictures, for people.

        Examples
        --------
        >>> Query(Path("a.jpg"), (Path("x/b.jpg"),), (Path("c.jpg"),)).title
        'a.jpg and b.jpg, not c.jpg'
        """
        liked = " and ".join(path.name for path in self.liked)
        return liked + "".join(f", not {path.name}" for path in self.unlike)


@dataclass(frozen=True, slots=True, eq=False)
class EncodedQueries:
    """Queries, and the features of their pictures, each picture once.

    Attributes
    ----------
    queries : list of Query
    features : float32 (P, D)
    places : dict of Path to int
        The row of each picture.
    """

    queries: list[Query]
    features: Vectors
    places: Mapping[Path, int]

    def rows(self, query: Query) -> Rows:
        """Return the rows of the pictures of a query, the liked ones first."""
        return np.array([self.places[path] for path in query.pictures], np.int64)


def queries_of(
    given: Sequence[Path], like: Sequence[Path], unlike: Sequence[Path], rejected: list[Rejected]
) -> list[Query]:
    """Return a query for every picture given; for every one in a folder that is given; or one of `like` and `unlike`.

    Parameters
    ----------
    given : sequence of Path
        Pictures and folders.
    like, unlike : sequence of Path
        Of every query.
    rejected : list of Rejected
        Takes what is in a folder and is no image.

    Raises
    ------
    InputError
        Nothing is liked, or a folder has no images.
    """
    queries: list[Query] = []
    for path in given:
        if not path.is_dir():
            queries.append(Query(path, tuple(like), tuple(unlike)))
            continue
        found = scan(path)
        rejected += [Rejected(str(path / entry.path), entry.reason) for entry in found.rejected]
        if not found.files:
            raise InputError(f"{path} has no images to search by")
        queries += [Query(path / file.path, tuple(like), tuple(unlike)) for file in found.files]
    if not given:
        queries.append(Query(None, tuple(like), tuple(unlike)))
    if not queries[0].liked:
        raise InputError("give a picture to search by: QUERY, or --like PICTURE")
    return queries


def encoded_queries(
    queries: Sequence[Query],
    encode: Callable[[Sequence[Path]], Vectors],
    on_progress: OnProgress,
    rejected: list[Rejected] | None = None,
) -> EncodedQueries:
    """Encode the pictures of queries, many at a time.

    Parameters
    ----------
    queries : sequence of Query
    encode : callable
        Returns features, float32 (N, D), of pictures.
    on_progress : callable
    rejected : list of Rejected, optional
        Takes pictures that cannot be read; their queries are left out, unless all queries need one. Without it the
        first is an error.

    Raises
    ------
    ImageDecodeError
        A picture cannot be read, and its query cannot be left out.
    """
    shared = {path for query in queries for path in query.like + query.unlike}
    paths = list(dict.fromkeys(path for query in queries for path in query.pictures))
    kept: list[Path] = []
    parts: list[Vectors] = []
    refused: list[ImageDecodeError] = []
    for start in range(0, len(paths), AT_ONCE):
        if len(paths) > AT_ONCE:
            on_progress(Progress("encoding the queries", start, len(paths)))
        some = paths[start : start + AT_ONCE]
        try:
            parts.append(encode(some))
            kept += some
        except ImageDecodeError:
            if rejected is None or len(paths) == 1:
                raise
            for path in some:  # to find out which
                try:
                    parts.append(encode([path]))
                    kept.append(path)
                except ImageDecodeError as error:
                    if path in shared:
                        raise
                    refused.append(error)
    places = {path: row for row, path in enumerate(kept)}
    left = [query for query in queries if query.picture is None or query.picture in places]
    if not left:
        raise refused[0]
    if rejected is not None:
        rejected += [Rejected(error.path, error.reason) for error in refused]
    return EncodedQueries(left, np.concatenate(parts), places)
