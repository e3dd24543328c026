"""``GET /health``: whether the server answers, and what it serves."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from lookalike import __version__
from lookalike.web.running import Live

__all__ = ["router"]

router = APIRouter()


class Health(BaseModel):
    """What is served, and by which version of lookalike."""

    status: Literal["ok"]
    version: str
    images: int
    encoder: str


@router.get("/health")
def health(live: Live) -> Health:
    """Say that the server is up, how many images it searches, and by which encoder."""
    return Health(status="ok", version=__version__, images=len(live), encoder=live.encoder)
