"""``POST /search``: the images closest to a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel

from lookalike.jobs.live import FoundBy, LiveCollection
from lookalike.jobs.search import Wanted
from lookalike.web.bodies import form_of, is_json, json_of
from lookalike.web.errors import FAILURES, SEARCHED
from lookalike.web.given import MAX_REFERENCES, Given, flag_of, pictures_of, read_picture, text_of
from lookalike.web.running import Live, Work

__all__ = ["router"]

MAX_K, DEFAULT_K = 200, 10
MAX_OFFSET = 10_000
FIELDS = 12
"""Of a form, beside those pictures."""

router = APIRouter()


class Found(BaseModel):
    """One image found: its path in the collection, ``1 - cosine`` in [0, 2], and the cosine.

    `shares`, where they were asked for: the part of the distance that each model makes.
    """

    image: str
    distance: float
    similarity: float
    shares: dict[str, float] | None = None


class SearchAnswer(BaseModel):
    """The query's name, and the images closest to it, closest first.

    `weights`, where they were asked for: how much each model counts for this very query; they sum to 1.
    """

    query: str
    results: list[Found]
    weights: dict[str, float] | None = None


@dataclass(frozen=True, slots=True)
class _Query:
    """What was asked: pictures, or paths of images of the collection, and how many like them."""

    like: Sequence[Given]
    unlike: Sequence[str]
    k: int
    where: str | None
    offset: int
    by: str | None
    explain: bool


def _schema(image: dict[str, Any]) -> dict[str, Any]:
    paths = {"type": "array", "items": {"type": "string"}, "maxItems": MAX_REFERENCES}
    properties = {
        "image": image,
        "like": {**paths, "description": "Paths of further images that the answer should look like"},
        "unlike": {**paths, "description": "Paths of images that it should not look like"},
        "box": {"type": "string", "description": "left,top,right,bottom of a part of `image`, in shares of it"},
        "where": {"type": "string", "description": "Only images that fit, such as: width > 1000 and folder = 'x'"},
        "k": {"type": "integer", "minimum": 1, "maximum": MAX_K, "default": DEFAULT_K},
        "offset": {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET, "default": 0},
        "by": {"type": "string", "description": "A model or an ensemble, see /models; without it, the encoder"},
        "explain": {"type": "boolean", "default": False, "description": "Say what each model of `by` makes of it"},
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
    response_model_exclude_none=True,
    responses={**SEARCHED, **FAILURES},
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
        return await _answer(_query(given), live, work)


async def _answer(query: _Query, live: LiveCollection, work: Work) -> SearchAnswer:
    def find() -> FoundBy:
        like = [read_picture(one) for one in query.like]
        if query.by is None:
            return FoundBy(live.search(like, query.unlike, query.k, query.where, query.offset))
        wanted = Wanted(query.k, query.offset, query.where, explain=query.explain)
        return live.search_by(query.by, like, query.unlike, wanted)

    found = await work.run(find)
    first, why = query.like[0].picture, found.why
    name = first if isinstance(first, str) else first.filename or "the picture"
    shares = [None] * len(found.hits) if why is None else why.shares
    results = [
        Found(image=hit.image, distance=hit.distance, similarity=hit.similarity, shares=share)
        for hit, share in zip(found.hits, shares, strict=True)
    ]
    return SearchAnswer(query=name, results=results, weights=None if why is None else why.weights)


def _query(given: Mapping[str, object]) -> _Query:
    """Check what was asked, or refuse with 422."""
    like, unlike = pictures_of(given)
    by, explain = text_of(given, "by", "the name of a model or an ensemble"), flag_of(given, "explain")
    if explain and by is None:
        raise HTTPException(422, "explain says what the models of an ensemble make of a result: give by as well")
    return _Query(
        like=like,
        unlike=unlike,
        k=_whole(given, "k", DEFAULT_K, 1, MAX_K),
        where=text_of(given, "where", "a text, such as: width > 1000 and folder = 'x'"),
        offset=_whole(given, "offset", 0, 0, MAX_OFFSET),
        by=by,
        explain=explain,
    )


def _whole(given: Mapping[str, object], name: str, default: int, least: int, most: int) -> int:
    value = given.get(name, default)
    number = int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 9 else value
    if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
        raise HTTPException(422, f"{name} must be a whole number from {least} to {most}, not {str(value)[:40]}")
    return number
