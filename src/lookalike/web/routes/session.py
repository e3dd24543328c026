"""``/session``: a browser signs in with a key, and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field

from lookalike.web.bodies import TextRoute
from lookalike.web.doors import COOKIE, secret_of
from lookalike.web.errors import Failure
from lookalike.web.running import Keys

__all__ = ["router"]

SECONDS = 30 * 24 * 3600

router = APIRouter(route_class=TextRoute)


class SignIn(BaseModel):
    """A key, as `lookalike keys add` showed it."""

    key: Annotated[str, Field(min_length=1, max_length=200)]


class Session(BaseModel):
    """Who is signed in; without keys everybody may do everything."""

    keys_wanted: bool
    name: str | None = None
    role: str | None = None


@router.get("/session")
def session(request: Request, keys: Keys) -> Session:
    """Say whether this server wants keys, and whose key this request carries."""
    if keys is None:
        return Session(keys_wanted=False)
    secret, _ = secret_of(request.headers)
    key = None if secret is None else keys.holder(secret)
    if key is None:
        return Session(keys_wanted=True)
    return Session(keys_wanted=True, name=key.name, role=key.role.name.lower())


@router.post("/session", responses={401: {"model": Failure, "description": "There is no such key"}})
def sign_in(body: SignIn, request: Request, response: Response, keys: Keys) -> Session:
    """Take a key and send it back as a cookie, for 30 days."""
    key = None if keys is None else keys.holder(body.key.strip())
    if keys is not None and key is None:
        raise HTTPException(401, "this key does not open this server")
    if key is None:
        return Session(keys_wanted=False)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, body.key.strip(), SECONDS, httponly=True, samesite="strict", secure=secure)
    return Session(keys_wanted=True, name=key.name, role=key.role.name.lower())


@router.delete("/session")
def sign_out(response: Response) -> Session:
    """Take the cookie back."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return Session(keys_wanted=True)
