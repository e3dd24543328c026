"""``GET /models``: what the collection can be searched by."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from lookalike.web.running import Live

__all__ = ["router"]

router = APIRouter()


class Model(BaseModel):
    """The encoder, or a model or an ensemble of the workspace; see `by` of a search.

    `why_not` says why it cannot search. `accuracy` is how often it agreed with people about answers that were held out,
    where that was measured.
    """

    name: str
    kind: Literal["encoder", "model", "ensemble"]
    form: str
    searches: bool
    why_not: str
    accuracy: float | None


class Models(BaseModel):
    """The encoder first, then models and ensembles by name."""

    models: list[Model]


@router.get("/models")
def models(live: Live) -> Models:
    """List what this collection can be searched by, and pictures compared by."""
    listed = [
        Model(
            name=one.name,
            kind=one.kind,
            form=one.form,
            searches=one.searches,
            why_not=one.why_not,
            accuracy=one.accuracy,
        )
        for one in live.models()
    ]
    return Models(models=listed)
