"""The OpenAPI document: it says of every route what it really answers, refusals included."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from lookalike.web.doors import COOKIE, needed
from lookalike.web.errors import Failure

__all__ = ["Described", "described"]

METHODS = ("get", "post", "put", "patch", "delete")
DEFAULT = "#/components/schemas/HTTPValidationError"
"""What FastAPI thinks that it answers to parameters out of range; ours is one line."""

ALWAYS = {
    403: "A page of another site asked, or this server does not answer to that name",
    503: "The disk or the table cannot be read",
}
WITH_BODY = {400: "The body is not what it says that it is", 408: "The body took too long", 413: "It is too large"}
WITH_INPUT = {422: "Something is missing or out of range"}
WITH_PATH = {404: "There is no such thing"}
WITH_KEYS = {
    401: "There is no key, or it opens nothing here",
    429: "Too many requests: Retry-After says how long to wait",
}
SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "description": "A key that `lookalike keys add` made"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "The same, of a browser signed in"},
}


class Described(FastAPI):
    """An application whose OpenAPI document is completed by `described`."""

    def openapi(self) -> dict[str, Any]:
        """Return the document."""
        if self.openapi_schema is None:
            self.openapi_schema = described(super().openapi(), getattr(self.state, "keys", None) is not None)
        return self.openapi_schema


def described(document: dict[str, Any], keys: bool) -> dict[str, Any]:
    """Add to every route what the layers around it answer; what a route says itself stays.

    Parameters
    ----------
    document : dict
        As FastAPI makes it. It is changed.
    keys : bool
        Whether the server wants keys.

    Examples
    --------
    >>> bare = {"paths": {"/api/v1/things/{name}": {"get": {"responses": {"200": {}}}}}}
    >>> sorted(described(bare, keys=False)["paths"]["/api/v1/things/{name}"]["get"]["responses"])
    ['200', '403', '404', '503']
    """
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Failure"] = Failure.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    if keys:
        components["securitySchemes"] = SCHEMES
    for path, operations in document["paths"].items():
        for operation in (operations[method] for method in METHODS if method in operations):
            _complete(path, operation, keys)
    return document


def _complete(path: str, operation: dict[str, Any], keys: bool) -> None:
    answers: dict[str, Any] = operation["responses"]
    if DEFAULT in str(answers.get("422")):
        del answers["422"]
    for status, description in _around(path, operation, keys).items():
        answers.setdefault(str(status), _failure(description))
    operation["responses"] = dict(sorted(answers.items()))
    role = needed(path)
    if keys and role is not None:
        operation["security"] = [{name: []} for name in SCHEMES]
        operation["responses"]["403"] = _failure(
            f"{ALWAYS[403]}; or it is not the key of one who may: {role.name.lower()}"
        )


def _around(path: str, operation: dict[str, Any], keys: bool) -> dict[int, str]:
    """Return what may be answered besides what the route says."""
    found = dict(ALWAYS)
    if "requestBody" in operation:
        found |= WITH_BODY
    if "requestBody" in operation or operation.get("parameters"):
        found |= WITH_INPUT
    if "{" in path:
        found |= WITH_PATH
    return found | WITH_KEYS if keys else found


def _failure(description: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}
    return {"description": description, "content": content}
