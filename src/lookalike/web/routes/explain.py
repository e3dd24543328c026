"""``POST /explain``: why an image was found."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel

from lookalike.jobs.live import Why
from lookalike.web.bodies import form_of, is_json, json_of
from lookalike.web.errors import FAILURES, SEARCHED
from lookalike.web.given import MAX_REFERENCES, flag_of, pictures_of, read_picture, text_of
from lookalike.web.running import Live, Work

__all__ = ["router"]

GRID = 7
"""Cells of a map, across and down."""

FIELDS = 8

router = APIRouter()


class ModelPart(BaseModel):
    """What one model makes of the distance: its weight for this query, its own distance, its share of the whole."""

    model: str
    weight: float
    distance: float
    share: float


class Beside(BaseModel):
    """Another image, and how likely people find the first one closer; null where nothing was calibrated."""

    image: str
    distance: float
    probability: float | None


class Explanation(BaseModel):
    """Why an image was found.

    `models` are those of the ensemble; of a model or an encoder, itself. `query_map` and `image_map`, where `maps`
    asked for them, have 7 rows of 7 numbers, from the top left: how far the similarity falls when that part of the
    picture is covered. A query of several pictures has none.
    """

    image: str
    distance: float
    models: list[ModelPart]
    than: Beside | None
    query_map: list[list[float]] | None
    image_map: list[list[float]] | None


_PATHS = {"type": "array", "items": {"type": "string"}, "maxItems": MAX_REFERENCES}


def _schema(image: dict[str, Any]) -> dict[str, Any]:
    path = {"type": "string", "description": "A path in the collection"}
    properties = {
        "image": image,
        "like": _PATHS,
        "unlike": _PATHS,
        "box": {"type": "string", "description": "left,top,right,bottom of a part of `image`, in shares of it"},
        "by": {"type": "string", "description": "A model or an ensemble, see /models; without it, the encoder"},
        "found": path,
        "than": path,
        "maps": {"type": "boolean", "default": False, "description": "Also say which regions matter"},
    }
    return {"schema": {"type": "object", "required": ["image", "found"], "properties": properties}}


_BODY = {
    "multipart/form-data": _schema({"type": "string", "format": "binary", "description": "A picture, or a path"}),
    "application/json": _schema({"type": "string", "description": "The path of an image of the collection"}),
}


@router.post(
    "/explain",
    responses={**SEARCHED, **FAILURES},
    openapi_extra={"requestBody": {"required": True, "content": _BODY}},
)
async def explain(request: Request, live: Live, work: Work) -> Explanation:
    """Say why an image was found: which models, and which regions of both pictures."""
    if is_json(request):
        return await _answer(await json_of(request), live, work)
    async with form_of(request, images=1, fields=FIELDS + 2 * MAX_REFERENCES) as form:
        return await _answer({**form, "like": form.getlist("like"), "unlike": form.getlist("unlike")}, live, work)


async def _answer(given: dict[str, Any], live: Live, work: Work) -> Explanation:
    like, unlike = pictures_of(given)
    by, than = text_of(given, "by", "the name of a model or an ensemble"), text_of(given, "than", "a path")
    found, grid = text_of(given, "found", "the path of an image of the collection"), GRID * flag_of(given, "maps")
    if found is None:
        raise HTTPException(422, "found: give the path of the image that was found")
    why = await work.run(lambda: live.explain([read_picture(one) for one in like], unlike, found, by, than, grid))
    return _laid_out(found, than, why)


def _laid_out(found: str, than: str | None, why: Why) -> Explanation:
    beside = None
    if than is not None and why.than is not None:
        beside = Beside(image=than, distance=why.than.distance, probability=why.than.probability)
    return Explanation(
        image=found,
        distance=why.distance,
        models=[
            ModelPart(model=part.model, weight=part.weight, distance=part.distance, share=part.share)
            for part in why.parts
        ],
        than=beside,
        query_map=None if why.query_map is None else why.query_map.tolist(),
        image_map=None if why.image_map is None else why.image_map.tolist(),
    )
