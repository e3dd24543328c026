"""All kinds of models: each file that registers one is imported here."""

from lookalike.similarity.adaptation import AdaptationModel as AdaptationModel
from lookalike.similarity.identity import IdentityModel as IdentityModel
from lookalike.similarity.model import MODELS

__all__ = ["MODELS"]
