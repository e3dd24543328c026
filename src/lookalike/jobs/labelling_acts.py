"""What an annotator can do with a question: choose, rank, or leave it; and the judgments each gives."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal, TypeAlias

from lookalike.core.errors import InputError
from lookalike.judgments.answer import Answer
from lookalike.judgments.store_acts import Skip

__all__ = ["Act", "Chosen", "Ranked", "Skipped", "Told", "keys_of"]

RANKED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What comes with every act.

    Attributes
    ----------
    id : str
        Made by whoever sends the act, one per act (a UUID): sent twice, it is stored once.
    reference : str
        The image the others are held against.
    context : str
        Of the question; empty for none.
    trial : str
        What the question was for, as in `lookalike.judgments.questions.Question`.
    answered_at : float or None
        Seconds since 1970, UTC; None for the moment when the act is stored.
    response_seconds : float or None
        How long the answer took.
    """

    id: str
    reference: str
    context: str = ""
    trial: str = ""
    answered_at: float | None = None
    response_seconds: float | None = None

    def answer(self, annotator: str, group: str, a: str, b: str, a_is_closer: bool, grades: dict[str, int]) -> Answer:
        """Make a judgment of two of the candidates."""
        return Answer(
            self.reference,
            a,
            b,
            "a" if a_is_closer else "b",
            grade_a=grades.get(a),
            grade_b=grades.get(b),
            context=self.context,
            annotator=annotator,
            group=group,
            trial=self.trial,
            answered_at=self.answered_at,
            response_seconds=self.response_seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen(Told):
    """One of two candidates was found closer.

    Examples
    --------
    >>> chosen = Chosen(id="7c1d", reference="r", a="x", b="y", choice="b")
    >>> {key: answer.choice for key, answer in chosen.judgments("ann").items()}
    {'7c1d': 'b'}
    """

    a: str
    b: str
    choice: Literal["a", "b"]
    grade_a: int | None = None
    grade_b: int | None = None

    @property
    def images(self) -> tuple[str, ...]:
        """The reference and the candidates."""
        return (self.reference, self.a, self.b)

    def judgments(self, annotator: str) -> dict[str, Answer]:
        """Return the one judgment, by its key."""
        given = {self.a: self.grade_a, self.b: self.grade_b}
        grades = {image: grade for image, grade in given.items() if grade is not None}
        return {self.id: self.answer(annotator, "", self.a, self.b, self.choice == "a", grades)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked(Told):
    """Three candidates were put in order and graded, as the annotators of CoSIS did.

    Each two of them are one judgment with their own two grades; the three share a group. Of each pair, a is the one
    that was shown first, not the closer one: so a preference for one side of the page can be measured.

    Attributes
    ----------
    candidates : tuple of str
        In the order in which they were shown.
    ranking : tuple of str
        The same, closest first.
    grades : tuple of int
        Of the ranking, 1 (almost the same) to 5 (irrelevant); they never go down.

    Raises
    ------
    InputError
        The ranking is not one of the candidates, or the grades contradict it.

    Examples
    --------
    >>> ranked = Ranked(id="7c1d", reference="r", candidates=("x", "y", "z"), ranking=("y", "z", "x"), grades=(1, 2, 2))
    >>> [(pair.candidate_a, pair.candidate_b, pair.choice, pair.grade_a) for pair in ranked.judgments("ann").values()]
    [('x', 'y', 'b', 2), ('x', 'z', 'b', 2), ('y', 'z', 'a', 1)]
    """

    candidates: tuple[str, ...]
    ranking: tuple[str, ...]
    grades: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.candidates) != RANKED or sorted(self.candidates) != sorted(self.ranking):
            raise InputError("a ranking holds the three candidates, each once")
        if len(self.grades) != RANKED or list(self.grades) != sorted(self.grades):
            raise InputError(
                "a ranking has three grades that never go down: what is farther is not graded as more alike"
            )

    @property
    def images(self) -> tuple[str, ...]:
        """The reference and the candidates."""
        return (self.reference, *self.candidates)

    def judgments(self, annotator: str) -> dict[str, Answer]:
        """Return the three judgments by their keys."""
        grades = dict(zip(self.ranking, self.grades, strict=True))
        place = {image: number for number, image in enumerate(self.ranking)}
        pairs = combinations(self.candidates, 2)
        return {
            key: self.answer(annotator, self.id, a, b, place[a] < place[b], grades)
            for key, (a, b) in zip(keys_of(self.id), pairs, strict=True)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A question was left without an answer; this annotator is not asked it again.

    Examples
    --------
    >>> Skipped(id="9b", reference="r", candidates=("x", "y")).skip("ann").images
    ('r', 'x', 'y')
    """

    id: str
    reference: str
    candidates: tuple[str, ...]

    @property
    def images(self) -> tuple[str, ...]:
        """The reference and the candidates."""
        return (self.reference, *self.candidates)

    def skip(self, annotator: str) -> Skip:
        """Return what the store keeps of it."""
        return Skip(annotator, self.images)


Act: TypeAlias = Chosen | Ranked | Skipped


def keys_of(id: str) -> tuple[str, str, str]:
    """Return the keys under which the judgments of an act are stored; a single judgment has the first.

    Examples
    --------
    >>> keys_of("7c1d")
    ('7c1d', '7c1d#2', '7c1d#3')
    """
    return id, f"{id}#2", f"{id}#3"
