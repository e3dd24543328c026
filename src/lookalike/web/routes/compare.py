"""``POST /compare``: which of two pictures is closer to a reference."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from lookalike.web.bodies import form_of, read_upload, upload_of
from lookalike.web.errors import FAILURES
from lookalike.web.running import Live, Work

__all__ = ["router"]

FIELDS = ("reference", "a", "b")

router = APIRouter()


class CompareAnswer(BaseModel):
    """The closer candidate, how sure that is (0 is b, 0.5 no telling, 1 is a), and the distances, in [0, 2]."""

    closer: Literal["a", "b"]
    probability_a: float
    distance_a: float
    distance_b: float


_PICTURE = {"type": "string", "format": "binary"}
_SCHEMA = {"type": "object", "required": list(FIELDS), "properties": dict.fromkeys(FIELDS, _PICTURE)}


@router.post(
    "/compare",
    responses=FAILURES,
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _SCHEMA}}}},
)
async def compare(request: Request, live: Live, work: Work) -> CompareAnswer:
    """Compare two pictures with a reference; none of them need be in the collection."""
    async with form_of(request, images=len(FIELDS)) as form:
        reference, a, b = (upload_of(form, name) for name in FIELDS)
        answer = await work.run(lambda: live.compare(read_upload(reference), read_upload(a), read_upload(b)))
    return CompareAnswer(
        closer=answer.closer,
        probability_a=answer.probability_a,
        distance_a=answer.distance_a,
        distance_b=answer.distance_b,
    )
