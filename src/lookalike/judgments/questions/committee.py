"""Questions on which the models disagree."""

from __future__ import annotations

import numpy as np

from lookalike.core.errors import InputError
from lookalike.core.types import Rows
from lookalike.judgments.questions.information import binary_entropy
from lookalike.judgments.questions.pool import Pool
from lookalike.judgments.questions.state import State
from lookalike.judgments.questions.strategy import STRATEGIES, Strategy, best_per_reference

__all__ = ["Committee"]

SHARPNESS = 4.0
"""Log odds of a model's answer per standard deviation of its gaps: a model is all but sure beyond one deviation."""


@STRATEGIES.register("committee")
class Committee(Strategy):
    """Ask where models disagree most (query by committee, Seung, Opper and Sompolinsky 1992).

    Each model answers with a probability, the logistic function of its gap between the two distances in units of that
    model's own spread. The disagreement is the entropy of the mean answer minus the mean entropy, which is the mean
    divergence from the consensus (McCallum and Nigam 1998): high where models are sure and differ, 0 where all of
    them are unsure alike. The state needs the vectors of two models or more.

    Examples
    --------
    >>> one, two = np.eye(4, dtype=np.float32), np.eye(4, dtype=np.float32)
    >>> one[1], two[2] = one[0], two[0]  # each model takes another candidate for a copy of r
    >>> question = Committee().propose(State(["r", "x", "y", "z"], [one, two]), 1, np.random.default_rng(0))[0]
    >>> question.reference, sorted([question.a, question.b])
    ('r', ['x', 'y'])
    """

    def choose(self, pool: Pool, state: State, count: int, rng: np.random.Generator) -> Rows:  # noqa: ARG002
        """Choose the largest disagreements; see `Strategy.choose`.

        Raises
        ------
        InputError
            The state has one model alone.
        """
        if len(state.vectors) < 2:
            raise InputError("a committee needs the vectors of two models or more")
        gaps = pool.gaps.astype(np.float64)
        spread = gaps.std(axis=1, keepdims=True)
        logits = SHARPNESS * gaps / np.where(spread > 0, spread, 1.0)
        answers = 0.5 + 0.5 * np.tanh(logits / 2)
        disagreement = binary_entropy(answers.mean(axis=0)) - binary_entropy(answers).mean(axis=0)
        return best_per_reference(pool.triplets[:, 0], disagreement, count)
