"""What the labelling page and the server send each other; everything has a limit."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lookalike.jobs.labelling_accuracy import Standings
from lookalike.jobs.labelling_acts import Act, Chosen, Ranked, Skipped
from lookalike.jobs.labelling_progress import Standing
from lookalike.metrics.intervals import Estimate
from lookalike.metrics.two_afc import Accuracy

__all__ = [
    "Agreement",
    "Annotator",
    "AnswersBody",
    "Counted",
    "LiveAccuracy",
    "Progress",
    "Question",
    "Questions",
    "UndoBody",
]

MAX_BATCH = 200

Annotator: TypeAlias = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Id: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
Image: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Grade: TypeAlias = Annotated[int, Field(ge=1, le=5, strict=True)]
Seconds: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Context: TypeAlias = Annotated[str, StringConstraints(max_length=200)]


class Question(BaseModel):
    """A reference, and two or three candidates in the order in which to show them.

    `trial` is empty for a new question, `repeat` or `flip` for one asked again; answers send it back, with `context`.
    """

    reference: str
    candidates: list[str]
    trial: str
    context: str


class Questions(BaseModel):
    """The next questions; fewer than asked for, or none, where no more are left."""

    questions: list[Question]


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: Id = Field(description="Made by the client, one per answer, a UUID: sent again, it is stored once")
    reference: Image


class _Answered(_Said):
    context: Context = ""
    trial: Literal["", "repeat", "flip"] = ""
    answered_at: Seconds | None = Field(None, description="Seconds since 1970, UTC")
    response_seconds: Seconds | None = None


class Judgment(_Answered):
    """Which of two candidates is closer to the reference."""

    kind: Literal["judgment"]
    a: Image
    b: Image
    choice: Literal["a", "b"]
    grade_a: Grade | None = None
    grade_b: Grade | None = None

    def act(self) -> Act:
        """Return what was done."""
        return Chosen(**self.model_dump(exclude={"kind"}))


class Ranking(_Answered):
    """Three candidates in order, closest first, each graded from 1 (almost the same) to 5 (irrelevant)."""

    kind: Literal["ranking"]
    candidates: Annotated[list[Image], Field(min_length=3, max_length=3, description="In the order shown")]
    ranking: Annotated[list[Image], Field(min_length=3, max_length=3, description="The same, closest first")]
    grades: Annotated[list[Grade], Field(min_length=3, max_length=3, description="Of the ranking; never going down")]

    def act(self) -> Act:
        """Return what was done."""
        given: dict[str, Any] = self.model_dump(exclude={"kind"})
        return Ranked(**given | {name: tuple(given[name]) for name in ("candidates", "ranking", "grades")})


class Skip(_Said):
    """The question was left without an answer; this annotator is not asked it again."""

    kind: Literal["skip"]
    candidates: Annotated[list[Image], Field(min_length=2, max_length=3)]

    def act(self) -> Act:
        """Return what was done."""
        return Skipped(id=self.id, reference=self.reference, candidates=tuple(self.candidates))


class AnswersBody(BaseModel):
    """What one annotator did; all of it is stored, or, if anything is wrong, nothing."""

    model_config = ConfigDict(extra="forbid")

    annotator: Annotator
    answers: Annotated[
        list[Annotated[Judgment | Ranking | Skip, Field(discriminator="kind")]],
        Field(min_length=1, max_length=MAX_BATCH),
    ]


class UndoBody(BaseModel):
    """Ids of answers to take back."""

    model_config = ConfigDict(extra="forbid")

    annotator: Annotator
    ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_BATCH)]


class Counted(BaseModel):
    """How many of what was sent were new; all of it is on the disk."""

    received: int
    new: int


class Agreement(BaseModel):
    """A share of answers, its 95% interval where there is one, and of how many."""

    share: float | None
    low: float | None
    high: float | None
    n: int

    @classmethod
    def of(cls, found: Estimate | Accuracy) -> Agreement:
        """Turn what cannot be measured into null: JSON has no NaN."""
        share, low, high = (None if value != value else value for value in (found.value, found.low, found.high))
        return cls(share=share, low=low, high=high, n=found.n)


class Progress(BaseModel):
    """What an annotator has done here, and how far everybody has come."""

    annotator: str
    answers: int
    judgments: int
    skipped: int
    everyone: int = Field(description="Judgments in the workspace, by everybody and from imports")
    seconds_per_answer: float | None = Field(description="The median of the latest 50")
    repeated: Agreement = Field(description="Share of questions asked again that got the same answer")
    flipped: Agreement = Field(description="And of those asked again with the candidates exchanged")
    strategy: str
    context: str

    @classmethod
    def of(cls, annotator: str, found: Standing, strategy: str, context: str) -> Progress:
        """Return a standing as JSON."""
        return cls(
            annotator=annotator,
            answers=found.answers,
            judgments=found.judgments,
            skipped=found.skipped,
            everyone=found.everyone,
            seconds_per_answer=found.seconds,
            repeated=Agreement.of(found.repeated),
            flipped=Agreement.of(found.flipped),
            strategy=strategy,
            context=context,
        )


class ModelAgreement(BaseModel):
    """An encoder, a model or an ensemble: how often it agrees with answers to questions that it was not fitted on.

    Of everyone's answers, `told` were left out because it was fitted on these questions, and `unknown` because features
    that it takes are not at hand; `trouble` says why it cannot be asked at all.
    """

    name: str
    kind: Literal["encoder", "model", "ensemble"]
    form: str
    own: Agreement
    everyone: Agreement
    told: int
    unknown: int
    trouble: str


class LiveAccuracy(BaseModel):
    """Who agrees with the answers given here; imports are not counted. Who agrees most with everyone comes first."""

    annotator: str
    own: int = Field(description="Judgments of this annotator that have been counted")
    everyone: int = Field(description="And of all")
    up_to_date: bool = Field(description="Whether all that is stored has been counted")
    models: list[ModelAgreement]

    @classmethod
    def of(cls, annotator: str, found: Standings) -> LiveAccuracy:
        """Return standings as JSON."""
        models = [
            ModelAgreement(
                name=one.choice.name,
                kind=one.choice.kind,
                form=one.choice.form,
                own=Agreement.of(one.own),
                everyone=Agreement.of(one.everyone),
                told=one.told,
                unknown=one.unknown,
                trouble=one.trouble,
            )
            for one in found.models
        ]
        return cls(
            annotator=annotator, own=found.own, everyone=found.everyone, up_to_date=found.up_to_date, models=models
        )
