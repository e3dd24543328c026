"""Answers of simulated people about rendered photographs: judgments of which the truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lookalike.core.errors import InputError
from lookalike.images.samples import CONTEXTS, Observer, Scene
from lookalike.judgments.table import Judgments

__all__ = ["simulated_judgments"]

STRANGERS = 0.2
"""Share of questions in which one candidate is of another context than the reference."""


def simulated_judgments(
    scenes: Mapping[str, Scene],
    people: Sequence[Observer],
    questions: int,
    seed: int,
) -> Judgments:
    """Ask people about photographs: in every context the same number of questions, one answer each.

    The reference is drawn from the context; so are the candidates, but for one in five questions, where one of them is
    of any context.

    Parameters
    ----------
    scenes : mapping of id to Scene
        What is on each photograph.
    people : sequence of Observer
        Each question goes to one of them, by chance.
    questions : int
        In each context that has photographs.
    seed : int

    Returns
    -------
    Judgments
        With ``context`` (of the reference) and ``annotator``.

    Raises
    ------
    InputError
        A context has fewer than three photographs, or there is nobody to ask.

    Examples
    --------
    >>> from lookalike.images.samples import draw_scenes, simulated_observers
    >>> scenes = {f"{n}.jpg": scene for n, scene in enumerate(draw_scenes(40, seed=0))}
    >>> answers = simulated_judgments(scenes, simulated_observers(3, seed=0, noise=0.05), questions=5, seed=0)
    >>> len(answers), sorted(answers.context.names.tolist())[:3]
    (40, ['abstract', 'city', 'field'])
    """
    if not people:
        raise InputError("there is nobody to ask: give at least one observer")
    rng = np.random.default_rng(seed)
    everywhere = sorted(scenes)
    rows: list[tuple[str, str, str, int, str, str]] = []
    for context in CONTEXTS:
        here = [image for image in everywhere if scenes[image].context == context]
        if here and len(here) < 3:
            raise InputError(f"{len(here)} photographs of {context}: a question needs three")
        for _ in range(questions if here else 0):
            reference, a, b = rng.choice(here, 3, replace=False).tolist()
            if rng.random() < STRANGERS:
                b = str(rng.choice([image for image in everywhere if image not in (reference, a)]))
            if rng.random() < 0.5:
                a, b = b, a
            person = int(rng.integers(len(people)))
            closer = people[person].answer(scenes[reference], scenes[a], scenes[b], rng)
            rows.append((reference, a, b, int(closer == "a"), context, f"person {person + 1}"))
    reference, a, b, chose_a, contexts, annotators = (list(column) for column in zip(*rows, strict=True))
    votes = np.array(chose_a)
    return Judgments.from_ids(reference, a, b, votes, 1 - votes, context=contexts, annotator=annotators)
