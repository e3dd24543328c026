"""All kinds of ensembles: each file that registers one is imported here."""

from lookalike.ensembles.base import ENSEMBLES
from lookalike.ensembles.gate import GateEnsemble as GateEnsemble
from lookalike.ensembles.grid import GridEnsemble as GridEnsemble
from lookalike.ensembles.mlp import MLPEnsemble as MLPEnsemble
from lookalike.ensembles.vote import VoteEnsemble as VoteEnsemble

__all__ = ["ENSEMBLES"]
