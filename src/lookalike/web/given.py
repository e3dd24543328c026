"""What a request gives beside pictures, in a form or as JSON: checked one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import HTTPException
from starlette.datastructures import UploadFile

from lookalike.jobs.live import Box, Cut, Picture
from lookalike.web.bodies import read_upload, within_limit

__all__ = ["MAX_REFERENCES", "Given", "flag_of", "picture_of", "pictures_of", "read_picture", "text_of"]

MAX_REFERENCES = 20
"""Further pictures in each direction."""


@dataclass(frozen=True, slots=True)
class Given:
    """An upload that has not been read yet, or the path of an image of the collection; perhaps a part of it alone."""

    picture: UploadFile | str
    box: Box | None = None


def picture_of(given: Mapping[str, object], name: str) -> Given:
    """Return one picture; or refuse with 422 or 413."""
    picture = given.get(name)
    if isinstance(picture, UploadFile):
        within_limit(picture)
    elif not isinstance(picture, str) or not picture:
        raise HTTPException(422, f"{name}: upload a picture, or give the path of an image of the collection")
    return Given(picture)


def pictures_of(given: Mapping[str, object]) -> tuple[list[Given], list[str]]:
    """Return what is liked, `image` first and cut to `box`, and what is not; or refuse with 422 or 413."""
    image, box = picture_of(given, "image"), text_of(given, "box", "left,top,right,bottom in shares of the picture")
    first = image if box is None else Given(image.picture, Box.of(box))
    return [first, *(Given(path) for path in _paths(given, "like"))], _paths(given, "unlike")


def read_picture(given: Given) -> Picture:
    """Read a picture into memory; this blocks, so call it where it is about to be decoded."""
    whole = given.picture if isinstance(given.picture, str) else read_upload(given.picture)
    return whole if given.box is None else Cut(whole, given.box)


def _paths(given: Mapping[str, object], name: str) -> list[str]:
    found = given.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise HTTPException(422, f"{name}: give paths of images of the collection")
    if len(found) > MAX_REFERENCES:
        raise HTTPException(422, f"{name}: at most {MAX_REFERENCES} images, not {len(found)}")
    return found


def text_of(given: Mapping[str, object], name: str, what: str) -> str | None:
    """Return a text, or None where there is none; refuse anything else with 422.

    Examples
    --------
    >>> text_of({"by": "gate"}, "by", "a name"), text_of({"by": ""}, "by", "a name")
    ('gate', None)
    """
    value = given.get(name) or None
    if value is not None and not isinstance(value, str):
        raise HTTPException(422, f"{name} is {what}")
    return value


def flag_of(given: Mapping[str, object], name: str) -> bool:
    """Return whether something was asked for; refuse what is neither yes nor no with 422.

    Examples
    --------
    >>> flag_of({"explain": "true"}, "explain"), flag_of({}, "explain")
    (True, False)
    """
    value = given.get(name, False)
    words = {"true": True, "1": True, "false": False, "0": False, "": False}
    found = words.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise HTTPException(422, f"{name} is true or false")
    return found
