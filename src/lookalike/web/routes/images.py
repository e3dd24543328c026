"""``GET /images``, ``GET /thumbnails/…`` and ``GET /pictures/…``: what the collection holds."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel

from lookalike.web.errors import Failure
from lookalike.web.running import Live

__all__ = ["PICTURE", "jpeg", "router"]

router = APIRouter()


class ImageList(BaseModel):
    """Some of the paths, in the collection's order, and how many images there are in all."""

    images: list[str]
    total: int


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
