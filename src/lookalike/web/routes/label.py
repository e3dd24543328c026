"""``/label/…``: questions for annotators, and their answers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response

from lookalike.jobs.keys import Role
from lookalike.web.bodies import TextRoute
from lookalike.web.doors import HOLDER, ROLE
from lookalike.web.errors import Failure
from lookalike.web.routes.images import PICTURE, jpeg
from lookalike.web.routes.label_bodies import (
    Annotator,
    AnswersBody,
    Counted,
    LiveAccuracy,
    Progress,
    Question,
    Questions,
    UndoBody,
)
from lookalike.web.running import Labels, Work

__all__ = ["router"]

REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"model": Failure, "description": "The body is not JSON"},
    413: {"model": Failure, "description": "The body is too large"},
    422: {"model": Failure, "description": "Something is missing or out of range; nothing was stored"},
}
UNUSABLE = {"model": Failure, "description": "A parameter is out of range, or there is nothing to ask or give"}

Name = Annotated[Annotator, Query(description="Who answers, by name; where keys are asked for, that of the key")]

router = APIRouter(prefix="/label", route_class=TextRoute)


# Plain functions: FastAPI runs them in threads, since they compute, or wait for the disk.
@router.get("/questions", responses={422: UNUSABLE})
def questions(
    labels: Labels,
    request: Request,
    annotator: Name,
    count: Annotated[int, Query(ge=1, le=50, description="How many, so that a page can load pictures ahead")] = 10,
    candidates: Annotated[int, Query(ge=2, le=3, description="2 to choose between, 3 to rank")] = 2,
) -> Questions:
    """Give an annotator the next questions, chosen by the server's strategy; some are old ones, asked again."""
    _own(request, annotator)
    asked = labels.questions(annotator, count, candidates)
    return Questions(
        questions=[
            Question(reference=one.reference, candidates=list(one.candidates), trial=one.trial, context=labels.context)
            for one in asked
        ]
    )


@router.get("/pictures/{image:path}", response_class=Response, responses=PICTURE)
async def picture(image: str, request: Request, labels: Labels, work: Work) -> Response:
    """Return an image of the collection, its longer side at most 800 pixels: large enough to judge."""
    return jpeg(image, await work.run(lambda: labels.picture(image)), request)


@router.post("/answers", responses=REFUSED)
def answers(body: AnswersBody, request: Request, labels: Labels) -> Counted:
    """Store answers, each once however often it is sent; when this returns, they are on the disk."""
    _own(request, body.annotator)
    acts = [answer.act() for answer in body.answers]
    return Counted(received=len(acts), new=labels.take(body.annotator, acts))


@router.post("/undo", responses=REFUSED)
def undo(body: UndoBody, request: Request, labels: Labels) -> Counted:
    """Take answers back; one that arrives after it was taken back is not stored either."""
    _own(request, body.annotator)
    return Counted(received=len(body.ids), new=labels.undo(body.annotator, body.ids))


@router.get("/progress", responses={422: UNUSABLE})
def progress(labels: Labels, request: Request, annotator: Name) -> Progress:
    """Say how many questions an annotator has answered, how fast, and how far they agree with themselves."""
    _own(request, annotator)
    return Progress.of(annotator, labels.progress(annotator), labels.strategy, labels.context)


@router.get("/accuracy", responses={422: UNUSABLE})
def accuracy(labels: Labels, request: Request, annotator: Name) -> LiveAccuracy:
    """Say how often encoders, models and ensembles agree with the answers given here that they were not fitted on.

    It is answered at once with what was worked out last; while `up_to_date` is false, ask again in a few seconds.
    """
    _own(request, annotator)
    return LiveAccuracy.of(annotator, labels.accuracy(annotator))


@router.get(
    "/judgments.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "UTF-8, one header line"}, 422: UNUSABLE},
)
def judgments(
    labels: Labels, annotator: Annotated[Annotator | None, Query(description="Of one alone")] = None
) -> Response:
    """Return the judgments given here as CSV, for `lookalike import csv` or a spreadsheet."""
    headers = {"Content-Disposition": 'attachment; filename="judgments.csv"'}
    return Response(labels.csv(annotator), media_type="text/csv; charset=utf-8", headers=headers)


def _own(request: Request, annotator: str) -> None:
    """Let an annotator's key answer under its own name alone; where no keys are asked for, anybody is whom they say.

    Raises
    ------
    HTTPException
        403: it is the name of somebody else.
    """
    holder, role = request.scope.get(HOLDER), request.scope.get(ROLE, Role.ADMIN)
    if role < Role.ADMIN and annotator != holder:
        raise HTTPException(403, f"this is the key of {holder}: answers of others take their own key, or an admin's")
