"""Every failure is one JSON line, ``{"error": ...}``, with the status that fits."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from lookalike.core.errors import InputError, LookalikeError
from lookalike.jobs.background import NoJobError
from lookalike.jobs.live import NotHeldError, NotReadyError
from lookalike.jobs.runs import NoRunError
from lookalike.web.guard import HEADERS

__all__ = ["FAILURES", "SEARCHED", "Failure", "add_error_handlers"]


class Failure(BaseModel):
    """What every response of 4xx and 5xx holds."""

    error: str


FAILURES: dict[int | str, dict[str, Any]] = {
    413: {"model": Failure, "description": "The upload is too large"},
    422: {"model": Failure, "description": "The picture cannot be read, or a parameter is out of range"},
}
"""For the OpenAPI page of a route that takes pictures."""

SEARCHED: dict[int | str, dict[str, Any]] = {
    404: {"model": Failure, "description": "The collection holds no such image"},
    503: {"model": Failure, "description": "What a model searches is being made: Retry-After says when to ask again"},
}
"""And of one that takes images of the collection, and models."""


def add_error_handlers(app: FastAPI) -> None:
    """Make an app answer with `Failure` whatever goes wrong."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(LookalikeError, _known)
    app.add_exception_handler(Exception, _internal)


def _failure(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    # What was sent may be quoted, and halves of surrogate pairs cannot be sent back.
    line = " ".join(message.split()).encode(errors="replace").decode()
    return JSONResponse({"error": line}, status, headers)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers) if error.headers else None
    return _failure(error.status_code, str(error.detail), headers)


async def _not_valid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _failure(400, f"the body is not JSON: {first.get('ctx', {}).get('error', '')}")
    where = ".".join(str(part)[:80] for part in first["loc"][1:])
    return _failure(422, f"{where or first['loc'][0]}: {first['msg']}")


async def _known(_: Request, error: Exception) -> JSONResponse:
    """Blame the request for what it gave, and the server for its disk."""
    if isinstance(error, NotHeldError | NoJobError | NoRunError):
        return _failure(404, str(error))
    if isinstance(error, NotReadyError):
        return _failure(503, str(error), {"Retry-After": str(error.seconds)})
    return _failure(422 if isinstance(error, InputError) else 503, str(error))


async def _internal(_: Request, error: Exception) -> JSONResponse:
    """Keep the details for the log; this response does not pass the guard, so it gets its headers here."""
    return _failure(500, f"internal error: {type(error).__name__} (the server's log says more)", HEADERS)
