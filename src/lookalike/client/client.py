"""`Client`: the routes of a server as methods."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlencode

import numpy as np

from lookalike.client.multipart import Picture, form
from lookalike.client.transport import Transport
from lookalike.core.types import Vectors

__all__ = ["Client", "Comparison", "Found", "Picture"]

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """One image found: its path in the collection, ``1 - cosine`` in [0, 2], and the cosine."""

    image: str
    distance: float
    similarity: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The closer candidate, how sure that is (0 is b, 0.5 no telling, 1 is a), and the distances, in [0, 2]."""

    closer: Literal["a", "b"]
    probability_a: float
    distance_a: float
    distance_b: float


class Client:
    """Asks a server that `lookalike serve` runs. Safe in several threads.

    A picture is a `Path` (a file here, uploaded), bytes (the content of a file, uploaded), or a str (the path of an
    image in the server's collection).

    Every method raises `InputError` where what was asked cannot be answered, and `ServerError` where the server does
    not answer, wants another key, or is in trouble. A server that wants a short pause gets it.

    Parameters
    ----------
    url : str
        Such as ``http://127.0.0.1:8000``.
    key : str, optional
        As `lookalike keys add` printed it.
    timeout : float
        Seconds without a sign of the server after which it is given up.

    Raises
    ------
    InputError
        The address is none.

    Examples
    --------
    >>> client = Client("http://127.0.0.1:8000", key="lk-…")
    >>> client.url
    'http://127.0.0.1:8000'
    """

    def __init__(self, url: str, key: str | None = None, timeout: float = 60.0) -> None:
        self._server = Transport(url, key, timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept for the next request."""
        self._server.close()

    @property
    def url(self) -> str:
        """Address of the server."""
        return self._server.url

    def health(self) -> dict[str, Any]:
        """Return what is served: ``status``, ``version``, ``images``, ``encoder``."""
        return self._get("/health")

    def session(self) -> dict[str, Any]:
        """Return whether keys are wanted, and whose this one is: ``keys_wanted``, ``name``, ``role``."""
        return self._get("/session")

    def images(self) -> Iterator[str]:
        """Yield the paths of all images of the collection, sorted."""
        after = ""
        while found := self._get("/images", after=after, limit=PAGE)["images"]:
            yield from found
            after = found[-1]

    def thumbnail(self, image: str) -> bytes:
        """Return the thumbnail (JPEG, at most 256 pixels) of an image of the collection."""
        return self._server.content("GET", f"/thumbnails/{quote(image)}")

    def search(
        self,
        picture: Picture,
        k: int = 10,
        like: Sequence[str] = (),
        unlike: Sequence[str] = (),
        where: str | None = None,
        offset: int = 0,
    ) -> list[Found]:
        """Find the `k` images closest to a picture, closest first.

        Parameters
        ----------
        picture : Path, bytes or str
        k : int
            1 to 200.
        like, unlike : sequence of str
            Images of the collection that the answer should also look like, or not look like.
        where : str, optional
            Only images that fit this filter, such as ``"width > 1000 and folder = 'x'"``.
        offset : int
            How many of the closest are passed over.
        """
        fields = [("image", picture), *(("like", one) for one in like), *(("unlike", one) for one in unlike)]
        return _found(self._form("/search", [*fields, *_more(k, where, offset)]))

    def search_many(
        self, pictures: Sequence[Picture], k: int = 10, where: str | None = None, offset: int = 0
    ) -> list[list[Found]]:
        """Find the `k` images closest to each of up to 16 uploads, or 100 images of the collection."""
        fields = [*(("images", one) for one in pictures), *_more(k, where, offset)]
        return [_found(answer) for answer in self._form("/search/batch", fields)["answers"]]

    def compare(self, reference: Picture, a: Picture, b: Picture) -> Comparison:
        """Say which of two pictures is closer to a reference."""
        given = self._form("/compare", [("reference", reference), ("a", a), ("b", b)])
        return Comparison(**{name: given[name] for name in Comparison.__slots__})

    def embed(self, pictures: Sequence[Picture]) -> Vectors:
        """Return unit vectors, float32 (N, dim), of up to 16 uploads, or 100 images of the collection."""
        return np.array(self._form("/embed", [("images", one) for one in pictures])["vectors"], np.float32)

    def questions(self, annotator: str, count: int = 10, candidates: int = 2) -> list[dict[str, Any]]:
        """Return the next questions for an annotator: ``reference``, ``candidates``, ``trial``, ``context`` each."""
        found = self._get("/label/questions", annotator=annotator, count=count, candidates=candidates)
        return list(found["questions"])

    def answer(self, annotator: str, answers: Sequence[Mapping[str, Any]]) -> int:
        """Store up to 200 answers (`docs/labelling.md` has their fields); return how many were new.

        Each has an ``id`` made here, such as ``uuid.uuid4().hex``: sent again, it is stored once.
        """
        return int(self._post("/label/answers", {"annotator": annotator, "answers": list(answers)})["new"])

    def undo(self, annotator: str, ids: Sequence[str]) -> int:
        """Take answers back by their ids; return how many judgments and skips there were."""
        return int(self._post("/label/undo", {"annotator": annotator, "ids": list(ids)})["new"])

    def progress(self, annotator: str) -> dict[str, Any]:
        """Return how many answers an annotator gave, how fast, and how far they agree with themselves."""
        return self._get("/label/progress", annotator=annotator)

    def judgments_csv(self, annotator: str | None = None) -> str:
        """Return the judgments given on the server, of everyone or of one annotator, as CSV."""
        query = "" if annotator is None else f"?{urlencode({'annotator': annotator})}"
        return self._server.content("GET", f"/label/judgments.csv{query}").decode("utf-8")

    def _get(self, path: str, **query: object) -> dict[str, Any]:
        return dict(self._server.json("GET", path + (f"?{urlencode(query)}" if query else "")))

    def _post(self, path: str, body: object) -> dict[str, Any]:
        return dict(self._server.json("POST", path, json.dumps(body).encode()))

    def _form(self, path: str, fields: Sequence[tuple[str, Picture]]) -> dict[str, Any]:
        body, kind = form(fields)
        return dict(self._server.json("POST", path, body, kind))


def _more(k: int, where: str | None, offset: int) -> list[tuple[str, Picture]]:
    more: list[tuple[str, Picture]] = [("k", str(k)), ("offset", str(offset))]
    return more if where is None else [*more, ("where", where)]


def _found(answer: Mapping[str, Any]) -> list[Found]:
    return [Found(hit["image"], hit["distance"], hit["similarity"]) for hit in answer["results"]]
