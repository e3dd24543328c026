"""``POST /search``: the images closest to a picture."""

from __future__ import annotations

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
    """What was asked: a picture, or the path of an image of the collection."""

    image: UploadFile | str
    k: int


def _schema(image: dict[str, Any]) -> dict[str, Any]:
    k = {"type": "integer", "minimum": 1, "maximum": MAX_K, "default": DEFAULT_K}
    return {"schema": {"type": "object", "required": ["image"], "properties": {"image": image, "k": k}}}


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
    """Find the images closest to a picture, or to an image of the collection, which is then the first found."""
    if is_json(request):
        body = await json_of(request)
        return await _answer(_Query(_path(body.get("image")), _k(body.get("k", DEFAULT_K))), live, work)
    async with form_of(request, images=1) as form:
        image = form.get("image")
        given = upload_of(form, "image") if isinstance(image, UploadFile) else _path(image)
        return await _answer(_Query(given, _k(form.get("k", DEFAULT_K))), live, work)


async def _answer(query: _Query, live: LiveCollection, work: Work) -> SearchAnswer:
    if isinstance(query.image, UploadFile):
        upload = query.image
        hits: list[Hit] | None = await work.run(lambda: live.search(read_upload(upload), query.k))
        name = upload.filename or "the picture"
    else:
        name = query.image
        hits = await work.run(lambda: live.search_image(name, query.k))
    if hits is None:
        raise HTTPException(404, f"the collection holds no image {name}")
    found = [Found(image=hit.image, distance=hit.distance, similarity=hit.similarity) for hit in hits]
    return SearchAnswer(query=name, results=found)


def _path(image: object) -> str:
    if not isinstance(image, str) or not image:
        raise HTTPException(422, "image: upload a picture, or give the path of an image of the collection")
    return image


def _k(given: object) -> int:
    k = int(given) if isinstance(given, str) and given.isdecimal() and len(given) < 9 else given
    if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= MAX_K:
        raise HTTPException(422, f"k must be a whole number from 1 to {MAX_K}, not {str(given)[:40]}")
    return k
