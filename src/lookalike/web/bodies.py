"""Request bodies, counted while they arrive: one that is too large is refused before it has been read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import FormData, UploadFile
from starlette.types import Message, Receive

from lookalike.jobs.live import Upload

__all__ = ["MAX_IMAGE_BYTES", "TextRoute", "form_of", "is_json", "json_of", "read_upload", "within_limit"]

MAX_IMAGE_BYTES = 64 * 2**20
MAX_TEXT_BYTES = 2**20
"""Of a body without pictures, and of what surrounds the pictures in one with them."""

PATIENCE_SECONDS = 300.0
"""A body that has not arrived by then is not waited for: who sends a byte now and then holds nothing up."""


class TextRoute(APIRoute):
    """A route whose body holds no pictures: FastAPI reads it, but never more than `MAX_TEXT_BYTES`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request, with a limit on its body."""
        answer = super().get_route_handler()

        async def limited(request: Request) -> Response:
            return await answer(_within(request, MAX_TEXT_BYTES))

        return limited


def is_json(request: Request) -> bool:
    """Whether a request says that its body is JSON."""
    return _content_type(request) == "application/json"


async def json_of(request: Request) -> dict[str, Any]:
    """Read a JSON object, or refuse with 413 or 400."""
    try:
        body = await _within(request, MAX_TEXT_BYTES).json()
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise HTTPException(400, f"the body is not JSON: {reason}") from error
    if not isinstance(body, dict):
        raise HTTPException(400, "the body must be a JSON object")
    return body


@asynccontextmanager
async def form_of(request: Request, images: int, fields: int = 8, most: int | None = None) -> AsyncIterator[FormData]:
    """Read a form of up to so many images and fields, or refuse with 413 or 400; files go when the block ends.

    Images take at most `most` bytes together; without it, each what one may.
    """
    multipart = _content_type(request) == "multipart/form-data"
    room = images * MAX_IMAGE_BYTES if most is None else most
    limited = _within(request, MAX_TEXT_BYTES + (room if multipart else 0))
    async with limited.form(max_files=images, max_fields=fields) as form:
        yield form


def within_limit(upload: UploadFile) -> UploadFile:
    """Return an upload, or refuse with 413."""
    if (upload.size or 0) > MAX_IMAGE_BYTES:
        raise _too_large(MAX_IMAGE_BYTES)
    return upload


def read_upload(upload: UploadFile) -> Upload:
    """Read a picture into memory; this blocks, so call it where it is about to be decoded."""
    upload.file.seek(0)
    return Upload((upload.filename or "the picture")[:200], upload.file.read())


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _within(request: Request, limit: int) -> Request:
    """Return the request with a body that raises once it is longer than `limit` bytes."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    return Request(request.scope, _counted(request.receive, limit))


def _counted(receive: Receive, limit: int) -> Receive:
    received = 0
    until = asyncio.get_running_loop().time() + PATIENCE_SECONDS

    async def counted() -> Message:
        nonlocal received
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError as error:
            line = f"the body took longer than {PATIENCE_SECONDS:.0f} seconds"
            raise HTTPException(408, line, {"Connection": "close"}) from error
        received += len(message.get("body", b""))
        if received > limit:
            raise _too_large(limit)
        return message

    return counted


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"the upload is too large: the limit is {limit // 2**20} MB", {"Connection": "close"})
