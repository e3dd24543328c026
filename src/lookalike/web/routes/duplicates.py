"""``/duplicates``: groups of near-identical images, lists of what to keep, files that go into the trash and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from lookalike.jobs.duplicates_review import Copy, Mark, as_csv, marked
from lookalike.jobs.trash import DryRun, Going, Trashed, dry_run, list_trash, put_back, trash
from lookalike.web.bodies import TextRoute
from lookalike.web.doors import HOLDER
from lookalike.web.errors import Failure
from lookalike.web.running import Live, Review

__all__ = ["router"]

MOST = 10_000
"""Images of one list."""

router = APIRouter(prefix="/duplicates", route_class=TextRoute)

Threshold = Annotated[float | None, Query(ge=0, le=2, description="How far apart copies may be; by default the usual")]
Image = Annotated[str, Field(min_length=1, max_length=4096)]
Images = Annotated[list[Image], Field(max_length=MOST)]


class CopyFound(BaseModel):
    """One image of a group, and whether it is suggested to keep it: the largest, of equal ones the oldest file."""

    image: str
    distance: float
    width: int
    height: int
    bytes: int
    modified: float
    mark: Mark

    @classmethod
    def of(cls, copy: Copy, place: int) -> CopyFound:
        """Return it as JSON; the first of a group is the one to keep."""
        mark: Mark = "keep" if place == 0 else "remove"
        return cls(**{name: getattr(copy, name) for name in Copy.__slots__}, mark=mark)


class Groups(BaseModel):
    """Groups of images that show the same picture; while they are looked for, how many images have been compared."""

    threshold: float
    usual: float = Field(description="The threshold that finds nearly all weakly changed copies")
    ready: bool
    done: int
    total: int
    groups: list[list[CopyFound]]
    group_count: int
    copies: int = Field(description="Images beside the one to keep, in all groups")
    bytes: int = Field(description="Of their files")


class Marks(BaseModel):
    """Where people think otherwise than suggested."""

    model_config = ConfigDict(extra="forbid")

    threshold: Annotated[float, Field(ge=0, le=2)] | None = None
    mirrored: bool = False
    keep: Images = []
    remove: Images = []
    format: Literal["csv", "json"] = "csv"


class FileGoing(BaseModel):
    """A file, and its size."""

    image: str
    bytes: int


class Remaining(BaseModel):
    """A file that stays, and why."""

    image: str
    reason: str


class Removal(BaseModel):
    """Images whose files are to go; with what the dry run of the same images said under `confirm`, they do."""

    model_config = ConfigDict(extra="forbid")

    images: Annotated[list[Image], Field(min_length=1, max_length=MOST)]
    confirm: Annotated[str, Field(max_length=64)] | None = None


class Removed(BaseModel):
    """What would go (`confirm` is then what stands for it), or what went (`id` is then what brings it back)."""

    files: list[FileGoing]
    refused: list[Remaining]
    bytes: int
    confirm: str | None = None
    id: str | None = None


class InTrash(BaseModel):
    """Files that went together."""

    id: str
    removed_at: float
    by: str
    files: list[FileGoing]


class Trash(BaseModel):
    """What can be put back, the latest first."""

    removals: list[InTrash]


class PutBack(BaseModel):
    """Which removal to undo."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(min_length=1, max_length=80)]


class Back(BaseModel):
    """Images that are where they were."""

    images: list[str]


_LIST: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": {}, "application/json": {}}, "description": "Every image of every group, marked"},
    409: {"model": Failure, "description": "The groups are still being looked for"},
}


@router.get("")
def groups(
    review: Review,
    live: Live,
    threshold: Threshold = None,
    mirrored: Annotated[bool, Query(description="Whether left-right mirrored copies count")] = False,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> Groups:
    """Return groups of near-identical images, some at a time; ask again while they are not `ready`."""
    look = review.look(threshold, mirrored)
    extra = [copy for group in look.groups for copy in group[1:]]
    some = look.groups[offset : offset + limit]
    live.expect([copy.image for group in some for copy in group])
    return Groups(
        threshold=look.threshold,
        usual=review.usual,
        ready=look.ready,
        done=look.done,
        total=look.total,
        groups=[[CopyFound.of(copy, place) for place, copy in enumerate(group)] for group in some],
        group_count=len(look.groups),
        copies=len(extra),
        bytes=sum(copy.bytes for copy in extra),
    )


@router.post("/list", response_class=Response, responses=_LIST)
def marks(body: Marks, review: Review) -> Response:
    """Return what to keep and what to remove: as suggested, but for what the request says."""
    look = review.look(body.threshold, body.mirrored)
    if not look.ready:
        return Response('{"error":"the groups are still being looked for"}', 409, media_type="application/json")
    rows = marked(look.groups, body.keep, body.remove)
    headers = {"Content-Disposition": f'attachment; filename="duplicates.{body.format}"'}
    if body.format == "csv":
        return Response(as_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)
    found = {mark: [copy.image for _, copy, said in rows if said == mark] for mark in ("keep", "remove")}
    return Response(_Lists(**found).model_dump_json(), media_type="application/json", headers=headers)


class _Lists(BaseModel):
    keep: list[str]
    remove: list[str]


@router.get("/trash")
def in_trash(live: Live) -> Trash:
    """List what was removed and can be put back."""
    found = list_trash(live.workspace.place)
    return Trash(removals=[_in_trash(one) for one in found])


@router.post("/trash")
def remove(body: Removal, request: Request, live: Live) -> Removed:
    """Say which files would go, exactly; or, with what that said under `confirm`, move them into the trash."""
    if body.confirm is None:
        return _planned(dry_run(live.workspace.place, body.images))
    gone = trash(live.workspace.place, body.images, body.confirm, request.scope.get(HOLDER, ""))
    return Removed(files=_files(gone.files), refused=[], bytes=sum(one.bytes for one in gone.files), id=gone.id)


@router.post("/trash/back")
def back(body: PutBack, live: Live) -> Back:
    """Put the files of one removal back where they were."""
    return Back(images=put_back(live.workspace.place, body.id))


def _planned(found: DryRun) -> Removed:
    refused = [Remaining(image=image, reason=reason) for image, reason in found.refused.items()]
    confirm = None if refused or not found.files else found.confirm
    return Removed(files=_files(found.files), refused=refused, bytes=found.bytes, confirm=confirm)


def _files(found: Sequence[Going]) -> list[FileGoing]:
    return [FileGoing(image=one.image, bytes=one.bytes) for one in found]


def _in_trash(one: Trashed) -> InTrash:
    return InTrash(id=one.id, removed_at=one.removed_at, by=one.by, files=_files(one.files))
