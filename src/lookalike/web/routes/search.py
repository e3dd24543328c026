"""``POST /search``: the images closest to a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel
from starlette.datastructures import UploadFile

from lookalike.jobs.live import Hit, LiveCollection
from lookalike.web.bodies import form_of, is_json, json_of, read_upload, upload_of
from lookalike.web.errors import FAILURES, Failure
from lookalike.web.running import Live, Work

__all__ = ["router"]

MAX_K, DEFAULT_K = 200, 10
MAX_OFFSET = 10_000
MAX_REFERENCES = 20
"""Further pictures in each direction."""

FIELDS = 8
"""Of a form, beside those pictures."""

router = APIRouter()


class Found(BaseModel):
    """One image found: its path in the collection, ``1 - cosine`` in [0, 2], and the cosine."""

    image: str
    distance: float
    similarity: float


class SearchAnswer(BaseModel):
    """The query's name, and the images closest to it, closest first."""

    query: str
    results: list[Found]


@dataclass(frozen=True, slots=True)
class _Query:
    """What was asked: pictures, or paths of images of the collection."""

    like: Sequence[UploadFile | str]
    unlike: Sequence[str]
    k: int
    where: str | None
    offset: int


def _schema(image: dict[str, Any]) -> dict[str, Any]:
    paths = {"type": "array", "items": {"type": "string"}, "maxItems": MAX_REFERENCES}
    properties = {
        "image": image,
        "like": {**paths, "description": "Paths of further images that the answer should look like"},
        "unlike": {**paths, "description": "Paths of images that it should not look like"},
        "where": {"type": "string", "description": "Only images that fit, such as: width > 1000 and folder = 'x'"},
        "k": {"type": "integer", "minimum": 1, "maximum": MAX_K, "default": DEFAULT_K},
        "offset": {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0},
    }
    return {"schema": {"type": "object", "required": ["image"], "properties": properties}}


_UPLOAD = {"type": "string", "format": "binary", "description": "A picture, at most 64 MB; or the path of an image"}
_PATH = {"type": "string", "description": "The path of an image of the collection"}
_BODY = {
    "multipart/form-data": _schema(_UPLOAD),
    "application/x-www-form-urlencoded": _schema(_PATH),
    "application/json": _schema(_PATH),
}


@router.post(
    "/search",
    responses={404: {"model": Failure, "description": "The collection holds no such image"}, **FAILURES},
    openapi_extra={"requestBody": {"required": True, "content": _BODY}},
)
async def search(request: Request, live: Live, work: Work) -> SearchAnswer:
    """Find the images closest to a picture, or to an image of the collection, which is then the first found.

    Several pictures are searched for by one direction: like these, not like those.
    """
    if is_json(request):
        return await _answer(_query(await json_of(request)), live, work)
    async with form_of(request, images=1, fields=FIELDS + 2 * MAX_REFERENCES) as form:
        given = {**form, "like": form.getlist("like"), "unlike": form.getlist("unlike")}
        if isinstance(given.get("image"), UploadFile):
            given["image"] = upload_of(form, "image")
        return await _answer(_query(given), live, work)


async def _answer(query: _Query, live: LiveCollection, work: Work) -> SearchAnswer:
    def find() -> list[Hit]:
        like = [one if isinstance(one, str) else read_upload(one) for one in query.like]
        return live.search(like, query.unlike, query.k, query.where, query.offset)

    hits = await work.run(find)
    first = query.like[0]
    name = first if isinstance(first, str) else first.filename or "the picture"
    found = [Found(image=hit.image, distance=hit.distance, similarity=hit.similarity) for hit in hits]
    return SearchAnswer(query=name, results=found)


def _query(given: Mapping[str, object]) -> _Query:
    """Check what was asked, or refuse with 422."""
    image = given.get("image")
    if not isinstance(image, UploadFile) and (not isinstance(image, str) or not image):
        raise HTTPException(422, "image: upload a picture, or give the path of an image of the collection")
    where = given.get("where") or None
    if where is not None and not isinstance(where, str):
        raise HTTPException(422, "where is a text, such as: width > 1000 and folder = 'x'")
    return _Query(
        like=[image, *_paths(given, "like")],
        unlike=_paths(given, "unlike"),
        k=_whole(given, "k", DEFAULT_K, 1, MAX_K),
        where=where,
        offset=_whole(given, "offset", 0, 0, MAX_OFFSET),
    )


def _paths(given: Mapping[str, object], name: str) -> list[str]:
    found = given.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise HTTPException(422, f"{name}: give paths of images of the collection")
    if len(found) > MAX_REFERENCES:
        raise HTTPException(422, f"{name}: at most {MAX_REFERENCES} images, not {len(found)}")
    return found


def _whole(given: Mapping[str, object], name: str, default: int, least: int, most: int) -> int:
    value = given.get(name, default)
    number = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 9 else value
    if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
        raise HTTPException(422, f"{name} must be a whole number from {least} to {most}, not {str(value)[:40]}")
    return number
