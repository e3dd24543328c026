"""``POST /compare``: which of two pictures is closer to a reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from lookalike.jobs.live import LiveCollection, Verdict
from lookalike.web.bodies import form_of, is_json, json_of
from lookalike.web.errors import FAILURES, Failure
from lookalike.web.given import flag_of, picture_of, read_picture, text_of
from lookalike.web.running import Live, Work

__all__ = ["router"]

FIELDS = ("reference", "a", "b")

router = APIRouter()


class OneVerdict(BaseModel):
    """What the encoder, a model or an ensemble says; or, in `trouble`, why it cannot."""

    by: str
    kind: Literal["encoder", "model", "ensemble"]
    accuracy: float | None = None
    closer: Literal["a", "b"] | None = None
    probability_a: float | None = None
    distance_a: float | None = None
    distance_b: float | None = None
    trouble: str | None = None


class CompareAnswer(BaseModel):
    """The closer candidate, how sure that is (0 is b, 0.5 no telling, 1 is a), and the distances, in [0, 2].

    With `every` also what each model and ensemble of the workspace says.
    """

    closer: Literal["a", "b"]
    probability_a: float
    distance_a: float
    distance_b: float
    verdicts: list[OneVerdict] | None = None


def _schema(picture: dict[str, Any]) -> dict[str, Any]:
    properties = {
        **dict.fromkeys(FIELDS, picture),
        "by": {"type": "string", "description": "A model or an ensemble, see /models; without it, the encoder"},
        "every": {"type": "boolean", "default": False, "description": "Also what all models and ensembles say"},
    }
    return {"schema": {"type": "object", "required": list(FIELDS), "properties": properties}}


_BODY = {
    "multipart/form-data": _schema({"type": "string", "format": "binary", "description": "A picture, or a path"}),
    "application/json": _schema({"type": "string", "description": "The path of an image of the collection"}),
}


@router.post(
    "/compare",
    response_model_exclude_none=True,
    responses={404: {"model": Failure, "description": "The collection holds no such image"}, **FAILURES},
    openapi_extra={"requestBody": {"required": True, "content": _BODY}},
)
async def compare(request: Request, live: Live, work: Work) -> CompareAnswer:
    """Compare two pictures with a reference; each is uploaded, or an image of the collection."""
    if is_json(request):
        return await _answer(await json_of(request), live, work)
    async with form_of(request, images=len(FIELDS)) as form:
        return await _answer(form, live, work)


async def _answer(given: Mapping[str, object], live: LiveCollection, work: Work) -> CompareAnswer:
    pictures = [picture_of(given, name) for name in FIELDS]
    by, every = text_of(given, "by", "the name of a model or an ensemble"), flag_of(given, "every")

    def find() -> CompareAnswer:
        reference, a, b = (read_picture(picture) for picture in pictures)
        one = live.compare(reference, a, b, by)
        verdicts = [_laid_out(verdict) for verdict in live.verdicts(reference, a, b)] if every else None
        return CompareAnswer(
            closer=one.closer,
            probability_a=one.probability_a,
            distance_a=one.distance_a,
            distance_b=one.distance_b,
            verdicts=verdicts,
        )

    return await work.run(find)


def _laid_out(verdict: Verdict) -> OneVerdict:
    choice, found = verdict.choice, verdict.comparison
    if found is None:
        return OneVerdict(by=choice.name, kind=choice.kind, accuracy=choice.accuracy, trouble=verdict.trouble)
    return OneVerdict(
        by=choice.name,
        kind=choice.kind,
        accuracy=choice.accuracy,
        closer=found.closer,
        probability_a=found.probability_a,
        distance_a=found.distance_a,
        distance_b=found.distance_b,
    )
