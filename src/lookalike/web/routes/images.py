"""``GET /images``, ``/thumbnails/…`` and ``/pictures/…``, ``POST /sheet``: what the collection holds."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lookalike.web.bodies import TextRoute
from lookalike.web.errors import Failure
from lookalike.web.running import Live, Work

__all__ = ["PICTURE", "jpeg", "router"]

MAX_CELLS = 64
ABSENT = "X-Absent"

router = APIRouter(route_class=TextRoute)

Image = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class ImageList(BaseModel):
    """Some of the paths, in the collection's order, and how many images there are in all."""

    images: list[str]
    total: int


class SheetBody(BaseModel):
    """Images whose thumbnails are wanted in one picture, each as a square of `side` pixels."""

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[Image], Field(min_length=1, max_length=MAX_CELLS)]
    side: Annotated[int, Field(ge=16, le=128, strict=True)] = 96


SHEET: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"image/jpeg": {}},
        "description": "A JPEG: cells row by row, eight in a row or as many as there are",
        "headers": {
            ABSENT: {
                "description": "Which cells are empty, since the collection holds no such image: numbers from 0",
                "schema": {"type": "string"},
            }
        },
    },
    422: {"model": Failure, "description": "There are no images, or too many, or the side is out of range"},
}
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {}}, "description": "A JPEG"},
    404: {"model": Failure, "description": "The collection holds no such image"},
}


# Plain functions: FastAPI runs them in threads, since they may read the table.
@router.get("/images")
def images(
    live: Live,
    after: Annotated[str, Query(description="Begin after this path: the last one of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ImageList:
    """List the images of the collection, sorted by path, page by page."""
    found, total = live.images(after, limit)
    return ImageList(images=found, total=total)


@router.get(
    "/thumbnails/{image:path}",
    response_class=Response,
    responses=PICTURE,
)
def thumbnail(image: str, request: Request, live: Live) -> Response:
    """Return the stored thumbnail of an image, its longer side at most 256 pixels; the file is never opened."""
    return jpeg(image, live.thumbnail(image), request)


@router.post("/sheet", response_class=Response, responses=SHEET)
async def sheet(body: SheetBody, live: Live, work: Work) -> Response:
    """Return the middle squares of many thumbnails as one picture; the files are never opened."""
    made = await work.run(lambda: live.sheet(body.images, body.side))
    headers = {ABSENT: " ".join(map(str, made.absent))} if made.absent else {}
    return Response(made.content, media_type="image/jpeg", headers=headers)


@router.get("/pictures/{image:path}", response_class=Response, responses=PICTURE)
def picture(image: str, request: Request, live: Live) -> Response:
    """Return a picture of an image, its longer side at most 800 pixels; of a changed file, the stored thumbnail."""
    return jpeg(image, live.picture(image), request)


def jpeg(image: str, content: bytes | None, request: Request) -> Response:
    """Answer with a picture, or say that it has not changed, or that there is none.

    Raises
    ------
    HTTPException
        404: there is no content.
    """
    if content is None:
        raise HTTPException(404, f"the collection holds no image {image}")
    # A changed photo keeps its path: the browser asks each time, and is mostly told that nothing has changed.
    tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": tag})
    return Response(content, media_type="image/jpeg", headers={"ETag": tag})
