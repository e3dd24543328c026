"""``POST /embed`` and ``POST /search/batch``: several pictures at once, each for itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, Field
from starlette.datastructures import UploadFile

from lookalike.jobs.live import Hit, Upload
from lookalike.web.bodies import form_of, is_json, json_of, read_upload, within_limit
from lookalike.web.errors import Failure
from lookalike.web.routes.search import Found, SearchAnswer
from lookalike.web.running import Live, Work

__all__ = ["router"]

MAX_UPLOADS, MAX_UPLOAD_BYTES = 16, 128 * 2**20
"""Of one request, all together."""

MAX_PATHS = 100
MAX_K, DEFAULT_K, MAX_OFFSET = 200, 10, 10_000
FIELDS = ("k", "where", "offset")

router = APIRouter()


class Vectors(BaseModel):
    """Unit vectors, in the order of the pictures; their dot product is the cosine, ``1 - distance``."""

    encoder: str
    images: list[str]
    vectors: list[list[float]]


class SearchAnswers(BaseModel):
    """An answer for each picture, in their order."""

    answers: list[SearchAnswer]


class _Asked(BaseModel):
    """What goes for all pictures of a batch."""

    k: int = Field(DEFAULT_K, ge=1, le=MAX_K)
    where: str | None = None
    offset: int = Field(0, ge=0, le=MAX_OFFSET)


def _body(more: Mapping[str, Any]) -> dict[str, Any]:
    path = {"type": "string", "minLength": 1, "description": "The path of an image of the collection"}
    file = {"type": "string", "format": "binary"}
    paths = {"type": "array", "items": path, "minItems": 1, "maxItems": MAX_PATHS}
    files = {"type": "array", "items": file, "minItems": 1, "maxItems": MAX_UPLOADS, "description": "Pictures, 128 MB"}

    def schema(images: dict[str, Any]) -> dict[str, Any]:
        properties = {"images": images, **more}
        return {"schema": {"type": "object", "required": ["images"], "properties": properties}}

    content = {"application/json": schema(paths), "multipart/form-data": schema(files)}
    return {"requestBody": {"required": True, "content": content}}


_MORE = {
    "k": {"type": "integer", "minimum": 1, "maximum": MAX_K, "default": DEFAULT_K},
    "where": {"type": "string", "description": "Only images that fit, such as: width > 1000 and folder = 'x'"},
    "offset": {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0},
}
_REFUSED: dict[int | str, dict[str, Any]] = {
    404: {"model": Failure, "description": "The collection holds no such image"},
    422: {"model": Failure, "description": "A picture cannot be read, or there are none, or too many"},
}


@router.post("/embed", responses=_REFUSED, openapi_extra=_body({}))
async def embed(request: Request, live: Live, work: Work) -> Vectors:
    """Return the vectors of up to 16 pictures, or of up to 100 images of the collection."""
    async with _given(request) as (pictures, _):
        found = await work.run(lambda: live.embed(_read(pictures)).tolist())
    return Vectors(encoder=live.encoder, images=_names(pictures), vectors=found)


@router.post("/search/batch", responses=_REFUSED, openapi_extra=_body(_MORE))
async def search_batch(request: Request, live: Live, work: Work) -> SearchAnswers:
    """Find the images closest to each of up to 16 pictures, or of up to 100 images of the collection."""
    async with _given(request) as (pictures, more):
        asked = _asked(more)
        found = await work.run(lambda: live.search_each(_read(pictures), asked.k, asked.where or None, asked.offset))
    return SearchAnswers(answers=[_answer(*pair) for pair in zip(_names(pictures), found, strict=True)])


@asynccontextmanager
async def _given(request: Request) -> AsyncIterator[tuple[Sequence[UploadFile | str], Mapping[str, object]]]:
    """Read the pictures, and what else was given; or refuse with 400, 413 or 422."""
    if is_json(request):
        given = await json_of(request)
        yield _paths(given.get("images")), given
        return
    async with form_of(request, MAX_UPLOADS, MAX_PATHS + len(FIELDS), MAX_UPLOAD_BYTES) as form:
        found = form.getlist("images")
        if not found:
            raise HTTPException(422, "images: upload pictures, or give paths of images of the collection")
        yield [within_limit(one) if isinstance(one, UploadFile) else _path(one) for one in found], form


def _paths(given: object) -> list[str]:
    if not isinstance(given, list) or not given:
        raise HTTPException(422, "images: give a list of paths of images of the collection")
    if len(given) > MAX_PATHS:
        raise HTTPException(422, f"images: at most {MAX_PATHS}, not {len(given)}")
    return [_path(one) for one in given]


def _path(given: object) -> str:
    if not isinstance(given, str) or not given:
        raise HTTPException(422, "images: each is the path of an image of the collection")
    return given


def _asked(given: Mapping[str, object]) -> _Asked:
    """Check what goes for all pictures; FastAPI's handler says what is wrong with it."""
    from fastapi.exceptions import RequestValidationError
    from pydantic import ValidationError

    try:
        return _Asked.model_validate({name: given[name] for name in FIELDS if name in given})
    except ValidationError as error:
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in error.errors()]) from error


def _read(pictures: Sequence[UploadFile | str]) -> Iterator[Upload | str]:
    """Hold one upload at a time."""
    return (one if isinstance(one, str) else read_upload(one) for one in pictures)


def _names(pictures: Sequence[UploadFile | str]) -> list[str]:
    return [one if isinstance(one, str) else one.filename or "the picture" for one in pictures]


def _answer(name: str, hits: Sequence[Hit]) -> SearchAnswer:
    found = [Found(image=hit.image, distance=hit.distance, similarity=hit.similarity) for hit in hits]
    return SearchAnswer(query=name, results=found)
