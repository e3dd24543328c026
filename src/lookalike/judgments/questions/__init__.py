"""Which question to ask next: strategies by name, one file each."""

from __future__ import annotations

from lookalike.judgments.questions.committee import Committee
from lookalike.judgments.questions.informative import Informative
from lookalike.judgments.questions.state import State
from lookalike.judgments.questions.strategy import STRATEGIES, Question, Strategy
from lookalike.judgments.questions.unaimed import Random
from lookalike.judgments.questions.uncertain import Uncertain

__all__ = ["STRATEGIES", "Committee", "Informative", "Question", "Random", "State", "Strategy", "Uncertain"]
